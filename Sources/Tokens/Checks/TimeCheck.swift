// Step 9: `exp`, `nbf`, `iat` and the issuer's `max_age` (RFC 7519 §4.1.4 to §4.1.6), exact to the second (T16).

import JSON

enum TimeCheck {
  private static let exp = Array("exp".utf8)
  private static let nbf = Array("nbf".utf8)
  private static let iat = Array("iat".utf8)

  /// The seconds in which a token is good, leeway included.
  struct Validity {
    /// The first of them. Int64.min when the token names none.
    var beginsAt = Int64.min
    /// The first one behind them. Int64.max when the token never ends.
    var endsAt = Int64.max
  }

  static func validity(_ payload: JSONDocument, _ rules: IssuerRules, now: Int64) throws(TokenRefusal) -> Validity {
    let leeway = rules.leewaySeconds
    var validity = try period(payload, leeway: leeway, now: now)
    guard let issued = try NumericDate.read(payload, iat) else {
      if rules.maxAgeSeconds != nil { throw .claimMissing }
      return validity
    }
    // What was issued in the future is not too old: its time has not come.
    validity.beginsAt = max(validity.beginsAt, saturatingSum(issued.roundedUp, -leeway))
    if now < validity.beginsAt { throw .tokenNotYetValid }
    if let maxAge = rules.maxAgeSeconds {
      // Good while now - iat <= maxAge + leeway.
      let tooOldAt = saturatingSum(saturatingSum(saturatingSum(issued.seconds, maxAge), leeway), 1)
      if now >= tooOldAt { throw .tokenTooOld }
      validity.endsAt = min(validity.endsAt, tooOldAt)
    }
    return validity
  }

  /// What `exp` and `nbf` say.
  static func period(_ payload: JSONDocument, leeway: Int64, now: Int64) throws(TokenRefusal) -> Validity {
    var validity = Validity()
    if let date = try NumericDate.read(payload, exp) {
      validity.endsAt = saturatingSum(date.seconds, leeway)
      if now >= validity.endsAt { throw .tokenExpired }
    }
    if let date = try NumericDate.read(payload, nbf) {
      validity.beginsAt = saturatingSum(date.roundedUp, -leeway)
      if now < validity.beginsAt { throw .tokenNotYetValid }
    }
    return validity
  }

  /// Sums of numbers that a stranger or an operator wrote: never a trap, never a wrap (T63).
  private static func saturatingSum(_ a: Int64, _ b: Int64) -> Int64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? (b < 0 ? .min : .max) : sum
  }
}

/// Seconds since 1970 as RFC 7519 §2 writes them.
struct NumericDate {
  /// Rounded down.
  var seconds: Int64
  /// Whether digits other than 0 were cut off.
  var hasFraction: Bool

  var roundedUp: Int64 { hasFraction ? seconds + 1 : seconds }

  /// LIMIT: the last second of the year 9999. A larger number is not a date in seconds: milliseconds, most often, which
  /// would make a token that never ends.
  static let secondsMax: Int64 = 253_402_300_799

  /// The date in the member `name`, nil when there is none. T15, T63: an integer from 0 on, or such a one with a point
  /// and digits behind it. Strings, null, negative numbers, exponents and what is too large are `claim_invalid`.
  static func read(_ payload: JSONDocument, _ name: [UInt8]) throws(TokenRefusal) -> NumericDate? {
    guard let node = payload.member(name, of: payload.root) else { return nil }
    if let seconds = payload.integer(at: node) {
      if seconds < 0 || seconds > secondsMax { throw .claimInvalid }
      return NumericDate(seconds: seconds, hasFraction: false)
    }
    guard payload.kind(node) == .number else { throw .claimInvalid }
    var seconds: Int64 = 0
    var isBehindPoint = false
    var hasFraction = false
    for index in payload.rawRange(of: node) {
      let byte = payload.bytes[index]
      switch byte {
      case UInt8(ascii: ".") where !isBehindPoint: isBehindPoint = true
      case 0x30...0x39:
        if isBehindPoint {
          hasFraction = hasFraction || byte != 0x30
        } else {
          seconds = seconds * 10 + Int64(byte - 0x30)
          // At once: the next step could not overflow, a later one might.
          if seconds > secondsMax { throw .claimInvalid }
        }
      default: throw .claimInvalid
      }
    }
    return NumericDate(seconds: seconds, hasFraction: hasFraction)
  }
}
