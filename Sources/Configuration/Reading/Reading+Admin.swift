// `admin:`, the listener for the operator's tools.

extension Reading {
  /// nil for `admin: off`.
  func admin(_ node: SourceNode) -> Admin? {
    if case .scalar(let scalar) = node.content, scalar.text == "off" { return nil }
    var result = Admin()
    guard let section = Section(node, .admin, self, example: "admin: { address: 127.0.0.1:9901 }, or admin: off") else {
      return result
    }
    if let value = section["address"] {
      guard let address = adminAddress(value, "'address'") else { return nil }
      result.address = address
    }
    if let value = section["metrics"] { result.metrics = adminAddress(value, "'metrics'") }
    if let value = section["hosts"] {
      result.hosts =
        names(value, "'hosts'", item: "a host", isEmptyAllowed: true, check: adminHostProblem)?.map { $0.lowercased() }
        ?? []
    }
    if let value = section["token"], let text = text(value, "'token'"), let token = secret(text, at: value.place) {
      result.token = token
      if !(16...512).contains(token.utf8.count) || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
        error(
          value.place,
          "'token' is 16 to 512 visible characters of ASCII without spaces: write file:/path of such a text")
      }
    }
    if let value = section["address"], IPAddress(result.address.host)?.isLoopback != true, !section.has("token") {
      warn(
        value.place,
        "the admin address \(result.address.description.shown) is not loopback, and there is no 'token': whoever reaches it can reload the "
          + "gateway; write a token, or give 'metrics' an address of its own and keep this one on loopback")
    }
    return result
  }

  private func adminAddress(_ node: SourceNode, _ what: String) -> Address? {
    guard let address = listenAddress(node, what) else { return nil }
    if case .unix = address {
      error(node.place, "\(what) of admin is an IP address with a port: write 127.0.0.1:9901")
      return nil
    }
    return address
  }

  private func adminHostProblem(_ name: String) -> String? {
    if IPAddress(name) != nil || name == "localhost" { return "\(name.quoted) is let in anyway: remove it" }
    return hostNameProblem(name).map { "\(name.quoted) is no name without a port, such as admin.example.com: \($0)" }
  }

  /// Each socket has one purpose.
  func checkAdmin(_ configuration: GatewayConfiguration, at place: Place) {
    guard let admin = configuration.admin else { return }
    for (what, address) in [("admin", admin.address), ("metrics", admin.metrics)] {
      guard let address else { continue }
      if configuration.listeners.contains(where: { isOverlap($0.address, address) }) {
        error(
          place,
          "the \(what) address \(address.description.shown) is a public listener's too: give one of them another port")
      }
    }
    if let metrics = admin.metrics, isOverlap(metrics, admin.address) {
      error(
        place,
        "the metrics address \(metrics.description.shown) is the admin listener's too: give one of them another port")
    }
  }

  private func isOverlap(_ a: Address, _ b: Address) -> Bool {
    guard a.port != 0, a.port == b.port, let first = IPAddress(a.host), let second = IPAddress(b.host) else {
      return false
    }
    return first == second || first.isUnspecified || second.isUnspecified
  }
}
