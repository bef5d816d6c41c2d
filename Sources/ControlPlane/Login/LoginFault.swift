// Why a login did not succeed. The words are the public contract: the log and the answer to the browser carry them.

package enum LoginFault: Error, Sendable, Equatable {
  /// The answer belongs to no login of this browser that is still alive: it took too long, cookies are off, or the link
  /// came from somebody else.
  case attemptUnknown
  /// The answer is none that a provider gives: a parameter is missing or there twice.
  case answerMalformed
  /// The answer names another issuer, or none where the provider always names itself (RFC 9207).
  case issuerMismatch
  /// The provider, or the person there, said no. The word is the provider's.
  case refused(String)
  /// The provider did not answer in time, or not with what it must.
  case providerUnavailable(String)
  /// The provider's tokens are not what they must be. The word says which check failed.
  case tokenInvalid(String)
  /// What the provider has posted to end sessions is none of its logout tokens. The word says which check failed.
  case logoutTokenInvalid(String)
  /// The list of sessions does not answer.
  case listUnavailable

  package var code: String {
    switch self {
    case .attemptUnknown: "login_unknown"
    case .answerMalformed: "login_answer_malformed"
    case .issuerMismatch: "login_issuer_mismatch"
    case .refused: "login_refused"
    case .providerUnavailable: "login_provider_unavailable"
    case .tokenInvalid: "login_token_invalid"
    case .logoutTokenInvalid: "logout_token_invalid"
    case .listUnavailable: "session_store_unavailable"
    }
  }

  /// LIMIT: what others call their errors is cut, and is in letters, digits, underscores and a few signs (RFC 6749
  /// §4.1.2.1).
  static func word(_ text: String) -> String {
    String(text.prefix(64).filter { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0)) })
  }
}
