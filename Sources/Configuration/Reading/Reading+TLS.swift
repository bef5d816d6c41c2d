// `tls:` of listeners and of upstreams. The files are named here and read elsewhere.

extension Reading {
  // MARK: Listeners

  /// What follows from several keys of a listener's TLS.
  func finish(_ tls: inout ListenerTLS, _ section: Section) {
    checkClientCertificates(&tls.clientCertificates, section)
    checkCompatibility(tls, section)
    guard let path = tls.clientRevocations, let node = section["client_crl"] else { return }
    if section.has("client_ca") {
      note(.clientRevocations(LocatedPath(path: path, position: node.position)))
    } else {
      error(
        section.keyPosition("client_crl"),
        "'client_crl' requires 'client_ca': write client_ca: clients.crt, or "
          + "remove it")
    }
  }

  private func checkCompatibility(_ tls: ListenerTLS, _ section: Section) {
    guard tls.compatibility == .old else { return }
    if tls.minimumVersion == .tls13 {
      error(
        section.keyPosition("compatibility"),
        "'compatibility: old' is about TLS 1.2, which 'minimum_version: \"1.3\"' excludes: remove one")
    } else {
      warn(
        section.keyPosition("compatibility"),
        "'compatibility: old' accepts CBC cipher suites, which are weaker: remove it when no client depends on them")
    }
  }

  private func checkClientCertificates(_ certificates: inout ClientCertificates, _ section: Section) {
    if section.refused.contains("client_certificates") { return }
    switch certificates {
    case .none:
      if section.has("client_ca") {
        error(
          section.keyPosition("client_ca"),
          "'client_ca' requires client certificates: "
            + "write client_certificates: optional or required, or remove it")
      }
    case .optional(let authority), .required(let authority):
      if let node = section["client_ca"], !section.refused.contains("client_ca") {
        note(.clientAuthority(LocatedPath(path: authority, position: node.position)))
      } else if !section.has("client_ca") {
        error(
          section.keyPosition("client_certificates"),
          "'client_certificates: \(certificates.keyword)' requires 'client_ca': write client_ca: clients.crt")
        certificates = .none
      }
    }
  }

  fileprivate func certificates(_ node: SourceNode, _ what: String) -> [CertificateFiles]? {
    guard let items = list(node, what) else { return nil }
    let settings = CertificateFiles.settings
    var result: [CertificateFiles] = []
    for item in items {
      guard let section = Section(item, settings.table, self) else { continue }
      var files = settings.blank
      guard settings.take(section, into: &files).isWhole else { continue }
      func located(_ key: String, _ path: String) -> LocatedPath {
        LocatedPath(path: path, position: section[key]?.position ?? section.position)
      }
      let certificate = located("certificate", files.certificate)
      if result.contains(where: { $0.certificate == files.certificate }) {
        error(certificate.position, "the certificate \(files.certificate.quoted) appears twice: remove one")
        continue
      }
      note(
        .server(certificate: certificate, key: located("key", files.key), ocsp: files.ocsp.map { located("ocsp", $0) }))
      result.append(files)
    }
    return result
  }

  // MARK: Upstreams

  /// What follows from several keys of an upstream's TLS.
  func finish(_ tls: inout UpstreamTLS, _ section: Section) {
    for (one, other) in [("certificate", "key"), ("key", "certificate")] where section.has(one) && !section.has(other) {
      error(section.keyPosition(one), "'\(one)' requires '\(other)': write both, or neither")
    }
    if let files = tls.certificate, let certificate = section["certificate"], let key = section["key"],
      !section.refused.contains("key")
    {
      note(
        .client(
          certificate: LocatedPath(path: files.certificate, position: certificate.position),
          key: LocatedPath(path: files.key, position: key.position)))
    }
    if !tls.isVerified {
      warn(
        section.keyPosition("verify"),
        "with 'verify: false' any server can pose as the right one: write 'ca' with its authority instead")
      if section.has("ca") {
        error(section.keyPosition("ca"), "'ca' has no effect with 'verify: false': remove one")
      }
    }
  }

