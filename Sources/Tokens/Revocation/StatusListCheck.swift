// A status list token: `statuslist+jwt`, signed by a key of the issuer, about the URI that it was fetched from. Its
// statuses are still compressed here.

import Bytes
import JSON

/// Why a token is no status list. The one in use stays as it is (T103).
package enum StatusListFault: String, Error, Sendable {
  case malformed = "not a status list token (statuslist+jwt)"
  case keyUnknown = "signed by a key that the issuer does not have"
  case signatureInvalid = "the signature does not match"
  case issuerOther = "its iss is another issuer's"
  case subjectOther = "its sub is not the URI that was asked for"
  case timesInvalid = "iat is missing or lies ahead, or ttl is not a positive number"
  case expired = "its exp has passed"
  case bitsInvalid = "bits is not 1, 2, 4 or 8, or lst is missing"
  case notInflated = "lst is not zlib, or too large when it is not compressed"

  /// A stable word for metrics.
  package var code: String {
    switch self {
    case .malformed, .bitsInvalid: "malformed"
    case .keyUnknown: "key_unknown"
    case .signatureInvalid: "signature_invalid"
    case .issuerOther, .subjectOther: "foreign"
    case .timesInvalid: "times_invalid"
    case .expired: "expired"
    case .notInflated: "not_inflated"
    }
  }
}

/// What a list's token says.
package struct StatusListFacts: Sendable, Equatable {
  package let uri: [UInt8]
  package let bitCount: Int
  /// Compressed by zlib (RFC 1950).
  package let compressed: [UInt8]
  /// The first second in which it counts no more. Int64.max without `exp`.
  package let expiresAt: Int64
  /// Nil where it does not say.
  package let ttlSeconds: Int64?
}

package enum StatusListCheck {
  /// LIMIT: bytes of a list's token. The statuses are compressed in it.
  package static let tokenByteCountMax = 4 << 20
  /// LIMIT: bytes of the statuses: 64 million tokens with one bit, 8 million with eight.
  package static let statusByteCountMax = 8 << 20

  private static let type = Array("statuslist+jwt".utf8)
  private static let typ = Array("typ".utf8)
  private static let sub = Array("sub".utf8)
  private static let ttl = Array("ttl".utf8)
  private static let iat = Array("iat".utf8)
  private static let exp = Array("exp".utf8)
  private static let statusList = Array("status_list".utf8)
  private static let bits = Array("bits".utf8)
  private static let lst = Array("lst".utf8)

  /// - Parameters:
  ///   - uri: where the token was fetched.
  ///   - keys: of the issuer.
  package static func facts(
    in token: Span<UInt8>, from uri: [UInt8], _ rules: IssuerRules, _ keys: KeySet, _ verifier: TokenVerifier,
    now: Int64
  ) throws(StatusListFault) -> StatusListFacts {
    var known = CompactFormCheck.KnownHeader()
    let parts: UnverifiedToken
    do throws(TokenRefusal) {
      parts = try CompactFormCheck.parse(token, byteCountMax: tokenByteCountMax, known: &known)
    } catch {
      throw .malformed
    }
    guard let typ = parts.header.member(typ, of: parts.header.root).flatMap({ parts.header.stringBytes(at: $0) }),
      TypeCheck.normalized(typ) == type
    else { throw .malformed }
    do throws(TokenRefusal) {
      guard try verifier.isSigned(parts, token, rules, keys) else { throw .keyUnknown }
    } catch {
      switch error {
      case .signatureInvalid: throw .signatureInvalid
      case .keyUnknown: throw .keyUnknown
      default: throw .malformed
      }
    }
    return try facts(of: parts.payload, from: uri, rules, now: now)
  }

  /// Of claims that the issuer has signed.
  private static func facts(
    of payload: JSONDocument, from uri: [UInt8], _ rules: IssuerRules, now: Int64
  ) throws(StatusListFault) -> StatusListFacts {
    do throws(TokenRefusal) { try IssuerCheck.checkNamed(payload, rules) } catch {
      // A tenant's list need not say whose it is: the keys have.
      if payload.member(IssuerCheck.iss, of: payload.root) != nil { throw .issuerOther }
    }
    guard let subject = payload.member(sub, of: payload.root), payload.stringEquals(subject, uri.span) else {
      throw .subjectOther
    }
    var expiresAt = Int64.max
    do throws(TokenRefusal) {
      guard let issued = try NumericDate.read(payload, iat), issued.seconds <= now + rules.leewaySeconds else {
        throw .tokenNotYetValid
      }
      if let end = try NumericDate.read(payload, exp) { expiresAt = end.seconds }
    } catch {
      throw .timesInvalid
    }
    if now >= expiresAt { throw .expired }
    var ttlSeconds: Int64?
    if let node = payload.member(ttl, of: payload.root) {
      guard let seconds = payload.integer(at: node), seconds > 0 else { throw .timesInvalid }
      ttlSeconds = seconds
    }
    guard let list = payload.member(statusList, of: payload.root),
      let bitCount = payload.member(bits, of: list).flatMap({ payload.integer(at: $0) }),
      [1, 2, 4, 8].contains(bitCount),
      let text = payload.member(lst, of: list).flatMap({ payload.stringBytes(at: $0) }),
      let compressed = Base64URL.decode(text.span)
    else { throw .bitsInvalid }
    return StatusListFacts(
      uri: uri, bitCount: Int(bitCount), compressed: compressed, expiresAt: expiresAt, ttlSeconds: ttlSeconds)
  }
}
