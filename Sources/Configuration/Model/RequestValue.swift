// What of a request a setting can name. One vocabulary for the whole file: rate limits, balancing, token sources and
// templates of headers, paths and redirects.

package import Tokens

/// A value that a request may have. A request that has it twice does not have it, because nobody knows which of the
/// two is meant.
package enum RequestValue: Sendable, Hashable {
  /// The client's address, as a trusted proxy reports it or as the socket has it.
  case clientIP
  /// Of the verified caller.
  case claim(ClaimPath)
  case cookie(String)
  /// Lower case.
  case header(String)
  case query(String)
  /// Of the verified client certificate.
  case tls(ClientCertificateFact)

  /// Whether the gateway verified it, or knows it from the socket or from a trusted proxy. Anything else is what the
  /// client wrote.
  package var isVerified: Bool {
    switch self {
    case .claim, .tls: true
    case .clientIP, .cookie, .header, .query: false
    }
  }
}
