// How the next server is chosen among those in rotation: `balance` of an upstream. Each policy has its state in a file
// of its own in Policies.

import Configuration

/// The policies of one upstream in one worker, of which one is in use. A choice changes it in place, without a copy.
struct ServerPolicy {
  private var balance = Balance.roundRobin
  private var roundRobin = RoundRobin()
  private var leastRequests = LeastRequests()
  private var randomTwo = RandomTwo()
  private var hash = ConsistentHash()

  /// Takes over what a reload brought: the same policy goes on where it was. ``rotationChanged(_:)`` follows.
  /// - Parameter servers: all of the upstream's.
  mutating func configure(_ upstream: Upstream, _ servers: [UpstreamServer]) {
    if balance != upstream.balance { self = ServerPolicy() }
    balance = upstream.balance
    hash.configure(upstream.hashKey, balance == .hash ? servers : [])
  }

  /// Called whenever servers came or went, or their shares changed.
  mutating func rotationChanged(_ rotation: borrowing Rotation) {
    switch balance {
    case .roundRobin: roundRobin.rotationChanged(rotation)
    case .leastRequests: leastRequests.rotationChanged(rotation)
    case .randomTwo: randomTwo.rotationChanged(rotation)
    case .hash: hash.rotationChanged(rotation)
    }
  }

  /// The server for the exchange, of two or more. Those that it has tried are left out where others remain.
  mutating func next(for exchange: Exchange, in rotation: borrowing Rotation) -> UpstreamServer? {
    let tried = exchange.delivery.attempts.triedServers
    let worker = exchange.worker
    switch balance {
    case .roundRobin: return roundRobin.next(leavingOut: tried, in: rotation, &worker.randomIdentifiers)
    case .leastRequests: return leastRequests.next(leavingOut: tried, in: rotation, &worker.randomIdentifiers)
    case .randomTwo: return randomTwo.next(leavingOut: tried, in: rotation, &worker.randomIdentifiers)
    case .hash:
      let key = hash.key
      let caller = key.flatMap { exchange.callerHash($0) }
      return hash.next(for: caller, leavingOut: tried, in: rotation, &worker.randomIdentifiers)
    }
  }
}

/// Whether the server failed this request already. Almost always there is none that did.
func isOne(_ server: UpstreamServer, of tried: [UpstreamServer]) -> Bool {
  !tried.isEmpty && tried.contains { $0 === server }
}
