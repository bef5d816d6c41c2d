// `resource` of a route's `auth`: what clients find there that look for the way in (RFC 9728). All of it comes from the
// file, and nothing from a request (T115).

import Tokens

extension ProtectedResource {
  /// RFC 9728 §3.1: between the host and the path.
  private static let wellKnownPath = "/.well-known/oauth-protected-resource"

  /// nil where the resource is none, which was reported.
  fileprivate init?(_ text: String, at position: SourcePosition, _ reading: Reading) {
    func refuse(_ message: String) { reading.error(position, message) }
    let url: WebURL
    switch WebURL.parse(text) {
    case .failure(let problem):
      refuse("'resource': \(problem.message)")
      return nil
    case .success(let parsed): url = parsed
    }
    if !url.isSecure, !url.isLoopback {
      refuse("a resource is an https URL (RFC 9728 §1.2), not \(text.quoted)")
      return nil
    }
    if url.pathAndQuery.contains("?") {
      refuse("a resource has no query here: remove '?' and what follows from \(text.quoted)")
      return nil
    }
    // A slash that ends the URL behind its host is left out, others are a part of the name.
    let path = url.pathAndQuery == "/" ? "" : url.pathAndQuery
    switch PathRules.pattern(Self.wellKnownPath + path) {
    case .success(let pattern) where !pattern.isPrefix && pattern.segments.allSatisfy(\.isLiteral):
      metadataPath = pattern
    case .success:
      refuse("a resource is one URL, without '*' and '{…}', not \(text.quoted)")
      return nil
    case .failure(let problem):
      refuse("'resource': \(problem.message)")
      return nil
    }
    let origin = text.dropLast(url.pathAndQuery.utf8.count)
    self.text = text
    metadata = "\(origin)\(Self.wellKnownPath)\(path)"
  }
}

extension PathPattern.Segment {
  var isLiteral: Bool { if case .literal = self { true } else { false } }
}

extension Reading {
  /// Where the metadata of each resource is: on each host where a route has it, and on its listeners.
  func resourceRoutes(for routes: [LocatedRoute]) -> [LocatedRoute] {
    var places: [ResourcePlace] = []
    for located in routes {
      guard case .token(let requirement) = located.route.auth, let resource = requirement.resource else { continue }
      let host = located.route.host
      let index =
        places.firstIndex { $0.resource == resource && $0.host == host }
        ?? {
          places.append(ResourcePlace(resource: resource, host: host, position: located.sourcesPosition))
          return places.count - 1
        }()
      places[index].take(located.route.listeners)
    }
    return places.map { place in
      var route = Route(
        name: "metadata of \(place.resource.text)", path: place.resource.metadataPath, auth: .public,
        action: .respond(
          FixedResponse(
            status: 200, body: metadata(of: place.resource, routes), contentType: "application/json")))
      route.host = place.host
      route.listeners = place.listeners ?? []
      route.methods = ["GET", "HEAD"]
      // Every page may read it: it is the same for all, and says nothing of anybody.
      var cors = CORS(origins: [.any])
      cors.headers = nil
      route.cors = cors
      route.responseHeaders.set = [HeaderRules.Field(name: "Cache-Control", value: "public, max-age=300")]
      return LocatedRoute(route, from: place.position)
    }
  }

  private struct ResourcePlace {
    let resource: ProtectedResource
    let host: HostPattern
    let position: SourcePosition
    /// nil before the first. Empty is all of them.
    var listeners: [Int]?

    mutating func take(_ more: [Int]) {
      guard let known = listeners else {
        listeners = more
        return
      }
      listeners = known.isEmpty || more.isEmpty ? [] : Set(known + more).sorted()
    }
  }

  /// RFC 9728 §2.
  private func metadata(of resource: ProtectedResource, _ routes: [LocatedRoute]) -> String {
    var servers: [String] = []
    var scopes: [String] = []
    var methods: [String] = []
    var demands: [ProofDemand] = []
    func note(_ texts: [String], in list: inout [String]) {
      for text in texts where !list.contains(text) { list.append(text) }
    }
    for located in routes {
      guard case .token(let requirement) = located.route.auth, requirement.resource == resource else { continue }
      for issuer in requirement.issuers { note(names.issuerURLs[issuer] ?? [], in: &servers) }
      note(requirement.scopes.names, in: &scopes)
      demands.append(requirement.proof)
      for source in requirement.sources {
        switch source {
        case .authorization: note(["header"], in: &methods)
        case .value(.query("access_token")): note(["query"], in: &methods)
        default: break
        }
      }
    }
    var members: [(name: String, value: JSONValue)] = [("resource", .text(resource.text))]
    func list(_ name: String, _ items: [String]) {
      if !items.isEmpty { members.append((name, .list(items.map(JSONValue.text)))) }
    }
    list("authorization_servers", servers)
    list("scopes_supported", scopes)
    list("bearer_methods_supported", methods)
    if demands.allSatisfy({ $0 == .dpop }) { members.append(("dpop_bound_access_tokens_required", .boolean(true))) }
    if demands.contains(where: { $0 == .dpop || $0 == .any }) {
      list("dpop_signing_alg_values_supported", SignatureAlgorithm.allCases.filter { !$0.isSymmetric }.map(\.rawValue))
    }
    if demands.allSatisfy({ $0 == .mtls }) {
      members.append(("tls_client_certificate_bound_access_tokens", .boolean(true)))
    }
    return JSONValue.object(members).formatted + "\n"
  }

  /// A token may be meant for the resource, too. It then passes on routes of that resource only.
  func addAudiences(to file: inout GatewayConfiguration) {
    var resources: [(issuer: Int, text: String)] = []
    for index in file.routes.indices {
      guard case .token(let requirement) = file.routes[index].auth, let resource = requirement.resource else {
        continue
      }
      for issuer in requirement.issuers
      where !resources.contains(where: { $0.issuer == issuer && $0.text == resource.text }) {
        resources.append((issuer, resource.text))
      }
    }
    if resources.isEmpty { return }
    let own = file.issuers.map(\.policy.audiences)
    for (issuer, text) in resources where file.issuers.indices.contains(issuer) {
      // Without audiences a token for anyone passes.
      if own[issuer].isEmpty || file.issuers[issuer].policy.audiences.contains(text) { continue }
      file.issuers[issuer].policy.audiences.append(text)
    }
    for index in file.routes.indices {
      guard case .token(var requirement) = file.routes[index].auth else { continue }
      requirement.audiences = requirement.issuers.compactMap { issuer in
        guard own.indices.contains(issuer), file.issuers[issuer].policy.audiences != own[issuer] else { return nil }
        let more = requirement.resource.map { [$0.text] } ?? []
        return IssuerAudiences(issuer: issuer, audiences: own[issuer] + more.filter { !own[issuer].contains($0) })
      }
      if !requirement.audiences.isEmpty { file.routes[index].auth = .token(requirement) }
    }
  }
}

extension ValueType where Value == ProtectedResource {
  static let protectedResource = ValueType(.text("URL")) { node, reading, what in
    reading.line(node, what).flatMap { ProtectedResource($0, at: node.position, reading) }
  }
}
