// What makes a token of an issuer the ID token of one login, beside what all tokens must hold (OpenID Connect Core 1.0
// §3.1.3.7). The issuer, the client among the audiences, the signature and the times are checked as for all tokens.

import Bytes
import Cryptography
package import JSON

package enum IDTokenCheck {
  /// Why it is not the ID token of this login.
  package enum Fault: String, Error, Sendable {
    case nonceMismatch = "nonce_mismatch"
    /// The token was made for another client, or for several without saying for which of them.
    case partyMismatch = "azp_mismatch"
    /// It belongs to another access token.
    case accessTokenMismatch = "at_hash_mismatch"
    case subjectMissing = "sub_missing"
    /// It does not say, as a date, when the person signed in.
    case signInTimeMissing = "auth_time_missing"
    /// The person signed in longer ago than is allowed.
    case signInTooOld = "auth_time_too_old"
    /// It is of another sign-in than the one that began the session.
    case signInMismatch = "auth_time_mismatch"
  }

  private static let nonce = Array("nonce".utf8)
  private static let azp = Array("azp".utf8)
  private static let aud = Array("aud".utf8)
  private static let signInTime = Array("auth_time".utf8)
  private static let accessTokenHash = Array("at_hash".utf8)

  /// - Parameters:
  ///   - caller: what the check of the token itself gave.
  ///   - expectedNonce: of the login. Nil after a refresh, whose ID token may have none (§12.2).
  package static func check(
    _ caller: Caller, clientID: String, nonce expectedNonce: String?, accessToken: String
  ) throws(Fault) {
    let claims = caller.claims
    guard let subject = caller.subject, claims.stringBytes(at: subject)?.isEmpty == false else {
      throw .subjectMissing
    }
    if let expectedNonce {
      guard let node = claims.member(nonce.span, of: claims.root), let bytes = claims.stringBytes(at: node),
        ConstantTime.areEqual(bytes.span, expectedNonce.utf8.span)
      else { throw .nonceMismatch }
    }
    try checkParty(claims, clientID)
    try checkAccessToken(caller, accessToken)
  }

  /// One of several audiences says nothing about who asked for the token. `azp` does.
  private static func checkParty(_ claims: JSONDocument, _ clientID: String) throws(Fault) {
    if let party = claims.member(azp.span, of: claims.root) {
      if !claims.stringEquals(party, clientID.utf8.span) { throw .partyMismatch }
      return
    }
    guard let audience = claims.member(aud.span, of: claims.root), claims.kind(audience) == .array else { return }
    var count = 0
    for _ in claims.elements(of: audience) { count += 1 }
    if count > 1 { throw .partyMismatch }
  }

  /// Whether the person signed in at the provider lately (`auth_time`).
  /// - Parameter earliest: in seconds since 1970.
  package static func checkSignIn(_ caller: Caller, since earliest: Int64) throws(Fault) {
    guard let date = try? NumericDate.read(caller.claims, signInTime) else { throw .signInTimeMissing }
    if date.seconds < earliest { throw .signInTooOld }
  }

  /// Whether an ID token of a refresh is of the sign-in that began the session: where both ID tokens say when that was,
  /// they say the same (§12.2).
  /// - Parameter earlier: the claims of the ID token before.
  package static func checkSignIn(_ caller: Caller, after earlier: JSONDocument) throws(Fault) {
    let claims = caller.claims
    if claims.member(signInTime, of: claims.root) == nil { return }
    guard let first = try? NumericDate.read(earlier, signInTime) else { return }
    guard let date = try? NumericDate.read(claims, signInTime), date.seconds == first.seconds else {
      throw .signInMismatch
    }
  }

  /// `at_hash`, where it is there, is the left half of the access token's digest. The digest is the one of the ID
  /// token's signature.
  private static func checkAccessToken(_ caller: Caller, _ accessToken: String) throws(Fault) {
    let claims = caller.claims
    guard let node = claims.member(accessTokenHash.span, of: claims.root) else { return }
    guard case .signature(_, let algorithm) = caller.proof, let hash = claims.stringBytes(at: node) else {
      throw .accessTokenMismatch
    }
    // EdDSA has no digest of its own for this. SHA-512 is what it is made with.
    let digest = (algorithm.scheme.digest ?? .sha512).digest(accessToken.utf8.span)
    let half = Base64URL.encode(digest.span.extracting(first: digest.count / 2))
    if !ConstantTime.areEqual(half.span, hash.span) { throw .accessTokenMismatch }
  }
}
