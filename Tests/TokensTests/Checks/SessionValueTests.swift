// A session as a store keeps it: read as it was written, and never read otherwise.

import Testing

@testable import Tokens

@Suite("Sessions as bytes")
struct SessionValueTests {
  private static let record = SessionRecord(
    session: "web", issuer: "login", subject: [], providerSession: [],
    claims: Array("{\"iss\":\"i\",\"sub\":\"b\\u00f6b\",\"sid\":\"s1\"}".utf8), lifetimeSeconds: 3600, idleSeconds: 600)

  private let value = SessionValue(record, sealedTokens: [1, 2, 3, 255], now: 1_700_000_000)

  private func read(_ bytes: some Collection<UInt8>) -> SessionValue? {
    let bytes = Array(bytes)
    return SessionValue(bytes.span)
  }

  private func digest(of key: some Collection<UInt8>, prefix: [UInt8]) -> [UInt8]? {
    let key = Array(key)
    return SessionStoreKey.digest(of: key.span, prefix: prefix)
  }

  @Test("What is written is read, with the subject and the provider's name in the claims")
  func read() throws {
    let bytes = try #require(value.encoded)
    #expect(self.read(bytes) == value)
    #expect(value.subject == Array("böb".utf8))
    #expect(value.providerSession == Array("s1".utf8))
    // Scripts rely on these places.
    #expect(Array(bytes[SessionValue.useRange]) == SessionValue.encoded(value.usedAt))
    #expect(Array(bytes[9..<17]) == SessionValue.encoded(fence: 0))
    #expect(SessionValue.replacementOffset == 9)
  }

  @Test("What was cut at any byte, or goes on behind its end, is no session")
  func cut() throws {
    let bytes = try #require(value.encoded)
    for count in bytes.indices { #expect(read(bytes[..<count]) == nil) }
    #expect(read(bytes + [0]) == nil)
  }

  @Test("A changed byte makes another session or none, which is written as it was read")
  func changed() throws {
    let bytes = try #require(value.encoded)
    for index in bytes.indices {
      for bit in 0..<8 {
        var other = bytes
        other[index] ^= 1 << bit
        // A name that is not UTF-8 is read as another one.
        if let read = self.read(other), !(read.session + read.issuer).contains("\u{FFFD}") {
          #expect(read != value)
          #expect(read.encoded == other)
        }
      }
    }
  }

  @Test("It ends with its lifetime or its idle time, whichever comes first, and a use is due after a tenth")
  func times() {
    let start = value.beganAt
    #expect(value.secondsLeft(at: start) == 600)
    #expect(value.secondsLeft(at: start + 3500) == 100)
    #expect(value.secondsLeft(at: start + 3600) == 0)
    #expect(!value.isUseDue(at: start + 59))
    #expect(value.isUseDue(at: start + 60))
    #expect(value.secondsUntilUse(at: start + 50) == 10)
    #expect(value.secondsUntilUse(at: start + 500) == 0)
  }

  @Test("A key is that of its digest, and other keys are of none")
  func keys() {
    let prefix = Array("catraca:".utf8)
    let digest = (0..<32).map { UInt8($0 * 8 + 3) }
    let key = SessionStoreKey.of(digest, prefix: prefix)
    #expect(self.digest(of: key, prefix: prefix) == digest)
    #expect(self.digest(of: key, prefix: []) == nil)
    #expect(self.digest(of: key[..<79], prefix: prefix) == nil)
    #expect(self.digest(of: key.dropLast() + [0x47], prefix: prefix) == nil)
  }
}
