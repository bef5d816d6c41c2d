// `admin:`, the listener for the operator's tools.

extension Reading {
  /// A client that reaches the listener may reload the gateway.
  func warnOfOpenAdmin(_ admin: Admin, _ section: Section) {
    guard let node = section["address"], IPAddress(admin.address.host)?.isLoopback != true, !section.has("token") else {
      return
    }
    warn(
      node.position,
      "the admin address \(admin.address.description.shown) is not loopback and has no 'token': "
        + "every client that reaches it can reload the gateway. Write a token, or keep it on loopback and serve "
        + "'metrics' elsewhere"
    )
  }

  /// Each socket has one purpose.
  func checkAdmin(_ configuration: GatewayConfiguration, at position: SourcePosition) {
    guard let admin = configuration.admin else { return }
    for (what, address) in [("admin", admin.address), ("metrics", admin.metrics)] {
      guard let address else { continue }
      if configuration.listeners.contains(where: { isOverlap($0.address, address) }) {
        error(
          position,
          "the \(what) address \(address.description.shown) is also the address of a listener: "
            + "give one of them another port")
      }
    }
    if let metrics = admin.metrics, isOverlap(metrics, admin.address) {
      error(
        position,
        "the metrics address \(metrics.description.shown) is also the admin address: give one of them another port")
    }
  }

  private func isOverlap(_ a: Address, _ b: Address) -> Bool {
    guard a.port != 0, a.port == b.port, let first = IPAddress(a.host), let second = IPAddress(b.host) else {
      return false
    }
    return first == second || first.isUnspecified || second.isUnspecified
  }
}

// MARK: Values

extension ValueType where Value == Admin? {
  /// nil for `off`.
  static let admin = ValueType(.any(of: [.mapping(Admin.settings.table), .keyword("off")])) { node, reading, _ in
    if case .scalar(let scalar) = node.content, scalar.text == "off" { return .some(nil) }
    return Admin.settings.read(node, reading).map(Optional.some)
  }
}

extension ValueType where Value == Address {
  static let adminAddress = ValueType(
    .text("IP address and port"), write: { .text($0.description) },
    read: { node, reading, what in
      guard let address = reading.listenAddress(node, what) else { return nil }
      if case .unix = address {
        reading.error(node.position, "\(what) of admin is an IP address with a port: write 127.0.0.1:9901")
        return nil
      }
      return address
    })
}

extension ValueType where Value == [String] {
  static let adminHosts = ValueType.names(
    "list of names", item: "a host", isEmptyAllowed: true,
    check: { name in
      if IPAddress(name) != nil || name == "localhost" { return "\(name.quoted) is always allowed: remove it" }
      return hostNameProblem(name).map {
        "\(name.quoted) is not a valid name without a port, such as admin.example.com: \($0)"
      }
    }
  ).converted({ $0.map { $0.lowercased() } }, back: { $0 })
}

extension ValueType where Value == String {
  static let adminToken = ValueType(.text("text, 16…512 visible characters of ASCII")) { node, reading, what in
    guard let text = reading.text(node, what), let token = reading.secret(text, at: node.position) else { return nil }
    if !(16...512).contains(token.utf8.count) || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      reading.error(
        node.position,
        "\(what) requires 16 to 512 visible ASCII characters without spaces: write file:/path of such a text")
    }
    return token
  }
}
