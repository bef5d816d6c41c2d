// Which connections can be closed when room for others is short: unused ones, the longest unused first. Looked for only
// then: an idle connection costs nothing but the moment at which it became idle.

/// Clients' connections that were idle at the last look, the longest idle last. A look goes through all connections, so
/// it serves for many that are closed.
struct IdleClients {
  private var found: [(connection: DownstreamConnection, since: Int64)] = []

  /// The one that has been idle longest, if it was idle at this moment already.
  mutating func next(in table: borrowing ConnectionTable, since moment: Int64) -> DownstreamConnection? {
    if let known = nextKnown(since: moment) { return known }
    found.removeAll()
    for case let connection as DownstreamConnection in table.connections where connection.isUnused {
      if connection.idleSince <= moment { found.append((connection, connection.idleSince)) }
    }
    found.sort { $0.since > $1.since }
    // LIMIT: of what was found a part is kept, so that none waits here for long after its end.
    found.removeFirst(max(0, found.count - max(64, found.count / 8)))
    return nextKnown(since: moment)
  }

  /// Of the last look, those that are still idle.
  private mutating func nextKnown(since moment: Int64) -> DownstreamConnection? {
    while let (connection, since) = found.popLast() {
      if since <= moment, connection.idleSince == since, !connection.isClosed, connection.isUnused { return connection }
    }
    return nil
  }
}

extension Worker {
  /// The client's connection that carries no request for the longest time, since this moment at the latest.
  package func longestIdleClient(since moment: Int64) -> DownstreamConnection? {
    idleClients.next(in: table, since: moment)
  }

  /// Announces to a client that its connection is about to be closed, where its protocol can.
  package func announceClose(of connection: DownstreamConnection) { connection.announceClose() }

  /// The kept connection to a server that was not used for the longest time.
  package func longestIdleServer() -> UpstreamConnection? {
    var longest: HTTP1UpstreamConnection?
    for pool in pools {
      guard let first = pool.longestIdle else { continue }
      if first.deadline < longest?.deadline ?? .max { longest = first }
    }
    return longest
  }
}
