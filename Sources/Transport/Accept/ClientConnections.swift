// How many connections each client has, over all workers. A lock, taken twice in a connection's life and never in the
// request path: some 50 ns against the many microseconds that accepting costs.

import Configuration
import Proxy
import Synchronization

/// One a process. LIMIT: it holds no more clients than there are connections, which `limits.connections` bounds.
final class ClientConnections: Sendable {
  // The dictionary's hashes have a random seed: nobody can choose addresses that collide.
  private let counts = Mutex<[PeerAddress: Int]>([:])

  /// Counts one more, unless the client has as many as it may.
  func enter(_ client: PeerAddress, max: Int) -> Bool {
    counts.withLock { counts in
      let count = counts[client] ?? 0
      if count >= max { return false }
      counts[client] = count + 1
      return true
    }
  }

  func leave(_ client: PeerAddress) {
    counts.withLock { counts in
      guard let count = counts[client] else { return }
      counts[client] = count > 1 ? count - 1 : nil
    }
  }
}

/// A client's right to one connection: counted for as long as somebody holds it.
final class Admission: Sendable {
  private let client: PeerAddress
  private let connections: ClientConnections?

  /// For whom nobody counts.
  static let uncounted = Admission(PeerAddress(high: 0, low: 0), nil)

  init(_ client: PeerAddress, _ connections: ClientConnections?) {
    self.client = client
    self.connections = connections
  }

  deinit { connections?.leave(client) }
}

extension WorkerLoop {
  /// Nil when the client may have no more. Trusted proxies and peers on Unix sockets are many clients in one, and so
  /// are never counted.
  func admit(_ client: PeerAddress) -> Admission? {
    let snapshot = worker.snapshot
    // LIMIT: `limits.connections_per_client`: past it a connection is closed at once, before a handshake.
    let max = snapshot.configuration.limits.connectionsPerClient
    if max == 0 || snapshot.isTrusted(client) { return .uncounted }
    let network = client.network(prefix: snapshot.ipv6PrefixLength)
    if clientConnections.enter(network, max: max) { return Admission(network, clientConnections) }
    worker.counters.countError(.connectionsPerClient)
    return nil
  }
}
