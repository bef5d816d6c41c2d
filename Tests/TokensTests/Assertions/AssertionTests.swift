// What an assertion says, how long it counts, and what is remembered of it.

import Bytes
import Cryptography
import JSON
import Testing

@testable import Tokens

@Suite struct AssertionTests {
  private let issuer: TestIssuer
  private let sets: [KeySet?]
  private let keys: [SigningKey]
  private let signer: AssertionSigner

  init() throws {
    issuer = try TestIssuer()
    sets = [try issuer.keySet()]
    keys = [try .generate(.ellipticCurve(.p256)), try .generate(.ellipticCurve(.p256))]
    signer = Self.signer(keys.prefix(1).map { AssertionSigner.Key($0) })
  }

  private static func signer(_ keys: [AssertionSigner.Key]) -> AssertionSigner {
    AssertionSigner(keys, algorithm: .es256, type: "JWT")
  }

  private func plan(_ claims: [String] = ["sub"], lifetime: Int64 = 60, audience: String = "orders") -> AssertionPlan {
    AssertionPlan(
      issuer: "https://gw/\"", audience: audience, lifetimeSeconds: lifetime, claims: claims.map { ClaimPath($0) })
  }

  private func caller(_ claims: String = "") throws -> Caller {
    let verdict = TokenVerifier().verify(
      try issuer.token(issuer.claims(claims)), candidates: [0], issuers: [IssuerRules(issuer.policy)], keySets: sets,
      now: testNow)
    guard case .caller(let caller) = verdict else { throw NoCaller() }
    return caller
  }

  private struct NoCaller: Error {}

  /// Header and claims of one whose signature is of this key.
  private func read(_ token: [UInt8], by key: SigningKey? = nil) throws -> (header: JSONDocument, claims: JSONDocument)
  {
    let parts = token.split(separator: UInt8(ascii: "."))
    #expect(parts.count == 3)
    let verifier = try #require(SignatureVerifier(key: (key ?? keys[0]).publicKey, scheme: .ecdsa(.sha256)))
    let signature = try #require(Base64URL.decode(Array(parts[2])))
    #expect(verifier.isValid(signature, over: Array(parts[0] + [0x2E] + parts[1])))
    return (
      try JSONDocument(try #require(Base64URL.decode(Array(parts[0])))),
      try JSONDocument(try #require(Base64URL.decode(Array(parts[1]))))
    )
  }

  private func text(_ document: JSONDocument) -> String { String(decoding: document.bytes, as: UTF8.self) }

  @Test("It says who signed, for whom, from when to when, and the claims that were asked for")
  func content() throws {
    let caller = try caller(
      ",\"scope\":\"a b\",\"org\":{\"id\":7,\"tier\":null,\"deep\":{\"x\":[1,{\"y\":\"\\u00e9\\\"\"}]}},\"none\":null"
        + ",\"https://x.example/roles\":[\"r\"]")
    let plan = plan([
      "sub", "scope", "org.id", "org.tier", "org.deep.x", "none", "missing.a", "missing.b", "https://x.example/roles",
    ])
    let (assertion, isNew) = try #require(plan.assertion(of: caller, by: signer, now: testNow))
    #expect(isNew)
    let (header, claims) = try read(assertion.token)
    #expect(
      text(header) == "{\"alg\":\"ES256\",\"kid\":\"\(keys[0].publicKey.thumbprint)\",\"typ\":\"JWT\"}")
    let id = try #require(claims.member("jti", of: claims.root).flatMap { claims.string(at: $0) })
    #expect(id.utf8.count == 22)
    #expect(
      text(claims) == "{\"iss\":\"https://gw/\\\"\",\"aud\":\"orders\",\"iat\":\(testNow),\"exp\":\(testNow + 60)"
        + ",\"jti\":\"\(id)\",\"https://x.example/roles\":[\"r\"],\"sub\":\"alice\",\"scope\":\"a b\""
        + ",\"org\":{\"id\":7,\"deep\":{\"x\":[1,{\"y\":\"\\u00e9\\\"\"}]}}}")
  }

