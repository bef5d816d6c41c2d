// `issuers:`, whose tokens are taken, and where their keys come from (T25, T60).

import Tokens

extension Reading {
  fileprivate func issuers(_ node: SourceNode, _ what: String) -> [Issuer]? {
    guard let entries = entries(node, what, example: "login: { issuer: …, audiences: […] }") else { return nil }
    names.issuers = NameList(entries.map(\.key))
    let result = entries.compactMap { issuer($0) }
    names.issuerURLs = Dictionary(
      result.compactMap { issuer in
        names.issuers.index(of: issuer.name).map { ($0, issuer.policy.issuers.filter { $0.contains("://") }) }
      }
    ) { first, _ in first }
    let holders = Dictionary(result.flatMap(\.policy.issuers).map { ($0, 1) }, uniquingKeysWith: +)
    names.askedIssuers = Set(result.indices.filter { result[$0].introspection != nil })
    names.sharedIssuerValues = Dictionary(
      result.map { ($0.name, $0.policy.issuers.filter { holders[$0] != 1 }) }
    ) { first, _ in first }
    return result
  }

  private func issuer(_ entry: SourceNode.Entry) -> Issuer? {
    checkName(entry, "an issuer")
    if entry.key == "public" {
      error(
        entry.keyPosition, "an issuer cannot be named 'public', which opens a route to everyone: write another name")
    }
    guard
      let section = Section(
        entry.value, Issuer.settings.table, self, example: "\(entry.key): { issuer: https://…, audiences: […] }")
    else { return nil }
    var result = Issuer.settings.blank
    result.name = entry.key
    return Issuer.settings.take(section, into: &result).isWhole ? result : nil
  }

  /// What follows from several keys of an issuer.
  func finish(_ issuer: inout Issuer, _ section: Section) {
    warnOfOpenings(issuer, section)
    if let node = section["issuer"], let url = SuspiciousValues.issuer(ofDiscovery: issuer.policy.issuer) {
      error(
        node.position,
        "an issuer is what its tokens' 'iss' says, not its discovery document: write issuer: \(url.shown)")
    } else if let node = section["issuer"], let known = KnownIssuers.correction(of: issuer.policy.issuer) {
      let words = known.issuer.hasSuffix("/") ? "with" : "without"
      warn(
        node.position,
        "issuers of \(known.provider) are written \(words) a final '/', and 'iss' must be the same to the byte: "
          + "write issuer: \(known.issuer.shown)")
    }
    finishTenants(&issuer, section)
    if let node = section["jwks"] {
      checkKeys(of: issuer, node, section)
    } else if !section.has("jwks"), !section.refused.contains("discovery"), !standsForMany(issuer.policy) {
      discover(&issuer, section)
    }
    checkToken(of: issuer, section)
    checkIntrospection(&issuer, section)
    checkRevocation(of: issuer, section)
  }

  /// What is allowed, and rarely meant.
  private func warnOfOpenings(_ issuer: Issuer, _ section: Section) {
    if let node = section["audiences"], case .list(let items) = node.content, items.isEmpty {
      warn(
        node.position,
        "with 'audiences: []' a token for another service passes here: write [name-of-this-api]")
    }
    if let node = section["required_claims"], !issuer.policy.requiredClaims.contains("exp") {
      warn(node.position, "a token without 'exp' never expires: add exp here unless that is intended")
    }
    if issuer.mode == .shadow {
      warn(
        section.keyPosition("mode"),
        "every token that names this issuer passes, because an issuer in shadow refuses nobody: write mode: enforce "
          + "when what it logs is right")
    }
    if issuer.stale < issuer.refresh, section.has("stale") || section.has("refresh") {
      warn(
        section.keyPosition(section.has("stale") ? "stale" : "refresh"),
        "'stale' is shorter than 'refresh': one failed fetch removes the issuer's keys")
    }
  }

  // MARK: Keys

  /// The keys are where the issuer's URL leads.
  private func discover(_ issuer: inout Issuer, _ section: Section) {
    let policy = issuer.policy
    if section.has("discovery"), case .inline = issuer.keys {
      if section.has("introspection") {
        issuer.keys = .absent
        return
      }
      error(section.keyPosition("discovery"), "the issuer has no keys: write 'jwks', or discovery: true")
      return
    }
    guard let node = section["issuer"], !policy.issuer.isEmpty else { return }
    issuer.keys = .discovery(issuer: policy.issuer)
    refuseSharedSecrets(policy, at: node.position)
    switch WebURL.parse(policy.issuer) {
    case .failure(let problem):
      error(
        node.position,
        "without 'jwks' the keys are discovered at the issuer's URL, but \(problem.message): "
          + "write jwks: URL, file or key set"
      )
    case .success(let url):
      if url.pathAndQuery.contains("?") {
        error(node.position, "an issuer's URL has no query (OpenID Connect Discovery §2): write 'jwks' instead")
      } else {
        checkSafety(of: url, isInsecure: issuer.isInsecureAllowed, at: node.position)
      }
    }
  }

  /// What the issuer's other keys require of the key set.
  private func checkKeys(of issuer: Issuer, _ node: SourceNode, _ section: Section) {
    if section.refused.contains("jwks") { return }
    switch issuer.keys {
    case .absent: break
    case .discovery:
      error(
        section.keyPosition("discovery"), "'discovery: true' and 'jwks' both say where the keys are: remove one")
    case .inline(let json): checkKeySet(json, "the key set", policy: issuer.policy, at: node.position)
    case .file(let path):
      guard let bytes = contents(ofResolved: path, at: node.position) else { return }
      checkKeySet(bytes, "the key set in \(path.quoted)", policy: issuer.policy, at: node.position)
    case .url(let text):
      refuseSharedSecrets(issuer.policy, at: node.position)
      if SuspiciousValues.issuer(ofDiscovery: text) != nil {
        error(node.position, "this is a discovery document, not a key set: remove 'jwks', or write discovery: true")
      }
      switch WebURL.parse(text) {
      case .failure(let problem): error(node.position, "'jwks': \(problem.message)")
      case .success(let url): checkSafety(of: url, isInsecure: issuer.isInsecureAllowed, at: node.position)
      }
    }
  }

