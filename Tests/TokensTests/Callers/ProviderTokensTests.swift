// The provider's tokens as bytes: what a list gives back is what it was given, or nothing.

import Testing
import Tokens

@Suite("Tokens of a provider, as a list keeps them")
struct ProviderTokensTests {
  private func tokens(
    access: String = "a.b.c", refresh: String = "r-1", id: String = "i.d.t", issuedAt: Int64 = 1000,
    endsAt: Int64 = 1300
  ) -> ProviderTokens {
    ProviderTokens(
      accessToken: Array(access.utf8), refreshToken: Array(refresh.utf8), idToken: Array(id.utf8), issuedAt: issuedAt,
      endsAt: endsAt)
  }

  @Test("Tokens come back as they were")
  func roundTrip() {
    let large = String(repeating: "t", count: ProviderTokens.byteCountMax)
    for tokens in [tokens(), tokens(access: "", refresh: "", id: ""), tokens(access: large, endsAt: .max)] {
      #expect(ProviderTokens(encoded: tokens.encoded) == tokens)
    }
    #expect(tokens(access: "", refresh: "", id: "").encoded.count == 1 + 16 + 6)
  }

  @Test("They are due at three quarters of the access token's life, if they can be refreshed at all")
  func due() {
    #expect(tokens().refreshAt == 1225)
    #expect(tokens().nextLook(after: 1224) == 1225 && tokens().nextLook(after: 1225) == 1300)
    #expect(tokens(refresh: "").refreshAt == .max && tokens(refresh: "").nextLook(after: 2000) == .max)
    #expect(tokens(endsAt: .max).refreshAt == .max)
    #expect(tokens(issuedAt: 0, endsAt: .max - 1).refreshAt == (Int64.max - 1) / 4 * 3)
  }

  @Test("What is cut, longer, of another version, or no token is nothing, and nothing traps")
  func broken() {
    let good = tokens().encoded
    for count in good.indices { #expect(ProviderTokens(encoded: Array(good.prefix(count))) == nil) }
    #expect(ProviderTokens(encoded: good + [0]) == nil)
    for index in good.indices {
      for byte in [UInt8(0), 0x0A, 0x0D, 0x7F, 0xFF] {
        var bytes = good
        bytes[index] = byte
        guard let read = ProviderTokens(encoded: bytes) else { continue }
        // Only a time or a length can be another one.
        if bytes == good { continue }
        #expect(index < 17 && read.issuedAt <= read.endsAt && read.refreshAt >= read.issuedAt)
      }
    }
    for text in ["a\r\nX: y", "a b", "é"] { #expect(ProviderTokens(encoded: tokens(access: text).encoded) == nil) }
    #expect(ProviderTokens(encoded: tokens(issuedAt: 1301).encoded) == nil)
    #expect(ProviderTokens(encoded: tokens(issuedAt: -1).encoded) == nil)
  }
}
