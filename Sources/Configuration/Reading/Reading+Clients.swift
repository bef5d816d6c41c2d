// `clients:` of a route: addresses and blocks that may pass, and behind a `!` those that may not.

extension Reading {
  fileprivate func clients(_ node: SourceNode, _ what: String) -> ClientList? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: each request of the route is compared with all of them.
    if items.count > ClientList.countMax {
      error(node.position, "\(what) has at most \(ClientList.countMax) addresses and blocks, not \(items.count)")
      return nil
    }
    var result = ClientList()
    var seen: Set<String> = []
    for item in items {
      guard let text = line(item, "a client") else { continue }
      guard seen.insert(text).inserted else {
        error(item.position, "\(text.quoted) appears twice: remove one")
        continue
      }
      let isDenied = text.hasPrefix("!")
      guard let range = addressRange(isDenied ? String(text.dropFirst()) : text, "a client", at: item.position) else {
        continue
      }
      if isDenied { result.denied.append(range) } else { result.allowed.append(range) }
    }
    warnOfContradictions(result, at: node.position)
    return result
  }

  /// What is listed and changes nothing.
  private func warnOfContradictions(_ list: ClientList, at position: SourcePosition) {
    if list.allowed.contains(where: { allowed in list.denied.contains { $0.contains(allowed) } }) {
      warn(
        position, "an address or block that is allowed here lies in one that is denied, so it never passes: remove it")
    }
    if !list.allowed.isEmpty,
      list.denied.contains(where: { denied in
        !list.allowed.contains { $0.contains(denied) || denied.contains($0) }
      })
    {
      warn(position, "what is denied here is not in a block that is allowed, so it does not pass anyway: remove it")
    }
  }
}

extension ClientList {
  fileprivate static let countMax = 1000
}

extension AddressRange {
  /// Whether all of the other lies in it.
  fileprivate func contains(_ other: AddressRange) -> Bool {
    prefixLength <= other.prefixLength && contains(high: other.high, low: other.low)
  }
}

extension ValueType where Value == ClientList {
  static let clients = ValueType(
    .list(of: .text("address"), "list of addresses and CIDR blocks, or of these behind `!`")
  ) { node, reading, what in reading.clients(node, what) }
}
