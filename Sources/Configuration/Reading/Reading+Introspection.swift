// What `introspection` of an issuer requires of itself and of the rest of the file.

import Tokens

extension Reading {
  /// What the keys of `introspection` require of each other.
  func finish(_ introspection: inout Introspection, _ section: Section) {
    let ways = ["client_secret", "private_key", "certificate"].filter { section.has($0) }
    if ways.count > 1 {
      error(
        section.keyPosition(ways[1]), "'\(ways[0])' proves already who the gateway is: remove one of the two")
    } else if ways.isEmpty, section.refused.isEmpty {
      error(
        section.position,
        "the issuer answers clients that it knows: write client_secret: file:/path, private_key: client.pem, or "
          + "certificate and key")
    }
    for (one, other) in [("certificate", "key"), ("key", "certificate")] where section.has(one) && !section.has(other) {
      error(section.keyPosition(one), "'\(one)' requires '\(other)': write both, or neither")
    }
    if case .certificate(let files) = introspection.client, let certificate = section["certificate"],
      let key = section["key"], !section.refused.contains("key")
    {
      note(
        .client(
          certificate: LocatedPath(path: files.certificate, position: certificate.position),
          key: LocatedPath(path: files.key, position: key.position)))
    }
  }

  /// What the keys of an issuer require of its introspection.
  func checkIntrospection(_ issuer: inout Issuer, _ section: Section) {
    guard let introspection = issuer.introspection, let node = section["introspection"] else { return }
    issuer.policy.isAskedForOpaqueTokens = true
    if case .absent = issuer.keys {
      issuer.policy.jwtQuestion = .signature
      if introspection.isSigned {
        error(
          node.entry("signed")?.keyPosition ?? node.position,
          "a signed answer requires the issuer's keys: write discovery: true or jwks, or remove 'signed'")
      }
    } else if introspection.tokens == .all {
      issuer.policy.jwtQuestion = .confirmation
    }
    guard let endpoint = node.entry("endpoint")?.value else {
      issuer.introspection?.isEndpointDiscovered = true
      return checkDiscovered(introspection, issuer, node)
    }
    switch WebURL.parse(introspection.endpoint) {
    case .failure(let problem): error(endpoint.position, "'endpoint': \(problem.message)")
    case .success(let url):
      if !url.isSecure, let certificate = node.entry("certificate") {
        error(certificate.keyPosition, "a certificate is shown over TLS only: write endpoint: https://…")
      } else if !url.isSecure, !url.isLoopback, !issuer.isInsecureAllowed {
        error(
          endpoint.position,
          "tokens and the client's secret over plain http to \(url.host.quoted) could be read: write https://, "
            + "or insecure: true if the network is trusted")
      }
    }
  }

  /// The end point is where the issuer's discovery document says.
  private func checkDiscovered(_ introspection: Introspection, _ issuer: Issuer, _ node: SourceNode) {
    let advice = "write endpoint: https://login.example.com/introspect"
    guard case .success(let url) = WebURL.parse(issuer.policy.issuer), issuer.policy.tenants == nil else {
      return error(node.position, "the end point is not written, and 'issuer' is not a URL to find it at: \(advice)")
    }
    if case .absent = issuer.keys {
      error(node.position, "with 'discovery: false' nothing is looked for at the issuer: \(advice)")
    }
    if !url.isSecure, let certificate = node.entry("certificate") {
      error(certificate.keyPosition, "a certificate is shown over TLS only, and the issuer is at http: \(advice)")
    }
  }

  /// One token is asked about at one issuer after the other.
  func checkIntrospection(_ route: Route, section: Section) {
    guard case .token(let requirement) = route.auth else { return }
    let asked = requirement.issuers.filter { names.askedIssuers.contains($0) }
    // LIMIT: a bad token costs a question to each of them.
    if asked.count > 4 {
      error(
        section.ownPosition("auth"),
        "\(asked.count) issuers of the route have 'introspection', and each would be asked about a bad token: keep four"
      )
    }
  }

  /// Each end point is an upstream, so that it has connections, TLS and names as all others.
  func addIntrospectionUpstreams(to file: inout GatewayConfiguration) {
    for index in file.issuers.indices {
      guard let upstream = file.issuers[index].introspectionUpstream else { continue }
      file.issuers[index].introspection?.upstream = file.upstreams.count
      file.upstreams.append(upstream)
    }
  }

  fileprivate func clientKey(_ node: SourceNode, _ what: String) -> PrivateKey? {
    guard let path = ValueType.path("PEM file").read(node, self, what),
      let pem = contents(ofResolved: path, at: node.position, byteCountMax: 1024 * 1024)
    else { return nil }
    note(.signingKey(LocatedPath(path: path, position: node.position)))
    return PrivateKey(path: path, pem: pem)
  }
}

extension ValueType where Value == PrivateKey {
  static let clientKey = ValueType(.text("PEM file")) { node, reading, what in reading.clientKey(node, what) }
}
