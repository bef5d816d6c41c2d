// `listeners:`, where clients come in.

extension Reading {
  fileprivate func listeners(_ node: SourceNode, _ what: String) -> [Listener]? {
    let settings = Listener.settings
    let errorsBefore = errorCount
    var result: [Listener] = []
    for item in list(node, what) ?? [] {
      guard let section = Section(item, settings.table, self) else { continue }
      var listener = settings.blank
      guard settings.take(section, into: &listener).isWhole, let position = section["address"]?.position else {
        continue
      }
      if case .unix = listener.address, listener.mode == nil { listener.mode = Listener.modeDefault }
      checkSocket(listener, section)
      if listener.address.isUsuallyTLS, !section.has("tls"), case .network(_, let port) = listener.address {
        warn(
          position,
          "clients expect TLS on port \("\(port)".shown): "
            + "write tls: { certificates: [{ certificate: api.crt, key: api.key }] }")
      }
      if result.contains(where: { isOneSocket($0.address, listener.address) }) {
        error(position, "two listeners have the address \(listener.address.description.shown): remove one")
      } else {
        listener.ordinal = result.count { $0.address == listener.address }
        result.append(listener)
      }
    }
    names.hasTLS = result.contains { $0.tls != nil }
    // A listener that was refused may be the one that asks.
    names.hasClientCertificates = result.contains(where: \.verifiesClients) || errorCount > errorsBefore
    if result.contains(where: \.requiresCertificate) {
      names.listenerWithoutClientCertificates = result.first { !$0.verifiesClients }?.address.description
    }
    return result
  }

  private func checkSocket(_ listener: Listener, _ section: Section) {
    if case .unix = listener.address { return }
    if section.has("mode") {
      error(section.keyPosition("mode"), "'mode' is for an address that begins with 'unix:': remove it")
    }
    if listener.hasProxyProtocol { names.proxyProtocolPositions.append(section.keyPosition("proxy_protocol")) }
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

extension ValueType where Value == [Listener] {
  static let listeners = ValueType(
    .list(of: .mapping(Listener.settings.table), "list", isUnique: false)
  ) { node, reading, what in reading.listeners(node, what) }
}

extension ValueType where Value == UInt16 {
  /// `"0660"`: as chmod has it, and never a decimal number.
  static let socketMode = ValueType(
    ValueForm("four octal digits", ["type": ["string", "integer"], "pattern": "^(0[0-7]{3}|.*\\$\\{.*)$"])
  ) { node, reading, what in
    guard let text = reading.line(node, what) else { return nil }
    guard text.utf8.count == 4, text.hasPrefix("0"), let mode = UInt16(text, radix: 8) else {
      reading.error(
        node.position,
        "\(what) must be the permissions of the socket as four octal digits, such as \"0660\", not \(node.kind)")
      return nil
    }
    return mode
  }
}
