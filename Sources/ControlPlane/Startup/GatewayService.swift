// The process's life: run until SIGTERM or SIGINT, reload on SIGHUP, open logs again on SIGUSR1, hand over to a new
// process on SIGUSR2.

package import UnixSignals

/// Runs a gateway until it is told to end.
package struct GatewayService: Sendable {
  private let gateway: RunningGateway
  private let signals: UnixSignalsSequence
  /// Whether the configuration is read again when it changes.
  private let isWatching: Bool

  package init(_ gateway: RunningGateway, signals: UnixSignalsSequence, isWatching: Bool = false) {
    self.gateway = gateway
    self.signals = signals
    self.isWatching = isWatching
  }

  /// To be called before anything else: a signal that nobody waits for ends the process. Those that come while it
  /// starts are kept.
  package static func trapSignals() async -> UnixSignalsSequence {
    await UnixSignalsSequence(trapping: .sighup, .sigusr1, .sigusr2, .sigterm, .sigint)
  }

  /// Returns when the last request has its answer.
  package func run() async {
    await gateway.announceReady()
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    await withDiscardingTaskGroup { group in
      group.addTask { await gateway.run() }
      group.addTask { await gateway.watchFiles() }
      group.addTask { await gateway.findIntrospectionEndpoints() }
      group.addTask { await gateway.reportLife() }
      group.addTask { await gateway.recordRequests() }
      if isWatching { group.addTask { await gateway.followSources() } }
      group.addTask { await obey(end) }
      // Keys are still looked after while the last requests run.
      for await _ in ended { break }
      group.cancelAll()
    }
  }

  /// What a signal asks for may take long: the next one is obeyed meanwhile.
  private func obey(_ end: AsyncStream<Void>.Continuation) async {
    var isEnding = false
    await withDiscardingTaskGroup { group in
      for await signal in signals {
        switch signal {
        case .sighup: group.addTask { _ = await gateway.reload() }
        case .sigusr1: group.addTask { await gateway.reopenLogs() }
        case .sigusr2: group.addTask { if await gateway.upgrade() { end.yield() } }
        case _ where isEnding: group.addTask { await gateway.endNow() }
        default:
          isEnding = true
          group.addTask { if await gateway.drain() { end.yield() } }
        }
      }
    }
  }
}
