// ID tokens and logout tokens: what they must hold beside what all tokens must.

import Bytes
import Cryptography
import Testing

@testable import Tokens

@Suite("Tokens of logins and logouts")
struct LoginTokenTests {
  private let issuer: TestIssuer

  init() throws { issuer = try TestIssuer() }

  private func fault(_ more: String, nonce: String? = "n-1", of issuer: TestIssuer? = nil) throws -> IDTokenCheck.Fault?
  {
    let issuer = issuer ?? self.issuer
    let caller = try issuer.verified(try issuer.token(issuer.claims(more)))
    do throws(IDTokenCheck.Fault) {
      try IDTokenCheck.check(caller, clientID: "orders-api", nonce: nonce, accessToken: "at")
      return nil
    } catch {
      return error
    }
  }

  @Test("T107 An ID token counts for the login whose nonce it has, and for no other")
  func nonce() throws {
    #expect(try fault(",\"nonce\":\"n-1\"") == nil)
    #expect(try fault(",\"nonce\":\"n-2\"") == .nonceMismatch)
    #expect(try fault(",\"nonce\":\"\"") == .nonceMismatch)
    #expect(try fault(",\"nonce\":7") == .nonceMismatch)
    #expect(try fault("") == .nonceMismatch)
    #expect(try fault("", nonce: nil) == nil)
  }

  @Test("T107 An ID token of another client is refused, even where this client is one of its audiences")
  func party() throws {
    func fault(aud: String, _ more: String) throws -> IDTokenCheck.Fault? {
      let claims = "{\"iss\":\"\(issuer.policy.issuer)\",\"aud\":\(aud),\"sub\":\"a\",\"exp\":\(testNow + 300)\(more)}"
      let caller = try issuer.verified(try issuer.token(claims))
      do throws(IDTokenCheck.Fault) {
        try IDTokenCheck.check(caller, clientID: "orders-api", nonce: nil, accessToken: "at")
        return nil
      } catch {
        return error
      }
    }
    #expect(try fault(aud: "[\"orders-api\"]", "") == nil)
    #expect(try fault(aud: "[\"orders-api\",\"other\"]", "") == .partyMismatch)
    #expect(try fault(aud: "[\"orders-api\",\"other\"]", ",\"azp\":\"orders-api\"") == nil)
    #expect(try fault(aud: "[\"orders-api\",\"other\"]", ",\"azp\":\"other\"") == .partyMismatch)
    #expect(try fault(aud: "\"orders-api\"", ",\"azp\":\"other\"") == .partyMismatch)
    #expect(try fault(aud: "\"orders-api\"", ",\"azp\":[\"orders-api\"]") == .partyMismatch)
  }

