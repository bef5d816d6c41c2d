// `issuers:`, whose tokens are taken, and where their keys come from (T25, T60).

import Tokens

extension Reading {
  func issuer(_ entry: SourceNode.Entry) -> Issuer? {
    checkName(entry, "an issuer")
    if entry.key == "public" {
      error(entry.keyPlace, "no issuer may be called 'public': it is the word for a route that is open to all")
    }
    guard
      let section = Section(
        entry.value, Issuer.settings.table, self, example: "\(entry.key): { issuer: https://…, audiences: […] }")
    else { return nil }
    var result = Issuer.settings.blank
    result.name = entry.key
    Issuer.settings.take(section, into: &result)
    warnOfOpenings(result, section)
    guard let keys = keySource(section, policy: result.policy), !result.policy.issuer.isEmpty else { return nil }
    result.keys = keys
    return result
  }

  /// What is allowed, and rarely meant.
  private func warnOfOpenings(_ issuer: Issuer, _ section: Section) {
    if let node = section["audiences"], case .list(let items) = node.content, items.isEmpty {
      warn(
        node.place,
        "with 'audiences: []' a token that was made for another service passes here: write [name-of-this-api]")
    }
    if let node = section["required_claims"], !issuer.policy.requiredClaims.contains("exp") {
      warn(node.place, "a token without 'exp' passes for ever: name exp here unless that is meant")
    }
    if issuer.stale < issuer.refresh, section.has("stale") || section.has("refresh") {
      warn(
        section.keyPlace(section.has("stale") ? "stale" : "refresh"),
        "'stale' is shorter than 'refresh': one missed fetch takes the issuer's keys away")
    }
  }

  // MARK: Keys

  private func keySource(_ section: Section, policy: IssuerPolicy) -> KeySource? {
    let isInsecure: Bool
    if case .scalar(let scalar) = section["insecure"]?.content {
      isInsecure = scalar.text == "true"
    } else {
      isInsecure = false
    }
    var wantsDiscovery: Bool?
    if let node = section["discovery"] {
      guard let value = boolean(node, "'discovery'") else { return nil }
      wantsDiscovery = value
    }
    if let node = section["jwks"] {
      if wantsDiscovery == true {
        error(section.keyPlace("discovery"), "'discovery: true' and 'jwks' both say where the keys are: remove one")
        return nil
      }
      return writtenKeys(node, policy: policy, isInsecure: isInsecure)
    }
    if section.has("jwks") { return nil }
    if wantsDiscovery == false {
      error(section.keyPlace("discovery"), "the issuer has no keys: write 'jwks', or discovery: true")
      return nil
    }
    guard let node = section["issuer"], !policy.issuer.isEmpty else { return nil }
    refuseSharedSecrets(policy, at: node.place)
    switch WebURL.parse(policy.issuer) {
    case .failure(let problem):
      error(
        node.place,
        "without 'jwks' the keys are discovered at the issuer's URL, but \(problem.message): "
          + "write jwks: URL, file or key set"
      )
      return nil
    case .success(let url):
      if url.pathAndQuery.contains("?") {
        error(node.place, "an issuer's URL has no query (OpenID Connect Discovery §2): write 'jwks' instead")
        return nil
      }
      return isSafe(url, isInsecure: isInsecure, at: node.place) ? .discovery(issuer: policy.issuer) : nil
    }
  }

  private func writtenKeys(_ node: SourceNode, policy: IssuerPolicy, isInsecure: Bool) -> KeySource? {
    switch node.content {
    case .list:
      error(node.place, "'jwks' is a URL, a file, or a key set: write jwks: { keys: […] }")
      return nil
    case .mapping(let entries):
      guard entries.contains(where: { $0.key == "keys" }) else {
        error(node.place, "the key set has no 'keys' (RFC 7517 §5): write jwks: { keys: […] }")
        return nil
      }
      var json = JSONText()
      guard json.append(node, reading: self) else { return nil }
      return inline(json.bytes, policy: policy, at: node.place)
    case .scalar:
      guard let text = text(node, "'jwks'") else { return nil }
      let body = text.drop { $0.isWhitespace }
      if body.hasPrefix("{") { return inline(Array(body.utf8), policy: policy, at: node.place) }
      guard let location = line(node, "'jwks'") else { return nil }
      return location.contains("://")
        ? keyURL(location, policy: policy, isInsecure: isInsecure, at: node.place)
        : keyFile(location, policy: policy, at: node.place)
    }
  }

  private func inline(_ json: [UInt8], policy: IssuerPolicy, at place: Place) -> KeySource? {
    checkKeySet(json, "the key set", policy: policy, at: place) ? .inline(json) : nil
  }

  private func keyFile(_ path: String, policy: IssuerPolicy, at place: Place) -> KeySource? {
    let path = path.hasPrefix("file:") ? String(path.dropFirst("file:".count)) : path
    guard let bytes = contents(of: path, at: place) else { return nil }
    let title = "the key set in \(resolve(path: path).quoted)"
    return checkKeySet(bytes, title, policy: policy, at: place) ? .file(resolve(path: path)) : nil
  }

