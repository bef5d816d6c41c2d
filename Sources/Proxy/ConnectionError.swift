// What goes wrong with a connection outside any exchange. Each case is counted in `catraca_errors_total`; its raw value is the
// `reason`, which is public.

/// A connection that was turned away, closed or not opened.
package enum ConnectionError: String, CaseIterable {
  /// A client has as many connections as `limits.connections_per_client` allows.
  case connectionsPerClient = "connections_per_client"
  /// The system had no descriptor for a client that was waiting.
  case acceptStarved = "accept_starved"
  /// An idle connection was closed to make room for another.
  case idleGivenUp = "idle_given_up"
  /// The listener requires a PROXY header, and the peer is not a trusted proxy.
  case proxyHeaderUntrusted = "proxy_header_untrusted"
  case proxyHeaderInvalid = "proxy_header_invalid"
  case proxyHeaderTimeout = "proxy_header_timeout"
  case upstreamHandshakeFailed = "upstream_handshake_failed"
  /// A server sent bytes that no request had asked for.
  case upstreamUnsolicitedBytes = "upstream_unsolicited_bytes"
}

extension Counters {
  package func countError(_ error: ConnectionError) { countError(error.rawValue) }
}