  /// A certificate is verified against a name.
  func checkServerName(_ tls: UpstreamTLS, of servers: [Upstream.Server], at node: SourceNode) {
    guard tls.isVerified, node.entry("server_name") == nil, servers.contains(where: \.isUnixSocket) else {
      return
    }
    error(
      node.position,
      "the certificate of a 'unix:' server requires a name: write server_name: name.internal")
  }
}

// MARK: Values

extension ClientCertificates {
  fileprivate static let keywords = ["none", "optional", "required"]

  /// As the file has it.
  fileprivate var keyword: String {
    switch self {
    case .none: "none"
    case .optional: "optional"
    case .required: "required"
    }
  }
}

extension ValueType where Value == ClientCertificates {
  /// Without the authority, which is a key of its own.
  static let clientCertificates = ValueType(
    .choice(ClientCertificates.keywords), write: { .text($0.keyword) },
    read: { node, reading, what in
      switch reading.choice(node, what, among: ClientCertificates.keywords) {
      case "none": ClientCertificates.none
      case "optional": .optional(authority: "")
      case "required": .required(authority: "")
      default: nil
      }
    })
}

extension ValueType where Value == String {
  /// A file with certificates or keys, noted for those who look into it.
  static func file(
    _ words: String, _ reference: @escaping @Sendable (LocatedPath) -> CertificateReference
  ) -> ValueType {
    ValueType(.text(words)) { node, reading, what in
      guard let path = ValueType.path(words).read(node, reading, what) else { return nil }
      reading.note(reference(LocatedPath(path: path, position: node.position)))
      return path
    }
  }

  static let serverName = ValueType(.text("host name")) { node, reading, what in
    guard let name = reading.line(node, what)?.lowercased() else { return nil }
    if IPAddress(name) != nil {
      reading.error(
        node.position,
        "\(what) must be a host name, not \(name.quoted): remove it to verify the server's own address")
      return nil
    }
    if let problem = hostNameProblem(name) {
      reading.error(node.position, "\(name.quoted) is not a valid host name: \(problem)")
      return nil
    }
    return name
  }
}

extension ValueType where Value == TLSVersion {
  /// A number is what YAML makes of a version without quotes.
  static let tlsVersion = ValueType(
    .orVariable(
      alternatives(TLSVersion.allCases.map { "`\($0.rawValue)`" }),
      ["enum": ["1.2", "1.3", .number("1.2"), .number("1.3")]]),
    write: { .text($0.rawValue) },
    read: { node, reading, what in
      if case .scalar(let scalar) = node.content, ["1.0", "1.1"].contains(scalar.text) {
        reading.error(
          node.position, "TLS \(scalar.text.shown) is no longer safe (RFC 8996): write \"1.2\" or \"1.3\"")
        return nil
      }
      return ValueType.choice.read(node, reading, what)
    })
}

extension ValueType where Value == [ApplicationProtocol] {
  static let alpn = ValueType(
    .list(of: .choice(ApplicationProtocol.allCases.map(\.rawValue)), "list of `h2` and `http/1.1`"),
    write: { .list($0.map(\.rawValue)) },
    read: { node, reading, what in
      let known = ApplicationProtocol.allCases.map(\.rawValue)
      let names = reading.names(node, what, item: "a protocol") { name in
        if known.contains(name) { return nil }
        return "\(name.quoted) is not a \(name == "h3" ? "supported" : "valid") protocol: write \(alternatives(known))"
      }
      return names?.compactMap(ApplicationProtocol.init(rawValue:))
    })
}

extension ValueType where Value == [CertificateFiles] {
  static let certificates = ValueType(
    .list(of: .mapping(CertificateFiles.settings.table), "list", isUnique: false)
  ) { node, reading, what in reading.certificates(node, what) }
}
