// Why a document could not be fetched. The codes are the public contract: metrics, /status and logs carry them.

internal import Configuration

/// The outcome of a fetch that brought no document.
package enum FetchError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Not an absolute http(s) URL.
  case urlInvalid(String)
  /// Nothing came within the deadline, or no connection within the connect timeout.
  case timeout
  /// The name did not resolve or no address took the connection. The text is the system's.
  case connectFailed(String)
  /// The handshake or a record failed. The text names the reason, such as the certificate's fault.
  case tlsFailed(String)
  /// Any status other than 200 and redirects.
  case status(Int)
  /// A redirect, which is never followed (T24), and where it leads.
  case redirected(Int, to: String? = nil)
  /// More bytes than asked for.
  case tooLarge
  /// The connection ended inside the response.
  case truncated
  /// Not HTTP/1.
  case responseMalformed(String)
  /// The caller was cancelled.
  case cancelled

  /// A stable word for metrics.
  package var code: String {
    switch self {
    case .urlInvalid: "url_invalid"
    case .timeout: "timeout"
    case .connectFailed: "connect_failed"
    case .tlsFailed: "tls_failed"
    case .status: "status"
    case .redirected: "redirected"
    case .tooLarge: "too_large"
    case .truncated: "truncated"
    case .responseMalformed: "response_malformed"
    case .cancelled: "cancelled"
    }
  }

  package var description: String {
    switch self {
    case .urlInvalid(let url): "url_invalid(\(url.withoutURLSecrets))"
    case .connectFailed(let reason): "connect_failed(\(reason))"
    case .tlsFailed(let reason): "tls_failed(\(reason))"
    case .status(let status): "status(\(status))"
    case .redirected(let status, let location):
      "redirected(\(status)" + (location.map { " to \($0)" } ?? "") + ")"
    case .responseMalformed(let reason): "response_malformed(\(reason))"
    case .timeout, .tooLarge, .truncated, .cancelled: code
    }
  }
}
