// The provider's answer, as the browser brings it to the callback (RFC 6749 §4.1.2, RFC 9207).

internal import Cryptography

struct LoginAnswer: Sendable, Equatable {
  let state: String
  /// Nil where the provider refused.
  private let code: String?
  private let error: String?
  private let issuer: String?

  /// LIMIT: bytes of a code.
  private static let codeByteCountMax = 2048

  /// - Parameter parameters: of the query, decoded. None may be there twice (RFC 6749 §3.1).
  init(_ parameters: [(name: String, value: String)]) throws(LoginFault) {
    func single(_ name: String) throws(LoginFault) -> String? {
      let values = parameters.filter { $0.name == name }.map(\.value)
      if values.count > 1 { throw .answerMalformed }
      return values.first.flatMap { $0.isEmpty ? nil : $0 }
    }
    guard let state = try single("state") else { throw .answerMalformed }
    self.state = state
    code = try single("code")
    error = try single("error")
    issuer = try single("iss")
    if (code == nil) == (error == nil) { throw .answerMalformed }
    if let code, code.utf8.count > Self.codeByteCountMax { throw .answerMalformed }
  }

  /// The code, when the answer is the provider's to this attempt.
  func code(for attempt: LoginAttempt, of provider: ProviderMetadata, now: Int64) throws(LoginFault) -> String {
    guard ConstantTime.areEqual(state.utf8.span, attempt.state.utf8.span), attempt.isAlive(at: now) else {
      throw .attemptUnknown
    }
    // Before anything else of the answer counts: it may be another provider's that a mix-up has brought here.
    if issuer == nil ? provider.namesIssuerInAnswers : issuer != provider.issuer { throw .issuerMismatch }
    if let error { throw .refused(LoginFault.word(error)) }
    guard let code else { throw .answerMalformed }
    return code
  }
}
