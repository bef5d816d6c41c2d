// The process's life: run until SIGTERM or SIGINT, reload on SIGHUP, open logs anew on SIGUSR1.

import ServiceLifecycle
import UnixSignals

/// Runs a gateway as a service.
package struct GatewayService: Service {
  private let gateway: RunningGateway

  package init(_ gateway: RunningGateway) { self.gateway = gateway }

  package func run() async throws {
    let signals = await UnixSignalsSequence(trapping: .sighup, .sigusr1)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await gateway.run() }
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
