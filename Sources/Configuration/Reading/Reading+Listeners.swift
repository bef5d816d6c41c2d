// `listeners:`, where clients come in.

extension Reading {
  fileprivate func listeners(_ node: SourceNode, _ what: String) -> [Listener]? {
    let settings = Listener.settings
    let errorsBefore = errorCount
    var result: [Listener] = []
    for item in list(node, what) ?? [] {
      guard let section = Section(item, settings.table, self) else { continue }
      var listener = settings.blank
      let isWhole = settings.take(section, into: &listener).isWhole
      note(listener, at: result.count, section)
      guard isWhole, let position = section["address"]?.position else { continue }
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
    resolveRedirects(&result, listeners: node)
    // A listener that was refused may be the one that asks.
    names.hasClientCertificates = result.contains(where: \.verifiesClients) || errorCount > errorsBefore
    if result.contains(where: \.requiresCertificate) {
      names.listenerWithoutClientCertificates = result.first { !$0.verifiesClients }?.address.description
    }
    return result
  }

  /// Also for one that is refused, so that no route lacks it.
  private func note(_ listener: Listener, at index: Int, _ section: Section) {
    if listener.tls?.strictTransport != nil { names.hasStrictTransport = true }
    guard let name = listener.name, let node = section["name"] else { return }
    if names.listeners.contains(where: { $0.name == name }) {
      error(node.position, "two listeners are named \(name.quoted): rename one")
    } else if index >= Listener.namedMax {
      error(node.position, "only the first \(Listener.namedMax) listeners can have a name: move this one up")
    } else {
      names.listeners.append((name, index))
    }
  }

  /// Redirects lead to the only port with TLS, and to no listener that answers with a redirect itself.
  private func resolveRedirects(_ listeners: inout [Listener], listeners node: SourceNode) {
    let securePorts = Set(listeners.filter { $0.tls != nil }.map(\.port)).filter { $0 > 0 }
    let port = securePorts.count == 1 ? securePorts.first : nil
    for index in listeners.indices where listeners[index].redirect != nil {
      let target = listeners[index].redirect?.port ?? port ?? HTTPSRedirect.portDefault
      listeners[index].redirect?.port = target
      if let other = listeners.first(where: { $0.port == target && ($0.tls == nil || $0.redirect != nil) }) {
        error(
          redirectPosition(of: listeners[index], in: node),
          "the redirect of \(listeners[index].address.description.shown) leads to "
            + "\(other.address.description.shown), which \(other.tls == nil ? "has no 'tls'" : "redirects as well"): "
            + "remove it, or write the port of another listener, such as https:8443")
      }
    }
  }

  private func redirectPosition(of listener: Listener, in node: SourceNode) -> SourcePosition {
    guard case .list(let items) = node.content else { return node.position }
    let entry = items.first { item in
      guard case .scalar(let scalar) = item.entry("address")?.value.content else { return false }
      return scalar.text == listener.address.description
    }
    return entry?.entry("redirect")?.value.position ?? node.position
  }

  fileprivate func listenerIndices(_ node: SourceNode, _ what: String) -> [Int]? {
    guard let found = names(node, what, item: "a listener") else { return nil }
    var result: [Int] = []
    for name in found {
      if let known = names.listeners.first(where: { $0.name == name }) {
        result.append(known.index)
        continue
      }
      let known = names.listeners.map(\.name)
      let advice =
        nearestName(to: name, among: known).map { "did you mean '\($0)'?" }
        ?? (known.isEmpty ? "give one a 'name'" : "write \(alternatives(Array(known.prefix(10))))")
      error(node.position, "no listener is named \(name.quoted): \(advice)")
    }
    return result.isEmpty ? nil : result
  }

  /// What the field promises depends on both other keys.
  func finish(_ strict: inout StrictTransport, _ section: Section) {
    guard strict.isPreloaded, section.refused.isEmpty else { return }
    if !strict.includesSubdomains || strict.maxAge < 31_536_000 {
      error(
        section.keyPosition("preload"),
        "'preload: true' requires include_subdomains: true and a max_age of 365d or more: write both, or remove it")
    }
  }

  fileprivate func strictTransport(_ node: SourceNode, _ what: String) -> StrictTransport? {
    if case .mapping = node.content {
      return ValueType<StrictTransport>.mapping(StrictTransport.settings).read(node, self, what)
    }
    return ValueType<Int64>.strictMaxAge.read(node, self, what).map { StrictTransport(maxAge: $0) }
  }

  fileprivate func httpsRedirect(_ node: SourceNode, _ what: String) -> HTTPSRedirect? {
    guard let text = line(node, what) else { return nil }
    if text == "https" { return HTTPSRedirect() }
    if text.hasPrefix("https:"), let port = decimal(String(text.dropFirst(6))), (1...65535).contains(port) {
      return HTTPSRedirect(port: port)
    }
    error(node.position, "\(what) must be https or https:PORT, such as https:8443, not \(text.quoted)")
    return nil
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
  // LIMIT: a route knows its listeners by a bit each.
  static let namedMax = 64

  /// 0 for a Unix socket, and where the system chooses.
  fileprivate var port: Int {
    if case .network(_, let port) = address { Int(port) } else { 0 }
  }

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

extension ValueType where Value == [Int] {
  /// Indices into the listeners.
  static let listenerNames = ValueType(.list(of: .text("name"), "list of names")) { node, reading, what in
    reading.listenerIndices(node, what)
  }
}

extension ValueType where Value == String {
  static let listenerName = ValueType(.text("text")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    if name.utf8.count <= 128 { return name }
    reading.error(node.position, "a listener's name has at most 128 bytes")
    return nil
  }
}

extension ValueType where Value == HTTPSRedirect {
  static let httpsRedirect = ValueType(
    ValueForm("`https` or `https:PORT`", ["type": "string", "pattern": "^(https(:[0-9]+)?|.*\\$\\{.*)$"])
  ) { node, reading, what in reading.httpsRedirect(node, what) }
}

extension ValueType where Value == Int64 {
  fileprivate static let strictMaxAge = ValueType.seconds(from: .zero, to: .days(3650))
}

extension ValueType where Value == StrictTransport {
  static let strictTransport = ValueType(
    .any(of: [ValueType<Int64>.strictMaxAge.form, .mapping(StrictTransport.settings.table)], "duration or a mapping")
  ) { node, reading, what in reading.strictTransport(node, what) }
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
