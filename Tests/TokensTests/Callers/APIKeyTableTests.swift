// The table of API keys: what it finds, what it refuses, and that a hundred thousand keys are small.

import Cryptography
import JSON
import Testing

@testable import Tokens

@Suite("Table of API keys")
struct APIKeyTableTests {
  private func verdict(_ table: APIKeyTable, _ key: String, id: String? = nil, now: Int64 = 100) throws -> Verdict? {
    var check = APIKeyCheck()
    let bytes = Array(key.utf8)
    guard check.take(bytes.span), check.makeDigest() else { return nil }
    guard let id else {
      return table.verdict(on: check.credential.span, digest: check.digest.span, set: 3, id: nil, now: now)
    }
    let name = Array(id.utf8)
    return table.verdict(on: check.credential.span, digest: check.digest.span, set: 3, id: name.span, now: now)
  }

  private func digest(_ key: String) -> [UInt8] { SHA256.digest(Array(key.utf8).span) }

  @Test("A key is found by its digest with its claims, and by the name of its id where the client says one")
  func found() throws {
    var table = APIKeyTable()
    let claims = Array(#"{"sub":"acme","plan":"gold","scope":"a b"}"#.utf8)
    let areIn = [
      table.insert(digest: digest("one"), id: Array("acme".utf8), claims: claims, expiresAt: 200),
      table.insert(digest: digest("two"), id: Array("acme".utf8), claims: claims, expiresAt: .max),
      table.insert(digest: digest("one"), id: Array("b".utf8), claims: claims, expiresAt: .max),
      table.insert(digest: [1, 2], id: Array("b".utf8), claims: claims, expiresAt: .max),
    ]
    #expect(areIn == [true, true, false, false])
    #expect(table.count == 2)
    guard case .caller(let caller) = try verdict(table, "one") else {
      Issue.record("not found")
      return
    }
    let subject = try #require(caller.subject)
    #expect(caller.claims.string(at: subject) == "acme")
    #expect(caller.issuer == nil && caller.expiresAt == 200 && caller.hasScopes([Array("b".utf8)]))
    guard case .apiKey(set: 3, freshUntil: .max) = caller.proof else {
      Issue.record("\(caller.proof)")
      return
    }
    #expect(try verdict(table, "three") == nil && verdict(table, "") == nil && verdict(table, "one", id: "b") == nil)
    if case .caller = try verdict(table, "two", id: "acme") {} else { Issue.record("not found by its name") }
    guard case .refused(.apiKeyExpired, nil, let refused) = try verdict(table, "one", now: 200) else {
      Issue.record("still good")
      return
    }
    #expect(refused == Array("acme".utf8))
    let (one, two) = (digest("one"), digest("two"))
    let areKept = (table.keeps(caller, digest: one.span), table.keeps(caller, digest: two.span))
    #expect(areKept == (true, false))
    #expect(table.id(ofKey: Array("two".utf8)) == "acme" && table.id(ofKey: Array("three".utf8)) == nil)
  }

  @Test("A key that is longer than any is not taken")
  func long() {
    var check = APIKeyCheck()
    let long = [UInt8](repeating: 0x61, count: APIKeyCheck.byteCountMax + 1)
    let isTaken = check.take(long.span)
    let isShorterTaken = check.take(long.span.extracting(first: APIKeyCheck.byteCountMax))
    #expect(!isTaken && isShorterTaken)
    #expect(check.credential.count == APIKeyCheck.byteCountMax + 1)
  }

  @Test("Each of twenty thousand keys is found, and none that is not there")
  func many() throws {
    var table = APIKeyTable()
    for number in 0..<20_000 {
      let claims = Array("{\"sub\":\"\(number)\"}".utf8)
      _ = table.insert(digest: digest("k\(number)"), id: Array("\(number)".utf8), claims: claims, expiresAt: .max)
    }
    #expect(table.count == 20_000)
    for number in stride(from: 0, to: 20_000, by: 37) {
      #expect(table.id(ofKey: Array("k\(number)".utf8)) == "\(number)")
      #expect(table.id(ofKey: Array("x\(number)".utf8)) == nil)
    }
  }
}