  @Test("An ID token without a subject is nobody's")
  func subject() throws {
    let claims = "{\"iss\":\"\(issuer.policy.issuer)\",\"aud\":\"orders-api\",\"exp\":\(testNow + 300)"
    for (more, expected) in [("}", IDTokenCheck.Fault.subjectMissing), (",\"sub\":\"\"}", .subjectMissing)] {
      let caller = try issuer.verified(try issuer.token(claims + more))
      #expect(throws: expected) {
        try IDTokenCheck.check(caller, clientID: "orders-api", nonce: nil, accessToken: "at")
      }
    }
  }

  @Test("auth_time is a number, and not before the earliest sign-in that is allowed")
  func signInTime() throws {
    func fault(_ more: String, since earliest: Int64) throws -> IDTokenCheck.Fault? {
      let caller = try issuer.verified(try issuer.token(issuer.claims(more)))
      do throws(IDTokenCheck.Fault) {
        try IDTokenCheck.checkSignIn(caller, since: earliest)
        return nil
      } catch {
        return error
      }
    }
    #expect(try fault(",\"auth_time\":1000", since: 1000) == nil)
    #expect(try fault(",\"auth_time\":1000.5", since: 1000) == nil)
    #expect(try fault(",\"auth_time\":999", since: 1000) == .signInTooOld)
    #expect(try fault(",\"auth_time\":-1", since: 1000) == .signInTimeMissing)
    #expect(try fault(",\"auth_time\":1700000000000", since: 1000) == .signInTimeMissing)
    #expect(try fault(",\"auth_time\":\"1000\"", since: 1000) == .signInTimeMissing)
    #expect(try fault(",\"auth_time\":null", since: 1000) == .signInTimeMissing)
    #expect(try fault("", since: 1000) == .signInTimeMissing)
  }

  @Test("auth_time of a refresh is that of the ID token before, where both have it")
  func signInTimeOfRefresh() throws {
    func fault(_ before: String, _ after: String) throws -> IDTokenCheck.Fault? {
      let earlier = try issuer.verified(try issuer.token(issuer.claims(before)))
      let caller = try issuer.verified(try issuer.token(issuer.claims(after)))
      do throws(IDTokenCheck.Fault) {
        try IDTokenCheck.checkSignIn(caller, after: earlier.claims)
        return nil
      } catch {
        return error
      }
    }
    let first = ",\"auth_time\":1000"
    for same in [first, "", ",\"auth_time\":1000.0"] { #expect(try fault(first, same) == nil) }
    for other in ["1001", "999", "-1", "null", "\"1000\"", "1700000000000"] {
      #expect(try fault(first, ",\"auth_time\":\(other)") == .signInMismatch, "\(other)")
    }
    #expect(try fault("", first) == nil)
  }

  @Test(
    "at_hash is the left half of the digest that the signature is made with",
    arguments: [
      (SignatureAlgorithm.es256, Digest.sha256), (.es384, .sha384), (.es512, .sha512), (.edDSA, .sha512),
      (.rs256, .sha256), (.ps384, .sha384),
    ])
  func accessTokenHash(_ algorithm: SignatureAlgorithm, _ digest: Digest) throws {
    let issuer = try TestIssuer(algorithm)
    let bytes = digest.digest("at".utf8.span)
    let half = String(decoding: Base64URL.encode(Array(bytes.prefix(bytes.count / 2))), as: UTF8.self)
    let whole = String(decoding: Base64URL.encode(bytes), as: UTF8.self)
    #expect(try fault(",\"at_hash\":\"\(half)\"", nonce: nil, of: issuer) == nil)
    #expect(try fault(",\"at_hash\":\"\(whole)\"", nonce: nil, of: issuer) == .accessTokenMismatch)
    #expect(try fault(",\"at_hash\":\"\"", nonce: nil, of: issuer) == .accessTokenMismatch)
    #expect(try fault(",\"at_hash\":null", nonce: nil, of: issuer) == .accessTokenMismatch)
  }

  @Test("The example of OpenID Connect Core has its at_hash")
  func example() {
    // OpenID Connect Core 1.0 §A.3.
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    let digest = Digest.sha256.digest(token.utf8.span)
    #expect(String(decoding: Base64URL.encode(Array(digest.prefix(16))), as: UTF8.self) == "77QmUPtjPfzWtF2AnpK9RQ")
  }

  // MARK: Logout tokens

  private static let event = ",\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}"

  private func logout(_ more: String, header: String? = nil) throws -> Result<LogoutTokenCheck, LogoutTokenCheck.Fault>
  {
    var issuer = issuer
    issuer.policy.purpose = "logout+jwt"
    let header = header ?? "\"typ\":\"logout+jwt\",\"kid\":\"\(issuer.keyID)\""
    let claims = "{\"iss\":\"\(issuer.policy.issuer)\",\"aud\":\"orders-api\",\"exp\":\(testNow + 120)\(more)}"
    let caller = try issuer.verified(try issuer.token(claims, header: header))
    do throws(LogoutTokenCheck.Fault) {
      return .success(try LogoutTokenCheck(caller, leewaySeconds: 30, now: testNow))
    } catch {
      return .failure(error)
    }
  }

  @Test("T112 A logout token names a session, a subject or both")
  func logoutTokens() throws {
    let rest = ",\"iat\":\(testNow),\"jti\":\"j\"" + Self.event
    let both = try logout(",\"sub\":\"a\",\"sid\":\"s\"" + rest).get()
    #expect(both.subject == Array("a".utf8) && both.session == Array("s".utf8) && both.id == Array("j".utf8))
    #expect(try logout(",\"sid\":\"s\"" + rest).get().subject == nil)
    #expect(try logout(",\"sub\":\"a\"" + rest).get().session == nil)
    #expect(try logout(",\"sub\":\"a\"" + rest, header: "\"kid\":\"key-1\"").get().session == nil)
  }

  @Test("T112 What is no logout token ends nothing")
  func otherTokens() throws {
    let iat = ",\"iat\":\(testNow)"
    let who = ",\"sub\":\"a\",\"jti\":\"j\""
    #expect(try logout(who + iat) == .failure(.eventMissing))
    #expect(try logout(who + iat + ",\"events\":{}") == .failure(.eventMissing))
    #expect(try logout(who + iat + ",\"events\":[\"backchannel-logout\"]") == .failure(.eventMissing))
    #expect(
      try logout(who + iat + Self.event.replacing("{}", with: "true")) == .failure(.eventMissing))
    #expect(try logout(who + iat + Self.event + ",\"nonce\":\"n\"") == .failure(.nonceThere))
    #expect(try logout(",\"jti\":\"j\"" + iat + Self.event) == .failure(.nobodyNamed))
    #expect(try logout(",\"sub\":\"a\"" + iat + Self.event) == .failure(.idMissing))
    #expect(try logout(who + Self.event) == .failure(.tooOld))
    #expect(try logout(who + ",\"iat\":\(testNow - 211)" + Self.event) == .failure(.tooOld))
  }

  @Test("T18 A logout token is no access token, and an ID token that says what it is no logout token")
  func purposes() throws {
    let token = try issuer.token(header: "\"typ\":\"logout+jwt\",\"kid\":\"\(issuer.keyID)\"")
    #expect(try issuer.outcome(token) == "type_not_allowed")
    var logout = issuer
    logout.policy.purpose = "logout+jwt"
    #expect(try logout.outcome(token) == "verified")
    let other = try issuer.token(header: "\"typ\":\"application/id_token+jwt\",\"kid\":\"\(issuer.keyID)\"")
    #expect(try logout.outcome(other) == "type_not_allowed")
  }
}