  /// Keys that are here already must be usable now, not when the first token comes (T60). Never shows a key.
  private func checkKeySet(_ json: [UInt8], _ title: String, policy: IssuerPolicy, at place: Place) -> Bool {
    do {
      let set = try KeySet.parse(json.span, algorithms: policy.algorithms)
      for key in set.dropped {
        warn(
          place,
          "\(title) has a key \(key.keyID.map { $0.quoted + " " } ?? "")that is left out: it \(key.reason.rawValue)")
      }
      let unused = policy.algorithms.filter { algorithm in
        algorithm.isSymmetric && !set.keys.contains { $0.mayVerify(algorithm) }
      }
      if let first = unused.map(\.rawValue).sorted().first {
        error(
          place,
          "\(first) is named, but \(title) holds no shared secret ('oct') for it: remove the algorithm, or add the key")
        return false
      }
      return true
    } catch {
      self.error(place, "\(title) \(Self.explanation(of: error))")
      return false
    }
  }

  private static func explanation(of error: KeySetError) -> String {
    switch error {
    case .tooLarge: "is larger than 1 MiB"
    case .tooManyKeys: "holds more than \(KeySet.keyCountMax) keys"
    case .notJSON: "is not JSON, or names a member twice"
    case .notKeySet: "has no list 'keys' (RFC 7517 §5)"
    case .noUsableKey(let dropped):
      if let first = dropped.first {
        "holds no usable key: \(first.keyID.map { $0.quoted } ?? "the first") \(first.reason.rawValue)"
      } else {
        "holds no key"
      }
    }
  }

  private func keyURL(_ text: String, policy: IssuerPolicy, isInsecure: Bool, at place: Place) -> KeySource? {
    refuseSharedSecrets(policy, at: place)
    switch WebURL.parse(text) {
    case .failure(let problem):
      error(place, "'jwks': \(problem.message)")
      return nil
    case .success(let url):
      return isSafe(url, isInsecure: isInsecure, at: place) ? .url(text) : nil
    }
  }

  /// T25: over plain http anybody on the way could put keys of their own into an answer.
  private func isSafe(_ url: WebURL, isInsecure: Bool, at place: Place) -> Bool {
    if url.isSecure || url.isLoopback || isInsecure { return true }
    error(
      place,
      "keys over plain http from \(url.host.quoted) could be anyone's: write https://, "
        + "or insecure: true if the network is trusted"
    )
    return false
  }

  /// A secret that signs does not belong at an address where anyone may fetch it (T02, T03).
  private func refuseSharedSecrets(_ policy: IssuerPolicy, at place: Place) {
    let symmetric = policy.algorithms.filter(\.isSymmetric).map(\.rawValue).sorted()
    guard let first = symmetric.first else { return }
    error(place, "\(first) wants a shared secret, which no URL may give out: write the key set inline or as a file")
  }
}

// MARK: Values

extension ValueType where Value == Set<SignatureAlgorithm> {
  static let algorithms = ValueType(
    .list(
      of: .choice(SignatureAlgorithm.allCases.map(\.rawValue)),
      "list of " + SignatureAlgorithm.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "))
  ) { node, reading, what in
    reading.names(node, what, item: "an algorithm", check: problem).map { names in
      Set(names.compactMap(SignatureAlgorithm.init(rawValue:)))
    }
  }

  private static func problem(_ name: String) -> String? {
    if SignatureAlgorithm(rawValue: name) != nil { return nil }
    if name.lowercased() == "none" { return "the algorithm 'none' is never accepted: remove it" }
    let known = SignatureAlgorithm.allCases.map(\.rawValue)
    let exact = known.first { $0.lowercased() == name.lowercased() }
    if let near = exact ?? nearestName(to: name, among: known) {
      return "no algorithm is called \(name.quoted): did you mean '\(near)'?"
    }
    return "no algorithm is called \(name.quoted): the known ones are \(known.joined(separator: ", "))"
  }
}

extension ValueType where Value == [String] {
  static let tokenTypes = ValueType.names("list", item: "a token type").converted(
    { types in
      types.map { type in
        let lower = type.lowercased()
        return lower.hasPrefix("application/") ? String(lower.dropFirst("application/".count)) : lower
      }
    }, back: { $0 })
}

extension ValueType where Value == String {
  /// A file whose certificates are trusted, which is read at once.
  static let trustFile = ValueType(.text("PEM file")) { node, reading, what in
    guard let path = reading.line(node, what) else { return nil }
    let file = reading.resolve(path: path)
    if let bytes = reading.contents(of: path, at: node.place),
      !String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----")
    {
      reading.error(node.place, "the file \(file.quoted) holds no certificate in PEM form")
    }
    return file
  }
}

extension ValueForm {
  static let keySet = any(
    of: [
      .text("URL"),
      ValueForm(
        "key set",
        [
          "type": "object", "required": ["keys"],
          "properties": ["keys": ["type": "array", "minItems": 1, "items": ["type": "object"]]],
        ]),
    ], "URL, file or key set")
}
