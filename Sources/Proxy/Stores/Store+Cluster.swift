// Redis Cluster: which server has a key, and what follows when that changes.

import Bytes
import Configuration
import Redis

struct ClusterView {
  var slots = SlotMap()
  /// Those that were asked for something.
  var nodes: [NodeAddress: StoreNode] = [:]
  /// The slots are to be asked for again.
  var isMapDue = true
  var mapAskedAt = Int64.min
  /// Who is asked for them.
  var askedHost = ""

  /// LIMIT: so many servers are talked to.
  static let nodeCountMax = 1024
  /// LIMIT: a command that was sent on so often fails. Servers that send it in a circle never agree.
  static let hopCountMax = 5
  // LIMIT: how often the slots are asked for.
  static let mapNanoseconds: Int64 = 1_000_000_000
}

extension Store {
  /// The server that has a key, or one that knows which has.
  func node(of key: Span<UInt8>) -> StoreNode? {
    guard let owner = cluster?.slots.node(of: KeySlot.of(key)) else { return main }
    return node(at: owner)
  }

  /// Servers that have keys. 0 for a cluster of which nothing is known yet.
  var serverCount: Int { cluster?.slots.nodes.count ?? 1 }

  /// Asks one of them about whichever keys it has. It cannot send that on to another.
  func ask(_ command: Span<UInt8>, ofServer index: Int, for asker: any StoreAsker) -> StoreTicket? {
    let pending = pending(asker)
    let addresses = cluster?.slots.nodes ?? []
    let node = cluster == nil ? main : addresses.indices.contains(index) ? node(at: addresses[index]) : nil
    if node?.send(command, pending) == true { return pending.ticket }
    count(pending, .unavailable)
    return nil
  }

  private func node(at address: NodeAddress) -> StoreNode? {
    if let known = cluster?.nodes[address] { return known }
    if isMain(address) { return main }
    guard let count = cluster?.nodes.count, count < ClusterView.nodeCountMax else { return nil }
    let node = StoreNode(self, worker: worker, servers: servers(at: address))
    cluster?.nodes[address] = node
    return node
  }

  /// Whether the server that is known from the file is meant, by its address or by a name of it.
  func isMain(_ address: NodeAddress) -> Bool {
    guard let server = main.server, server.address.port == address.port else { return false }
    return server.host == address.host || configuration.names[address.host]?.contains(server.address.host) == true
  }

  /// A server has sent a command on.
  /// - Parameter isAsked: for this once. The slot is about to move.
  func redirect(_ pending: PendingCommand, _ redirection: Redirection, from node: StoreNode, isAsked: Bool) {
    guard cluster != nil, !pending.command.isEmpty, pending.hopCount < ClusterView.hopCountMax else {
      return fail(pending, .refused)
    }
    let host = node.server?.address.host ?? ""
    var target = redirection.node
    if target.host.isEmpty { target.host = host }
    if !isAsked {
      cluster?.slots.take(redirection, asked: host)
      cluster?.isMapDue = true
    }
    var next = pending
    next.hopCount += 1
    if isAsked, next.isTracked {
      // Redis takes no second order for the next command beside ASKING, so what changes there is not reported.
      next.isTracked = false
      (next.asker as? SessionLook)?.isDoubted = true
    }
    guard let other = self.node(at: target), other.send(next.command.span, next, isAsked: isAsked) else {
      return fail(next, .unavailable)
    }
  }

  // MARK: The map of slots

  func tickCluster() {
    guard let view = cluster else { return }
    for node in view.nodes.values { node.tick() }
    if view.isMapDue || main.isDown || view.nodes.values.contains(where: \.isDown) { askForMap() }
  }

  func askForMap() {
    guard let view = cluster, worker.time.nanoseconds &- ClusterView.mapNanoseconds >= view.mapAskedAt,
      let node = ([main] + view.nodes.values).first(where: \.isReady)
    else { return }
    cluster?.mapAskedAt = worker.time.nanoseconds
    cluster?.askedHost = node.server?.address.host ?? ""
    var command = ByteQueue()
    command.beginCommand(partCount: 2)
    command.append(part: "CLUSTER")
    command.append(part: "SLOTS")
    _ = node.send(command.span, pending(self, isCounted: false))
  }

  private func take(_ slots: SlotMap) {
    cluster?.slots = slots
    cluster?.isMapDue = false
    let known = Set(slots.nodes)
    for (address, node) in cluster?.nodes ?? [:] where !known.contains(address) {
      cluster?.nodes[address] = nil
      node.retire()
    }
  }

  func retireCluster() {
    let nodes = cluster?.nodes ?? [:]
    cluster?.nodes = [:]
    for node in nodes.values { node.retire() }
  }
}

/// Of its own question for the slots.
extension Store: StoreAsker {
  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    guard let view = cluster else { return }
    if let slots = SlotMap(reply, asked: view.askedHost) { take(slots) }
  }

  // It is asked again at the next tick.
  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) { cluster?.isMapDue = true }
}
