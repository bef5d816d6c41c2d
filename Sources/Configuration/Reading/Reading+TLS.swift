// `tls:` of listeners and of upstreams. The files are named here and read elsewhere.

extension Reading {
  // MARK: Listeners

  func listenerTLS(_ node: SourceNode) -> ListenerTLS? {
    let advice = "write certificates: [{ certificate: api.crt, key: api.key }]"
    let example = "tls: { certificates: [{ certificate: api.crt, key: api.key }] }"
    guard let section = Section(node, .listenerTLS, self, example: example) else { return nil }
    var result = ListenerTLS(certificates: [])
    if let node = section.required("certificates", advice) { result.certificates = certificates(node) }
    if let node = section["minimum_version"], let version = tlsVersion(node) { result.minimumVersion = version }
    if let node = section["alpn"] {
      let known = ApplicationProtocol.allCases.map(\.rawValue)
      let names = names(node, "'alpn'", item: "a protocol") { name in
        known.contains(name)
          ? nil : "'alpn' has no protocol \(name.quoted): write \(alternatives(known))"
      }
      if let names { result.applicationProtocols = names.compactMap(ApplicationProtocol.init(rawValue:)) }
    }
    result.clientCertificates = clientCertificates(section)
    result.clientRevocations = clientRevocations(section)
    if let node = section["ticket_keys"], let file = placedPath(node, "'ticket_keys'") {
      result.ticketKeys = file.path
      note(.ticketKeys(file))
    }
    if let node = section["handshake_timeout"],
      let value = duration(node, "'handshake_timeout'", from: "100ms", to: "10m")
    {
      result.handshakeTimeout = value
    }
    return result
  }

  private func certificates(_ node: SourceNode) -> [CertificateFiles] {
    var result: [CertificateFiles] = []
    for item in list(node, "'certificates'") ?? [] {
      guard let section = Section(item, .certificate, self, example: "{ certificate: api.crt, key: api.key }") else {
        continue
      }
      let certificateAdvice = "write certificate: api.crt, a PEM file with the chain"
      let certificate = section.required("certificate", certificateAdvice).flatMap { placedPath($0, "'certificate'") }
      let key = section.required("key", "write key: api.key, a PEM file").flatMap { placedPath($0, "'key'") }
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

  private func tlsVersion(_ node: SourceNode) -> TLSVersion? {
    if case .scalar(let scalar) = node.content, ["1.0", "1.1"].contains(scalar.text) {
      error(node.place, "TLS \(scalar.text.shown) is no longer safe (RFC 8996): write \"1.2\" or \"1.3\"")
      return nil
    }
    return choice(node, "'minimum_version'", among: TLSVersion.allCases.map(\.rawValue)).flatMap(
      TLSVersion.init(rawValue:))
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
        "'client_crl' is for client certificates, and there is no 'client_ca': write client_ca: clients.crt, or remove it"
      )
      return nil
    }
    note(.clientRevocations(file))
    return file.path
  }

  // MARK: Upstreams

  func upstreamTLS(_ node: SourceNode, servers: [Upstream.Server]) -> UpstreamTLS? {
    guard let section = Section(node, .upstreamTLS, self, example: "tls: {}, or tls: { ca: internal-ca.crt }") else {
      return nil
    }
    var result = UpstreamTLS()
    if let node = section["server_name"] { result.serverName = serverName(node) }
    if let node = section["verify"] { result.isVerified = boolean(node, "'verify'") ?? true }
    if let node = section["ca"], let file = placedPath(node, "'ca'") {
      result.certificateAuthority = file.path
      note(.upstreamAuthority(file))
    }
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

  private func serverName(_ node: SourceNode) -> String? {
    guard let name = line(node, "'server_name'")?.lowercased() else { return nil }
    if IPAddress(name) != nil {
      error(
        node.place,
        "'server_name' is a host name, not \(name.quoted): leave it out, and the server's own address is verified")
      return nil
    }
    if let problem = hostNameProblem(name) {
      error(node.place, "'server_name' is no host name in \(name.quoted): \(problem)")
      return nil
    }
    return name
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