  fileprivate func keySource(_ node: SourceNode, _ what: String) -> KeySource? {
    switch node.content {
    case .list:
      error(node.position, "\(what) must be a URL, a file, or a key set: write jwks: { keys: […] }")
      return nil
    case .mapping(let entries):
      guard entries.contains(where: { $0.key == "keys" }) else {
        error(node.position, "the key set has no 'keys' (RFC 7517 §5): write jwks: { keys: […] }")
        return nil
      }
      var json = JSONText()
      return json.append(node, reading: self) ? .inline(json.bytes) : nil
    case .scalar:
      guard let text = text(node, what) else { return nil }
      let body = text.drop { $0.isWhitespace }
      if body.hasPrefix("{") { return .inline(Array(body.utf8)) }
      guard let location = line(node, what) else { return nil }
      if location.contains("://") { return .url(location) }
      let path = location.hasPrefix("file:") ? String(location.dropFirst("file:".count)) : location
      return .file(resolve(path: path, at: node.position))
    }
  }

  /// Keys that are here already must be usable now, not when the first token comes (T60). Never shows a key.
  private func checkKeySet(_ json: [UInt8], _ title: String, policy: IssuerPolicy, at position: SourcePosition) {
    do {
      let set = try KeySet.parse(json.span, algorithms: policy.algorithms)
      for key in set.dropped {
        warn(
          position,
          "\(title) has a key \(key.keyID.map { $0.quoted + " " } ?? "")that is ignored: it \(key.reason.rawValue)")
      }
      let unused = policy.algorithms.filter { algorithm in
        algorithm.isSymmetric && !set.keys.contains { $0.mayVerify(algorithm) }
      }
      if let first = unused.map(\.rawValue).sorted().first {
        error(
          position,
          "\(first) is listed, but \(title) has no shared secret ('oct') for it: remove the algorithm, or add the key")
      }
    } catch {
      self.error(position, "\(title) \(Self.explanation(of: error, policy))")
    }
  }

  private static func explanation(of error: KeySetError, _ policy: IssuerPolicy) -> String {
    switch error {
    case .tooLarge: "is larger than 1 MiB"
    case .tooManyKeys: "has more than \(KeySet.keyCountMax) keys"
    case .notJSON: "is not JSON, or has a member twice"
    case .notKeySet: "has no list 'keys' (RFC 7517 §5)"
    case .noUsableKey(let dropped):
      if let first = dropped.first {
        "has no usable key: \(first.keyID.map { $0.quoted } ?? "the first") \(first.reason.rawValue)"
          + (first.reason == .tooWeak ? remedy(policy) : "")
      } else {
        "has no key"
      }
    }
  }

  private static func remedy(_ policy: IssuerPolicy) -> String {
    guard policy.algorithms.allSatisfy(\.isSymmetric), let name = policy.algorithms.map(\.rawValue).min(),
      let bits = Int(name.suffix(3))
    else { return "" }
    return ". \(name) requires \(bits / 8) bytes: make them with 'catraca token key --algorithm \(name)'"
  }

  /// T25: over plain http anybody in between could put keys of their own into a response.
  private func checkSafety(of url: WebURL, isInsecure: Bool, at position: SourcePosition) {
    if url.isSecure || url.isLoopback || isInsecure { return }
    error(
      position,
      "keys over plain http from \(url.host.quoted) could be forged: write https://, "
        + "or insecure: true if the network is trusted"
    )
  }

  /// A secret that signs does not belong at an address where anyone may fetch it (T02, T03).
  private func refuseSharedSecrets(_ policy: IssuerPolicy, at position: SourcePosition) {
    let symmetric = policy.algorithms.filter(\.isSymmetric).map(\.rawValue).sorted()
    guard let first = symmetric.first else { return }
    error(
      position,
      "\(first) requires a shared secret, which must not be served at a URL: "
        + "write the key set inline or as a file")
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
      return "\(name.quoted) is not a known algorithm: did you mean '\(near)'?"
    }
    return "\(name.quoted) is not a known algorithm: write one of \(known.joined(separator: ", "))"
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
    let file = reading.resolve(path: path, at: node.position)
    if let bytes = reading.contents(of: path, at: node.position),
      !String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----")
    {
      reading.error(node.position, "the file \(file.quoted) contains no certificate in PEM form")
    }
    return file
  }
}

extension ValueType where Value == Bool {
  static let discovery = ValueType(.boolean) { node, reading, what in
    if let text = node.text, text.contains("://") {
      reading.error(
        node.position,
        "\(what) must be true or false: write true, and \((SuspiciousValues.issuer(ofDiscovery: text) ?? text).quoted) "
          + "as 'issuer'")
      return nil
    }
    return reading.boolean(node, what)
  }
}

extension ValueType where Value == KeySource {
  static let keySource = ValueType(
    .any(
      of: [
        .text("URL"),
        ValueForm(
          "key set",
          [
            "type": "object", "required": ["keys"],
            "properties": ["keys": ["type": "array", "minItems": 1, "items": ["type": "object"]]],
          ]),
      ], "URL, file or key set")
  ) { node, reading, what in reading.keySource(node, what) }
}

extension ValueType where Value == [Issuer] {
  static let issuers = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern), "not": ["const": "public"]],
      .mapping(Issuer.settings.table))
  ) { node, reading, what in reading.issuers(node, what) }
}
