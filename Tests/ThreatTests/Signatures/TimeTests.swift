// Times in tokens: T15, T16, T63. Every odd value has one outcome, and the clock's edge is exact.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct TimeTests {
  @Test("T15 exp as text, null, negative, with an exponent or absent is refused, each with its code")
  func expiry() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let now = unixNow()
    let cases: [(JSONValue, String)] = [
      (.string("\(now + 300)"), "claim_invalid"), (nil, "claim_invalid"), (true, "claim_invalid"),
      ([.integer(now + 300)], "claim_invalid"), ([:], "claim_invalid"), ("", "claim_invalid"),
      (.integer(-1), "claim_invalid"),
      (.raw("1e300"), "claim_invalid"), (.raw("\(now + 300)e0"), "claim_invalid"), (.raw("1E10"), "claim_invalid"),
      (.raw("-0.5"), "claim_invalid"), (.raw("-1e300"), "claim_invalid"),
      (.raw("9223372036854775807"), "claim_invalid"),
      (.raw("99999999999999999999999999"), "claim_invalid"), (.raw("\((now + 300) * 1000)"), "claim_invalid"),
      (.absent, "claim_missing"), (0, "token_expired"), (.integer(now - 3600), "token_expired"),
      (.raw("\(now - 3600).999"), "token_expired"), (.integer(now + 300), "passed"), (.raw("\(now + 300).5"), "passed"),
      (.raw("253402300799"), "passed"), (.raw("253402300800"), "claim_invalid"),
    ]
    let verdicts = try await door.verdicts(cases.map { TokenDoor.token(key, ["exp": $0.0]) })
    for (item, verdict) in zip(cases, verdicts) { #expect(verdict == item.1, "exp \(item.0.text)") }
  }

  @Test("T15 nbf and iat as text, null or negative are refused. Those to come are not yet valid")
  func begin() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let now = unixNow()
    let odd: [JSONValue] = [
      .string("\(now)"), nil, false, [], .integer(-1), .raw("1e3"), .raw("1e300"), .raw("\(now * 1000)"),
    ]
    for name in ["nbf", "iat"] {
      let verdicts = try await door.verdicts(odd.map { TokenDoor.token(key, [name: $0]) })
      for (value, verdict) in zip(odd, verdicts) { #expect(verdict == "claim_invalid", "\(name) \(value.text)") }
    }
    #expect(
      try await door.verdicts([
        TokenDoor.token(key, ["nbf": .integer(now + 3600)]), TokenDoor.token(key, ["iat": .integer(now + 3600)]),
        TokenDoor.token(key, ["nbf": .absent, "iat": .absent]), TokenDoor.token(key, ["nbf": 0, "iat": 0]),
      ]) == ["token_not_yet_valid", "token_not_yet_valid", "passed", "passed"])
  }

  @Test("T63 A negative or an enormous time is not saturated into a good one")
  func saturation() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], rules: ["max_age: 1h"])
    let claims: [[String: JSONValue]] = [
      ["exp": .integer(-12345)], ["nbf": .raw("2e206")], ["exp": .raw("2e206")], ["iat": .raw("2e206")],
      ["iat": .integer(-12345)], ["exp": .raw("-9223372036854775808")], ["exp": .raw("18446744073709551617")],
      ["nbf": .raw("-9223372036854775808")], ["iat": .raw("9223372036854775807")],
    ]
    let verdicts = try await door.verdicts(claims.map { TokenDoor.token(key, $0) })
    for (claim, verdict) in zip(claims, verdicts) { #expect(verdict == "claim_invalid", "\(claim)") }
    #expect(
      try await door.verdicts([
        TokenDoor.token(key, ["iat": .absent]), TokenDoor.token(key, ["iat": .integer(unixNow() - 3600 - 60)]),
        TokenDoor.token(key),
      ]) == ["claim_missing", "token_too_old", "passed"])
  }

  @Test("T16 A token, remembered or not, dies at exp plus leeway and begins at nbf minus leeway, to the second")
  func edges() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], rules: ["leeway: 4s"])
    var attempt = 0
    try await undisturbed("answers that change at the edge") {
      attempt += 1
      return try await isCutAtTheEdge(at: door, key, attempt) ? () : nil
    }
    // It was remembered: the check that ended it was that of the cache.
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) >= 1)
  }

  /// Sends a token that ends and one that begins, until both have, and checks each answer against the clock.
  /// - Returns: false when an answer was of another time, or when the token ended before it could be remembered. On a
  ///   busy machine a worker may have read the clock long before it read the request.
  private func isCutAtTheEdge(at door: TokenDoor, _ key: TestKey, _ attempt: Int) async throws -> Bool {
    let now = unixNow()
    // Good for some four seconds from now, and from then on.
    let ending = TokenDoor.token(key, ["exp": .integer(now)])
    let beginning = TokenDoor.token(key, ["nbf": .integer(now + 8)])
    let edge = Double(now + 4)
    let client = try await door.gateway.connect()
    var hasEnded = false
    var hasBegun = false
    var isExact = true
    var passes = 0
    var round = 0
    while !(hasEnded && hasBegun), round < 200 {
      round += 1
      let before = Date().timeIntervalSince1970
      let end = try await client.get("/door", ["Authorization: Bearer \(ending)"])
      let begin = try await client.get(
        "/door", ["Authorization: Bearer \(beginning)", "X-Request-Id: \(attempt)-\(round)"])
      let after = Date().timeIntervalSince1970
      if end.status == 200 {
        passes += 1
        isExact = isExact && before < edge + Self.clockSlack
        #expect(!hasEnded)
      } else {
        #expect(end.code == "token_expired")
        isExact = isExact && after >= edge - Self.clockSlack
        hasEnded = true
      }
      if begin.status == 200 {
        isExact = isExact && after >= edge - Self.clockSlack
        hasBegun = true
      } else {
        #expect(begin.code == "token_not_yet_valid")
        isExact = isExact && before < edge + Self.clockSlack
        #expect(!hasBegun)
      }
      // Lines come ten times a second: often enough.
      _ = try await door.gateway.waitForAccessLog(containing: "\"\(attempt)-\(round)\"")
    }
    #expect(hasEnded)
    #expect(hasBegun)
    return isExact && passes > 1
  }

  /// The gateway looks at the wall clock ten times a second and counts on from there.
  private static let clockSlack = 0.02
}
