// Which node of a cluster serves which slots, as `CLUSTER SLOTS` says it. Redirections correct it in between.

import Bytes

package struct SlotMap: Equatable, Sendable {
  /// The nodes that serve slots. One keeps its index for as long as the map lives.
  package private(set) var nodes: [NodeAddress] = []
  /// For each slot the node's index.
  private var owners = [UInt16](repeating: .max, count: KeySlot.count)

  // LIMIT: nodes that serve slots. Redis advises at most 1,000 nodes in all.
  private static let nodeCountMax = 1024

  package init() {}

  /// - Parameters:
  ///   - reply: to `CLUSTER SLOTS`.
  ///   - asked: the host that was asked, which nodes without a host of their own share.
  /// - Returns: nil where the reply is something else.
  package init?(_ reply: borrowing Reply, asked: String) {
    guard reply.kind(reply.root) == .list else { return nil }
    var range = reply.first(in: reply.root)
    while let list = range {
      guard take(reply, list, asked) else { return nil }
      range = reply.next(after: list, in: reply.root)
    }
  }

  /// One range: its first slot, its last slot, the node that serves them, and that node's replicas.
  private mutating func take(_ reply: borrowing Reply, _ list: Reply.Index, _ asked: String) -> Bool {
    guard let first = reply.first(in: list), let last = reply.next(after: first, in: list),
      let master = reply.next(after: last, in: list),
      let start = reply.integer(first), let end = reply.integer(last),
      start >= 0, end >= start, end < Int64(KeySlot.count)
    else { return false }
    // A node whose place is not known yet cannot be asked. Its slots are asked for elsewhere, and redirected.
    guard var node = NodeAddress(reply, at: master) else { return true }
    if node.host.isEmpty { node.host = asked }
    guard let index = add(node) else { return false }
    for slot in Int(start)...Int(end) { owners[slot] = index }
    return true
  }

  private mutating func add(_ node: NodeAddress) -> UInt16? {
    if let known = nodes.firstIndex(of: node) { return UInt16(truncatingIfNeeded: known) }
    if nodes.count >= Self.nodeCountMax { return nil }
    nodes.append(node)
    return UInt16(truncatingIfNeeded: nodes.count - 1)
  }

  package func node(of slot: Int) -> NodeAddress? {
    guard owners.indices.contains(slot) else { return nil }
    let owner = Int(owners[slot])
    return owner < nodes.count ? nodes[owner] : nil
  }

  /// Takes a redirection at its word.
  /// - Parameter asked: the host that sent it.
  /// - Returns: the node that has the slot now.
  @discardableResult
  package mutating func take(_ redirection: Redirection, asked: String) -> NodeAddress {
    var node = redirection.node
    if node.host.isEmpty { node.host = asked }
    if let index = add(node) { owners[redirection.slot] = index }
    return node
  }
}
