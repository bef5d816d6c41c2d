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

  /// Whether ``loadChanged(of:)`` has to be called.
  var isByLoad: Bool { balance == .leastRequests }

  /// A request goes to a server that another rule has chosen.
  mutating func chosen(_ server: UpstreamServer) { if isByLoad { leastRequests.chosen(server) } }

  /// A request of the server has ended. That one begins is known from the choice.
  mutating func loadChanged(of server: UpstreamServer) { if isByLoad { leastRequests.loadChanged(of: server) } }

  /// The server for the exchange, of two or more.
  /// - Parameter passed: those that are left out where others remain.
  mutating func next(
    for exchange: Exchange, leavingOut passed: PassedOver, in rotation: borrowing Rotation
  ) -> UpstreamServer? {
    let worker = exchange.worker
    switch balance {
    case .roundRobin: return roundRobin.next(leavingOut: passed, in: rotation, &worker.randomIdentifiers)
    case .leastRequests: return leastRequests.next(leavingOut: passed, in: rotation, &worker.randomIdentifiers)
    case .randomTwo: return randomTwo.next(leavingOut: passed, in: rotation, &worker.randomIdentifiers)
    case .hash:
      let key = hash.key
      let caller = key.flatMap { exchange.callerHash($0) }
      return hash.next(for: caller, leavingOut: passed, in: rotation, &worker.randomIdentifiers)
    }
  }
}
