// What makes a token of an issuer a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6), beside what all tokens
// must hold.

import Bytes
import JSON

/// Whose sessions are to end.
package struct LogoutTokenCheck: Sendable, Equatable {
  package enum Fault: String, Error, Sendable {
    /// Without the event it is some other token.
    case eventMissing = "events_missing"
    /// ID tokens have one, so that none can pass for a logout token.
    case nonceThere = "nonce_not_allowed"
    /// Neither a session nor a subject is named.
    case nobodyNamed = "sid_and_sub_missing"
    /// Without one it could be shown again and again.
    case idMissing = "jti_missing"
    case tooOld = "iat_missing_or_old"
  }

  /// All sessions of the person, unless ``session`` says which.
  package let subject: [UInt8]?
  /// The provider's name of one session, `sid`.
  package let session: [UInt8]?
  /// To be taken once. Together with the issuer it names the token.
  package let id: [UInt8]

  /// LIMIT: seconds since the token was made, less the issuer's leeway. It is sent at once.
  package static let ageMaxSeconds: Int64 = 180

  private static let events = Array("events".utf8)
  private static let event = Array("http://schemas.openid.net/event/backchannel-logout".utf8)
  private static let nonce = Array("nonce".utf8)
  private static let sid = Array("sid".utf8)
  private static let jti = Array("jti".utf8)
  private static let iat = Array("iat".utf8)

  /// - Parameter caller: what the check of the token itself gave.
  package init(_ caller: Caller, leewaySeconds: Int64, now: Int64) throws(Fault) {
    let claims = caller.claims
    guard let events = claims.member(Self.events.span, of: claims.root),
      let event = claims.member(Self.event.span, of: events), claims.kind(event) == .object
    else { throw .eventMissing }
    if claims.member(Self.nonce.span, of: claims.root) != nil { throw .nonceThere }
    subject = caller.subject.flatMap { claims.stringBytes(at: $0) }
    session = claims.member(Self.sid.span, of: claims.root).flatMap { claims.stringBytes(at: $0) }
    if (subject ?? []).isEmpty && (session ?? []).isEmpty { throw .nobodyNamed }
    guard let id = claims.member(Self.jti.span, of: claims.root).flatMap({ claims.stringBytes(at: $0) }), !id.isEmpty
    else { throw .idMissing }
    self.id = id
    guard let madeAt = claims.member(Self.iat.span, of: claims.root).flatMap({ claims.integer(at: $0) }),
      now - madeAt <= Self.ageMaxSeconds + leewaySeconds
    else { throw .tooOld }
  }
}
