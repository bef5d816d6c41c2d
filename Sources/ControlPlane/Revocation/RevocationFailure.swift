// Why a list of revoked tokens could not be renewed. The codes are the public contract:
// `catraca_revocation_refresh_total{result=…}`, /status, logs.

internal import Configuration
internal import Tokens

/// A look that changed nothing: the last good list goes on counting (T103).
package enum RevocationFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case fetch(FetchError)
  /// The system's words.
  case fileUnreadable(String)
  case listInvalid(code: String, words: String)
  /// The store did not answer, or not as Redis does.
  case storeUnavailable
  /// http where https is needed, or a host that the file does not name.
  case urlNotAllowed(String)
  /// The keys that the list is signed with are not there.
  case keysUnavailable
  /// There are too many lists.
  case tooMany

  init(_ error: DenylistError) { self = .listInvalid(code: error.code, words: error.description) }
  init(_ fault: StatusListFault) { self = .listInvalid(code: fault.code, words: fault.rawValue) }

  /// A stable word for metrics.
  package var code: String {
    switch self {
    case .fetch(let error): error.code
    case .fileUnreadable: "file_unreadable"
    case .listInvalid(let code, _): code
    case .storeUnavailable: "store_unavailable"
    case .urlNotAllowed: "url_not_allowed"
    case .keysUnavailable: "keys_unavailable"
    case .tooMany: "too_many"
    }
  }

  package var description: String {
    switch self {
    case .fetch(let error): error.description
    case .fileUnreadable(let words), .listInvalid(_, let words), .urlNotAllowed(let words): words
    case .storeUnavailable: "the store does not answer"
    case .keysUnavailable: "the issuer has no keys yet"
    case .tooMany: "the issuer has more status lists than are held"
    }
  }
}
