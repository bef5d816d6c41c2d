// The process's life: run until SIGTERM or SIGINT, reload on SIGHUP, open logs again on SIGUSR1.

import ServiceLifecycle
package import UnixSignals

/// Runs a gateway as a service.
package struct GatewayService: Service {
  private let gateway: RunningGateway
  private let signals: UnixSignalsSequence

  package init(_ gateway: RunningGateway, signals: UnixSignalsSequence) {
    self.gateway = gateway
    self.signals = signals
  }

  /// To be called before anything else: a SIGHUP or SIGUSR1 that nobody waits for ends the process. Those that come
  /// while it starts are kept.
  package static func trapSignals() async -> UnixSignalsSequence {
    await UnixSignalsSequence(trapping: .sighup, .sigusr1)
  }

  package func run() async throws {
    // Not before: from now on a SIGTERM is a drain.
    await gateway.announceReady()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await gateway.run() }
      group.addTask { await gateway.watchCertificates() }
      group.addTask {
        for await signal in signals {
          switch signal {
          case .sighup: _ = await gateway.reload()
          default: await gateway.reopenLogs()
          }
        }
      }
      try? await gracefulShutdown()
      // Keys are still looked after while the last requests run.
      await gateway.drain()
      group.cancelAll()
    }
  }
}
