// `tls:` of listeners and of upstreams. The files are named here and read elsewhere.

extension Reading {
  // MARK: Listeners

  /// What follows from several keys of a listener's TLS.
  func finish(_ tls: inout ListenerTLS, _ section: Section) {
    tls.clientCertificates = clientCertificates(section)
    tls.clientRevocations = clientRevocations(section)
  }

  fileprivate func certificates(_ node: SourceNode, _ what: String) -> [CertificateFiles]? {
    guard let items = list(node, what) else { return nil }
    var result: [CertificateFiles] = []
    for item in items {
      guard let section = Section(item, CertificateFiles.settings.table, self) else { continue }
      let certificate = section.required("certificate").flatMap { placedPath($0, "'certificate'") }
      let key = section.required("key").flatMap { placedPath($0, "'key'") }
      let ocsp = section["ocsp"].flatMap { placedPath($0, "'ocsp'") }
      guard let certificate, let key else { continue }
      if result.contains(where: { $0.certificate == certificate.path }) {
        error(certificate.place, "the certificate \(certificate.path.quoted) stands twice: remove one")
        continue
      }
      note(.server(certificate: certificate, key: key, ocsp: ocsp))
      result.append(CertificateFiles(certificate: certificate.path, key: key.path, ocsp: ocsp?.path))
    }
    return result
  }

  private func clientCertificates(_ section: Section) -> ClientCertificates {
    let authority = section["client_ca"].flatMap { placedPath($0, "'client_ca'") }
    var word = "none"
    if let node = section["client_certificates"] {
      guard let known = choice(node, "'client_certificates'", among: ["none", "optional", "required"]) else {
        return .none
      }
      word = known
    }
    if word == "none" {
      if section.has("client_ca") {
        error(
          section.keyPlace("client_ca"),
          "'client_ca' is for client certificates, which are not asked for: "
            + "write client_certificates: optional or required, or remove it")
      }
      return .none
    }
    guard let authority else {
      if !section.has("client_ca") {
        error(
          section.keyPlace("client_certificates"),
          "'client_certificates: \(word)' has no 'client_ca': write client_ca: clients.crt, whom they must come from")
      }
      return .none
    }
    note(.clientAuthority(authority))
    return word == "optional" ? .optional(authority: authority.path) : .required(authority: authority.path)
  }

  private func clientRevocations(_ section: Section) -> String? {
    guard let node = section["client_crl"], let file = placedPath(node, "'client_crl'") else { return nil }
    guard section.has("client_ca") else {
      error(
        section.keyPlace("client_crl"),
        "'client_crl' is for client certificates, and there is no 'client_ca': write client_ca: clients.crt, or "
          + "remove it"
      )
      return nil
    }
    note(.clientRevocations(file))
    return file.path
  }

  // MARK: Upstreams

  func upstreamTLS(_ node: SourceNode, servers: [Upstream.Server]) -> UpstreamTLS? {
    guard let section = Section(node, UpstreamTLS.settings.table, self) else { return nil }
    var result = UpstreamTLS()
    UpstreamTLS.settings.take(section, into: &result)
    result.certificate = clientCertificate(section)
    if !result.isVerified {
      warn(
        section.keyPlace("verify"),
        "'verify: false' takes whoever answers for the upstream: write 'ca' with its authority instead")
      if section.has("ca") {
        error(section.keyPlace("ca"), "'ca' is for verifying, and 'verify: false' says not to: remove one")
      }
    } else if !section.has("server_name"), servers.contains(where: isUnixSocket) {
      error(
        section.place,
        "a 'unix:' server has no name that its certificate could be for: write server_name: orders.internal")
    }
    return result
  }

  private func isUnixSocket(_ server: Upstream.Server) -> Bool {
    if case .unix = server.address { true } else { false }
  }

  private func clientCertificate(_ section: Section) -> CertificateFiles? {
    let certificate = section["certificate"].flatMap { placedPath($0, "'certificate'") }
    let key = section["key"].flatMap { placedPath($0, "'key'") }
    for (one, other) in [("certificate", "key"), ("key", "certificate")] where section.has(one) && !section.has(other) {
      error(section.keyPlace(one), "'\(one)' without '\(other)': write both, or none")
    }
    guard let certificate, let key else { return nil }
    note(.client(certificate: certificate, key: key))
    return CertificateFiles(certificate: certificate.path, key: key.path)
  }
}

extension ValueType where Value == String {
  /// A file with certificates or keys, noted for those who look into it.
  static func file(
    _ words: String, _ reference: @escaping @Sendable (PlacedPath) -> CertificateReference
  ) -> ValueType {
    ValueType(.text(words)) { node, reading, what in
      guard let file = reading.placedPath(node, what) else { return nil }
      reading.note(reference(file))
      return file.path
    }
  }

  static let serverName = ValueType(.text("host name")) { node, reading, what in
    guard let name = reading.line(node, what)?.lowercased() else { return nil }
    if IPAddress(name) != nil {
      reading.error(
        node.place,
        "\(what) is a host name, not \(name.quoted): leave it out, and the server's own address is verified")
      return nil
    }
    if let problem = hostNameProblem(name) {
      reading.error(node.place, "\(what) is no host name in \(name.quoted): \(problem)")
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
          node.place, "TLS \(scalar.text.shown) is no longer safe (RFC 8996): write \"1.2\" or \"1.3\"")
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
        known.contains(name) ? nil : "\(what) has no protocol \(name.quoted): write \(alternatives(known))"
      }
      return names?.compactMap(ApplicationProtocol.init(rawValue:))
    })
}

extension ValueType where Value == [CertificateFiles] {
  static let certificates = ValueType(
    .list(of: .mapping(CertificateFiles.settings.table), "list", isUnique: false)
  ) { node, reading, what in reading.certificates(node, what) }
}
