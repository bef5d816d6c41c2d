// What goes wrong with connections and not with a request: counted in `catraca_errors_total`, answered to nobody.

package import HTTP2

/// The raw values are the codes.
package enum ConnectionError: String, Sendable, CaseIterable {
  case connectionsPerClient = "connections_per_client"
  case idleGivenUp = "idle_given_up"
  case acceptStarved = "accept_starved"
  case proxyHeaderUntrusted = "proxy_header_untrusted"
  case proxyHeaderInvalid = "proxy_header_invalid"
  case proxyHeaderTimeout = "proxy_header_timeout"
  case upstreamHandshakeFailed = "upstream_handshake_failed"
  case upstreamUnsolicitedBytes = "upstream_unsolicited_bytes"

  package var record: ErrorRecord {
    switch self {
    case .connectionsPerClient:
      .init(
        "A client has as many connections as `limits.connections_per_client` permits: a new one was closed.",
        advice: "Raise the limit, or list the proxy that many clients share in `trusted_proxies`.")
    case .idleGivenUp:
      .init(
        "An idle connection was closed to make room for another.",
        advice: "Raise `limits.connections`, or the process's limit of open files.")
    case .acceptStarved:
      .init(
        "There was no descriptor for a new client.", advice: "Raise the process's limit of open files (`ulimit -n`).")
    case .proxyHeaderUntrusted:
      .init(
        "A client that is not in `trusted_proxies` connected to a listener with `proxy_protocol`.",
        advice: "Add the load balancer to `trusted_proxies`, or close the port to everyone else.")
    case .proxyHeaderInvalid:
      .init(
        "A connection to a listener with `proxy_protocol` did not begin with a PROXY header.",
        advice: "Have the load balancer send the header, version 1 or 2.")
    case .proxyHeaderTimeout:
      .init(
        "The PROXY header did not arrive within `header_timeout`.", advice: "Have the load balancer send the header.")
    case .upstreamHandshakeFailed:
      .init(
        "The TLS handshake with a server failed.",
        advice: "Read the reason in the log. Check the server's certificate and the upstream's `tls`.")
    case .upstreamUnsolicitedBytes:
      .init(
        "A server sent bytes on a connection where it owed no answer: the connection was closed.",
        advice: "Look for answers that are longer than their Content-Length.")
    }
  }
}

extension FailureReason {
  /// Why an HTTP/2 connection was ended.
  package var record: ErrorRecord {
    switch self {
    case .badPreface:
      .init("The connection did not begin as HTTP/2 begins.", advice: "Check that the client speaks HTTP/2.")
    case .protocolError: .ofLibrary("The peer broke a rule of HTTP/2.")
    case .streamClosed: .ofLibrary("A frame came for a stream that had ended.")
    case .flowControlError: .ofLibrary("The peer sent more than its window permits.")
    case .frameSizeError: .ofLibrary("A frame has a size that its kind may not have.")
    case .compressionError: .ofLibrary("A header block could not be decoded.")
    case .internalError:
      .init("The gateway's HTTP/2 library failed.", advice: "Report it to the project.")
    case .rapidReset: .flood("The peer opened and reset streams too fast.")
    case .provokedResets: .flood("The peer made the gateway reset too many streams.")
    case .continuationFlood: .flood("A header block came in too many CONTINUATION frames.")
    case .headerBlockTooLarge: .flood("A header block is far larger than `limits.header_size`.")
    case .pingFlood: .flood("Too many PING frames.")
    case .settingsFlood: .flood("Too many SETTINGS frames.")
    case .priorityFlood: .flood("Too many PRIORITY frames.")
    case .windowUpdateFlood: .flood("Too many WINDOW_UPDATE frames.")
    case .emptyDataFlood: .flood("Too many DATA frames without content.")
    case .interimFlood: .flood("Too many interim responses.")
    case .unknownFrameFlood: .flood("Too many frames of unknown kinds.")
    case .outputFlood: .flood("The peer does not read the answers that its frames require.")
    case .headerTimeout:
      .init(
        "A frame or a header block did not end within `header_timeout`.",
        advice: "Ignore single ones: networks lose packets. Many are an attack.")
    }
  }
}

extension ErrorRecord {
  fileprivate static func ofLibrary(_ sentence: StaticString) -> ErrorRecord {
    ErrorRecord(sentence, advice: "Update the peer's HTTP/2 library.")
  }

  fileprivate static func flood(_ sentence: StaticString) -> ErrorRecord {
    ErrorRecord(sentence, advice: "Block the client's address if it goes on.")
  }
}
