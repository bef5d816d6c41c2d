// What a provider's token end point answers (RFC 6749 §5, OpenID Connect Core 1.0 §3.1.3.3).

internal import JSON

/// The tokens that a code, or a refresh token, became.
struct TokenGrant: Sendable, Equatable {
  let accessToken: String
  /// Always there after a login, and mostly not after a refresh.
  let idToken: String?
  /// Nil after a refresh means that the one before stays good (RFC 6749 §6).
  let refreshToken: String?
  /// Of the access token. Nil where the provider does not say.
  let expiresInSeconds: Int64?

  /// LIMIT: bytes of each token. They are kept with the session.
  private static let tokenByteCountMax = 16 * 1024

  init(_ document: Document) throws(LoginFault) {
    guard let json = try? JSONDocument(document.body), json.kind(json.root) == .object else {
      throw .providerUnavailable("status \(document.status), not JSON")
    }
    func text(_ name: String) -> String? {
      json.member(name, of: json.root).flatMap { json.string(at: $0) }
    }
    if document.status != 200 {
      // A client error with a word is an answer. Everything else says nothing about the code or the token.
      if let error = text("error"), 400..<500 ~= document.status, document.status != 429 {
        throw .refused(LoginFault.word(error))
      }
      throw .providerUnavailable("status \(document.status)")
    }
    guard let accessToken = text("access_token"), !accessToken.isEmpty else { throw .tokenInvalid("no_access_token") }
    guard text("token_type")?.lowercased() == "bearer" else { throw .tokenInvalid("token_type") }
    self.accessToken = accessToken
    idToken = text("id_token")
    refreshToken = text("refresh_token").flatMap { $0.isEmpty ? nil : $0 }
    // Some providers write the number as text.
    let lifetime = json.member("expires_in", of: json.root)
      .flatMap { json.integer(at: $0) ?? json.string(at: $0).flatMap { Int64($0) } }
    expiresInSeconds = lifetime.flatMap { $0 > 0 ? $0 : nil }
    for token in [accessToken, idToken, refreshToken] {
      guard let token else { continue }
      let isClean = token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
      if !isClean || token.utf8.count > Self.tokenByteCountMax { throw .tokenInvalid("token_unusable") }
    }
  }
}
