// What the cache gives back, and what it lets go of.

import Cryptography
import JSON
import TestBasics
import Testing

@testable import Tokens

@Suite struct TokenCacheTests {
  /// A verified token of its own for each number, without arithmetic: the cache does not look at signatures.
  private static func make(_ number: Int, key: VerificationKey, issuer: Int = 0, expiresAt: Int64 = .max) throws
    -> Caller
  {
    Caller(
      credential: "token-number-\(number)-of-many".utf8.span, issuer: issuer, proof: .signature(key, .es256),
      claims: try JSONDocumentMaker.empty(), payloadPart: nil, validity: .init(endsAt: expiresAt), subject: nil)
  }

  @Test("A token that was kept is found again, and only that one")
  func hits() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let key = try #require(sets[0].keys.first)
    let cache = TokenCache(byteCountMax: 1 << 20)
    let tokens = try (0..<500).map { try Self.make($0, key: key) }
    for token in tokens { cache.insert(token, now: testNow) }
    #expect(cache.count == 500)
    for token in tokens {
      #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow) === token)
      for change in 0..<token.token.count {
        var other = token.token
        other[change] ^= 0x40
        #expect(cache.lookUp(other, candidates: [0], keySets: sets, now: testNow) == nil)
      }
      #expect(cache.lookUp(token.token.dropLast().map { $0 }, candidates: [0], keySets: sets, now: testNow) == nil)
    }
    #expect(cache.hits == 500)
    cache.insert(tokens[7], now: testNow)
    #expect(cache.count == 500)
    cache.removeAll(byteCountMax: cache.byteCountMax)
    #expect(cache.count == 0 && cache.byteCount == 0)
    #expect(cache.lookUp(tokens[0].token, candidates: [0], keySets: sets, now: testNow) == nil)
  }

  @Test("T16 A kept token dies at its end, to the second")
  func expiry() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let token = try issuer.verified(issuer.token())
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(token, now: testNow)
    #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow + 329) != nil)
    #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow + 330) == nil)
    #expect(cache.count == 0 && cache.byteCount == 0)
    cache.insert(token, now: testNow + 330)
    #expect(cache.count == 0)
  }

  @Test("A kept token whose time has not come, since the clock was set back, is not given out and stays")
  func beginning() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let token = try issuer.verified(issuer.token(issuer.claims(",\"nbf\":\(testNow - 10),\"iat\":\(testNow)")))
    #expect(token.beginsAt == testNow - 30)
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(token, now: testNow)
    #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow - 31) == nil)
    #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow - 30) === token)
  }

  @Test("T27 A kept token dies when its key leaves the set, and lives on when the set only changes around it")
  func rotation() throws {
    let issuer = try TestIssuer()
    let other = try TestIssuer()
    let token = try issuer.verified(issuer.token())
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(token, now: testNow)
    func isFound(_ set: KeySet?) -> Bool {
      cache.lookUp(token.token, candidates: [0], keySets: [set], now: testNow) != nil
    }
    #expect(isFound(try issuer.keySet()))
    #expect(isFound(try issuer.keySet()))
    let both = try KeySet.parse(
      KeySetWriter.encode([("key-2", other.key.publicKey, nil), ("key-1", issuer.key.publicKey, nil)]),
      algorithms: issuer.policy.algorithms)
    #expect(isFound(both))
    #expect(!isFound(nil))
    #expect(isFound(both))
    // The same kid, another key.
    #expect(!isFound(try other.keySet()))
    #expect(!isFound(both))
    #expect(cache.count == 0)
  }

  @Test("T29 A kept token counts only where its issuer does")
  func candidates() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet(), try issuer.keySet()]
    let token = try issuer.verified(issuer.token())
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(token, now: testNow)
    #expect(cache.lookUp(token.token, candidates: [1], keySets: sets, now: testNow) == nil)
    #expect(cache.lookUp(token.token, candidates: [], keySets: sets, now: testNow) == nil)
    #expect(cache.lookUp(token.token, candidates: [1, 0], keySets: sets, now: testNow) === token)
    #expect(cache.lookUp(token.token, candidates: [0], keySets: [], now: testNow) == nil)
  }

  @Test("A caller that a source vouched for is remembered until the answer is stale, whatever the keys are")
  func answered() throws {
    let issuer = try TestIssuer()
    let source = Question.Source.introspection(issuer: 0)
    let claims = try JSONDocument(Array(issuer.claims().utf8))
    func caller(freshUntil: Int64) throws -> Caller? {
      let verdict = Statement(claims: claims, freshUntil: freshUntil).verdict(
        on: "opaque".utf8.span, from: source, issuers: [IssuerRules(issuer.policy)], now: testNow)
      if case .caller(let caller) = verdict { return caller }
      return nil
    }
    let known = try #require(try caller(freshUntil: testNow + 60))
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(known, now: testNow)
    func isFound(_ keySets: [KeySet?], now: Int64) -> Bool {
      cache.lookUp(Array("opaque".utf8), candidates: [0], keySets: keySets, now: now) != nil
    }
    #expect(isFound([nil], now: testNow))
    #expect(isFound([try issuer.keySet()], now: testNow + 59))
    #expect(isFound([try TestIssuer().keySet()], now: testNow + 59))
    #expect(!isFound([nil], now: testNow + 60))
    #expect(cache.count == 0)
    cache.insert(try #require(try caller(freshUntil: testNow)), now: testNow)
    #expect(cache.count == 0)
  }

  @Test("Kept lines are given to those who made them, change nothing else, and count for the bound")
  func lines() throws {
    final class Author {}
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let token = try issuer.verified(issuer.token())
    let text = token.token
    let before = token.byteCount
    let (author, other) = (Author(), Author())
    #expect(token.lines(of: author) == nil)
    token.keep(String(repeating: "X-User: alice\r\n", count: 20).utf8.span, of: author)
    token.keep("X-User: mallory\r\n".utf8.span, of: other)
    #expect(token.lines(of: author)?.count == 300 && token.lines(of: other) == nil)
    #expect(token.token == text && token.byteCount >= before + 300)
    let cache = TokenCache(byteCountMax: 1 << 20)
    cache.insert(token, now: testNow)
    #expect(cache.byteCount > token.byteCount)
    #expect(cache.lookUp(text, candidates: [0], keySets: sets, now: testNow) === token)
    #expect(cache.lookUp(token.bytes, candidates: [0], keySets: sets, now: testNow) == nil)
    let empty = try issuer.verified(issuer.token())
    empty.keep("".utf8.span, of: author)
    #expect(empty.lines(of: author)?.isEmpty == true)
  }

  @Test("T31 Tokens that come once do not flush those in use, and the bound in bytes holds")
  func eviction() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let key = try #require(sets[0].keys.first)
    let bound = 200_000
    let cache = TokenCache(byteCountMax: bound)
    let inUse = try (0..<100).map { try Self.make($0, key: key) }
    func use() -> Int {
      inUse.count { cache.lookUp($0.token, candidates: [0], keySets: sets, now: testNow) != nil }
    }
    for token in inUse { cache.insert(token, now: testNow) }
    #expect(use() == 100)
    for number in 0..<50_000 {
      cache.insert(try Self.make(1000 + number, key: key), now: testNow)
      #expect(cache.byteCount <= bound)
    }
    #expect(use() == 100)
    // Those that are no longer asked for give way to others in the end.
    let successors = try (0..<2000).map { try Self.make(100_000 + $0, key: key) }
    for round in 0..<6 {
      for token in successors {
        if cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow) == nil {
          cache.insert(token, now: testNow)
          if round % 2 == 0 { _ = cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow) }
        }
      }
    }
    #expect(use() < 100)
    #expect(cache.byteCount <= bound)
  }

  @Test("A cache with no room keeps nothing, and every mix of steps leaves it consistent")
  func randomSteps() throws {
    let issuer = try TestIssuer()
    let sets = [try issuer.keySet()]
    let key = try #require(sets[0].keys.first)
    let none = TokenCache(byteCountMax: 0)
    none.insert(try Self.make(0, key: key), now: testNow)
    #expect(none.count == 0)
    var generator = SeededGenerator(seed: 3)
    let cache = TokenCache(byteCountMax: 30_000)
    let tokens = try (0..<300).map { try Self.make($0, key: key, expiresAt: testNow + Int64($0)) }
    var now = testNow - 1
    for step in 0..<30_000 {
      if step % 100 == 0 { now += 1 }
      let token = tokens[Int.random(in: 0..<tokens.count, using: &generator)]
      if Bool.random(using: &generator) {
        cache.insert(token, now: now)
      } else if let found = cache.lookUp(token.token, candidates: [0], keySets: sets, now: now) {
        #expect(found === token && now < found.expiresAt)
      }
      #expect(cache.byteCount <= 30_000)
    }
    // All of them have ended: looking at each leaves nothing.
    for token in tokens {
      #expect(cache.lookUp(token.token, candidates: [0], keySets: sets, now: testNow + 300) == nil)
    }
    #expect(cache.count == 0 && cache.byteCount == 0)
  }
}
