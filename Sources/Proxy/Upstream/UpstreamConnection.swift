// What every connection to an upstream server has, whichever protocol it speaks: the server, and its place in the
// counters.

package import Configuration
import HTTPWire

/// The base of connections to servers.
package class UpstreamConnection: Connection {
  final let pool: UpstreamPool
  final let server: UpstreamServer
  private final var countedState: ConnectionState?

  init(worker: Worker, pool: UpstreamPool, server: UpstreamServer) {
    self.pool = pool
    self.server = server
    super.init(worker: worker)
  }

  final func moveCounted(to state: ConnectionState?) {
    worker.counters.moveConnection(upstream: pool.counterID, from: countedState, to: state)
    countedState = state
  }

  /// Of the upstream that the server belongs to.
  package final var configuration: Upstream { pool.configuration }
  package final var address: Address { server.configuration.address }
  /// Whose certificate is expected.
  package final var host: String { server.configuration.host }

  /// Why an answer's head is refused. The log learns of one that is too large.
  final func refusal(of error: HeadError) -> GatewayRefusal {
    let bound: HeadBound
    switch error {
    case .headTooLarge: bound = .bytes(max: pool.headLimits.byteCountMax)
    case .tooManyFields: bound = .fields(max: pool.headLimits.fieldCountMax)
    default: return .upstreamMalformed
    }
    if pool.shared.mayReportHead(at: worker.time.nanoseconds) {
      pool.report(.headTooLarge(server: address.description, bound))
    }
    return .upstreamHeadTooLarge
  }

  /// The socket is open.
  func connected() {}

  /// The socket could not be opened, or not in time.
  func connectFailed(_ refusal: GatewayRefusal) {}
}