  @Test("It ends with the caller's credential, and with its lifetime where that comes first")
  func end() throws {
    let caller = try caller()
    #expect(caller.expiresAt == testNow + 330)
    for (now, lifetime, end) in [
      (testNow, 60, testNow + 60), (testNow + 300, 60, testNow + 330), (testNow, 3600, testNow + 330),
    ] {
      let made = try #require(plan(lifetime: Int64(lifetime)).assertion(of: caller, by: signer, now: now))
      #expect(made.assertion.expiresAt == end)
      let claims = try read(made.assertion.token).claims
      #expect(claims.member("exp", of: claims.root).flatMap { claims.integer(at: $0) } == end)
    }
  }

  @Test("One is signed for half of its lifetime, for each audience and by each signer")
  func remembered() throws {
    let caller = try caller()
    let (orders, stock) = (plan(), plan(audience: "stock"))
    func token(_ plan: AssertionPlan, _ seconds: Int64, _ signer: AssertionSigner? = nil) throws -> [UInt8] {
      try #require(plan.assertion(of: caller, by: signer ?? self.signer, now: testNow + seconds)).assertion.token
    }
    let first = try token(orders, 0)
    let other = try token(stock, 0)
    #expect(first != other)
    #expect(try token(orders, 29) == first && token(stock, 29) == other)
    let second = try token(orders, 30)
    #expect(second != first)
    #expect(try token(orders, 59) == second)
    // Other keys count at once.
    let renewed = Self.signer([AssertionSigner.Key(keys[1])])
    let third = try token(orders, 31, renewed)
    #expect(third != second)
    _ = try read(third, by: keys[1])
  }

  @Test("A new key shows itself for a minute before it signs, and the oldest signs where all are new")
  func rotation() throws {
    let caller = try caller()
    func key(_ ages: [Int64]) throws -> String {
      let signer = Self.signer(zip(keys, ages).map { AssertionSigner.Key($0, id: "\($1)", signsFrom: testNow + $1) })
      let header = try read(
        try #require(plan().assertion(of: caller, by: signer, now: testNow)).assertion.token,
        by: ages[0] <= 0 ? keys[0] : keys[1]
      ).header
      let set = String(decoding: signer.keySet, as: UTF8.self)
      for age in ages { #expect(set.contains("\"kid\":\"\(age)\"")) }
      #expect(!set.contains("\"d\""))
      return try #require(header.member("kid", of: header.root).flatMap { header.string(at: $0) })
    }
    #expect(try key([0, -60]) == "0")
    #expect(try key([1, -60]) == "-60")
    #expect(try key([60, 30]) == "30")
  }

  @Test("What is remembered counts in the cache's bound, and of many audiences the first make room")
  func memory() throws {
    let caller = try caller(",\"long\":\"\(String(repeating: "l", count: 4000))\"")
    let cache = TokenCache(byteCountMax: 40_000)
    cache.insert(caller, now: testNow)
    let before = cache.byteCount
    for number in 0..<20 {
      _ = plan(audience: "a\(number)").assertion(of: caller, by: signer, now: testNow)
      cache.weigh(caller, now: testNow)
    }
    #expect(cache.count == 1)
    #expect(cache.byteCount > before + 8 * 300 && cache.byteCount < before + 8 * 1000)
    // With the long claim in each, it is more than the bound.
    for number in 0..<20 {
      _ = plan(["long"], audience: "b\(number)").assertion(of: caller, by: signer, now: testNow)
      cache.weigh(caller, now: testNow)
    }
    #expect(cache.count == 0 && cache.byteCount == 0)
    // Nothing is known of it any more.
    cache.weigh(caller, now: testNow)
    #expect(cache.byteCount == 0)
  }
}
