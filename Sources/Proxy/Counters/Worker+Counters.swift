// What a worker tells the control plane of its numbers.

extension Worker {
  /// The numbers as they are, to be sent to another thread. Requests under way are counted here, for each request would
  /// pay for a gauge that is read once in seconds.
  package var countersCopy: CountersSnapshot {
    var copy = counters.copy()
    for case let connection as DownstreamConnection in table.connections {
      copy.addActiveRequests(connection.requestCount, listener: connection.client.listener)
    }
    return copy
  }
}
