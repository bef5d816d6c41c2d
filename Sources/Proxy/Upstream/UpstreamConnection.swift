// What every connection to an upstream server has, whichever protocol it speaks: the server, and its place in the
// counters.

package import Configuration
import HTTPWire

/// The base of connections to servers of upstreams.
package class UpstreamConnection: ServerConnection {
  final let pool: UpstreamPool
  final let server: UpstreamServer
  private final var countedState: ConnectionState?

  init(worker: Worker, pool: UpstreamPool, server: UpstreamServer) {
    self.pool = pool
    self.server = server
    super.init(worker: worker, group: .upstream(pool.configuration.name))
  }

  final func moveCounted(to state: ConnectionState?) {
    worker.counters.moveConnection(upstream: pool.counterID, from: countedState, to: state)
    countedState = state
  }

  package final override var address: Address { server.configuration.address }

  package final override var security: ServerSecurity? {
    guard let tls = pool.configuration.tls else { return nil }
    return ServerSecurity(
      serverName: tls.serverName ?? server.configuration.host, requiredProtocol: pool.isMultiplexed ? .http2 : nil)
  }

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
}
