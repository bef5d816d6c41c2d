// The tokens that a provider has issued for a session, as every list of sessions keeps them: bytes of one version, of
// which a list knows nothing.

import Bytes

package struct ProviderTokens: Sendable, Equatable {
  /// What services get. Empty where they get none.
  package var accessToken: [UInt8]
  /// Empty where the provider gave none, and where nothing is refreshed.
  package var refreshToken: [UInt8]
  /// For the provider, when the session ends (RP-Initiated Logout 1.0 §2).
  package var idToken: [UInt8]
  /// Of the access token, in seconds since 1970.
  package var issuedAt: Int64
  /// The first second in which the access token is over. Int64.max where the provider does not say.
  package var endsAt: Int64

  /// LIMIT: bytes of each token.
  package static let byteCountMax = 16 * 1024
  private static let version: UInt8 = 1

  package init(accessToken: [UInt8], refreshToken: [UInt8], idToken: [UInt8], issuedAt: Int64, endsAt: Int64) {
    self.accessToken = accessToken
    self.refreshToken = refreshToken
    self.idToken = idToken
    self.issuedAt = issuedAt
    self.endsAt = endsAt
  }

  /// The first second in which they are to be refreshed: at three quarters of the access token's life. Int64.max where
  /// they cannot be.
  package var refreshAt: Int64 {
    refreshToken.isEmpty || endsAt == .max ? .max : issuedAt + (endsAt - issuedAt) / 4 * 3
  }

  /// Until when what is known of the session may be remembered: then they are to be looked at again.
  package func nextLook(after now: Int64) -> Int64 {
    refreshToken.isEmpty ? .max : now < refreshAt ? refreshAt : endsAt
  }

  // MARK: In a list

  /// A version, both times, and each token behind its length.
  package var encoded: [UInt8] {
    var bytes = [Self.version]
    for time in [issuedAt, endsAt] { append(UInt64(bitPattern: time), byteCount: 8, to: &bytes) }
    for token in [accessToken, refreshToken, idToken] {
      append(UInt64(token.count), byteCount: 2, to: &bytes)
      bytes += token
    }
    return bytes
  }

  private func append(_ number: UInt64, byteCount: Int, to bytes: inout [UInt8]) {
    for index in (0..<byteCount).reversed() { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))) }
  }

  /// Nil for everything else. A list may be anybody's who has its password, so nothing in it may become a header's
  /// line.
  package init?(encoded bytes: [UInt8]) {
    var rest = bytes[...]
    func number(_ byteCount: Int) -> UInt64? {
      if rest.count < byteCount { return nil }
      let number = rest.prefix(byteCount).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      rest = rest.dropFirst(byteCount)
      return number
    }
    func token() -> [UInt8]? {
      guard let count = number(2), count <= UInt64(Self.byteCountMax), Int(count) <= rest.count else { return nil }
      let token = Array(rest.prefix(Int(count)))
      rest = rest.dropFirst(Int(count))
      return token.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? token : nil
    }
    guard number(1) == UInt64(Self.version), let issuedAt = number(8), let endsAt = number(8),
      let accessToken = token(), let refreshToken = token(), let idToken = token(), rest.isEmpty,
      let begin = Int64(exactly: issuedAt), let end = Int64(exactly: endsAt), begin <= end
    else { return nil }
    self.init(
      accessToken: accessToken, refreshToken: refreshToken, idToken: idToken, issuedAt: begin, endsAt: end)
  }
}
