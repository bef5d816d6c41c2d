// `listeners:`, where clients come in.

extension Reading {
  func listeners(_ node: SourceNode, hasTrustedProxies: Bool) -> [Listener] {
    var result: [Listener] = []
    for item in list(node, "'listeners'") ?? [] {
      guard let section = Section(item, .listener, self, example: "- address: 0.0.0.0:8080") else { continue }
      let value = section.required("address", "write address: 0.0.0.0:8080")
      let address = value.flatMap { listenAddress($0, "'address'") }
      var listener = Listener(address: address ?? Address(host: "", port: 0))
      if let node = section["mode"], let mode = mode(node) { listener.mode = mode }
      if let node = section["proxy_protocol"] {
        listener.hasProxyProtocol = boolean(node, "'proxy_protocol'") ?? false
      }
      if let node = section["tls"], let tls = listenerTLS(node) { listener.tls = tls }
      guard let value, let address else { continue }
      checkSocket(listener, section, hasTrustedProxies: hasTrustedProxies)
      if result.contains(where: { isOneSocket($0.address, address) }) {
        error(value.place, "two listeners have the address \(address.description.shown): remove one")
      } else {
        listener.ordinal = result.count { $0.address == address }
        result.append(listener)
      }
    }
    return result
  }

  /// `"0660"`: as chmod has it, and never a decimal number.
  private func mode(_ node: SourceNode) -> UInt16? {
    guard let text = line(node, "'mode'") else { return nil }
    guard text.utf8.count == 4, text.hasPrefix("0"), let mode = UInt16(text, radix: 8) else {
      error(
        node.place, "'mode' is the permissions of the socket as four octal digits, such as \"0660\", not \(node.kind)")
      return nil
    }
    return mode
  }

  private func checkSocket(_ listener: Listener, _ section: Section, hasTrustedProxies: Bool) {
    if case .unix = listener.address { return }
    if section.has("mode") {
      error(section.keyPlace("mode"), "'mode' is for an address that begins with 'unix:': remove it")
    }
    if listener.hasProxyProtocol, !hasTrustedProxies {
      error(
        section.keyPlace("proxy_protocol"),
        "'proxy_protocol: true' believes no one as long as 'trusted_proxies' is empty: name the balancers there")
    }
  }

  private func isOneSocket(_ a: Address, _ b: Address) -> Bool {
    switch (a, b) {
    case (.unix, .unix): a == b
    case (.network, .network): a.port != 0 && a.port == b.port && IPAddress(a.host) == IPAddress(b.host)
    default: false
    }
  }
}

extension Listener {
  /// Whether a request on it may come with a verified client certificate.
  var verifiesClients: Bool { tls.map { $0.clientCertificates != .none } ?? false }

  var requiresCertificate: Bool {
    if case .required = tls?.clientCertificates { true } else { false }
  }
}
