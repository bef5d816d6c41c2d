// Sealed boxes and the keys for them, against published vectors.

import Bytes
import Testing

@testable import Cryptography

struct SealingTests {
  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0..<$0 + 2]), radix: 16) }
  }

  /// D. McGrew and J. Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16.
  private static let vectors: [(key: String, nonce: String, context: String, plaintext: String, sealed: String)] = [
    (
      String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", "",
      "530f8afbc74536b9a963b4f1c4cb738b"
    ),
    (
      String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", String(repeating: "00", count: 16),
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
    ),
    (
      "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
    ),
  ]

  @Test("AES-256-GCM gives the published ciphertexts and tags, and opens them")
  func vectorsOfGCM() throws {
    for vector in Self.vectors {
      let key = try #require(SealingKey(Self.bytes(vector.key)))
      let nonce = Self.bytes(vector.nonce)
      let context = Self.bytes(vector.context)
      let plaintext = Self.bytes(vector.plaintext)
      let sealed = Self.bytes(vector.sealed)
      #expect(key.seal(plaintext, nonce: nonce, context: context) == sealed)
      #expect(key.open(sealed, nonce: nonce, context: context) == plaintext)
    }
  }

  @Test("HKDF with SHA-256 gives the keys of RFC 5869, appendix A.1 to A.3")
  func vectorsOfHKDF() {
    let first = KeyDerivation.derive(
      42, from: [UInt8](repeating: 0x0B, count: 22), salt: Self.bytes("000102030405060708090a0b0c"),
      label: Self.bytes("f0f1f2f3f4f5f6f7f8f9"))
    #expect(
      first
        == Self.bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
    let second = KeyDerivation.derive(
      82, from: Array(0x00...0x4F), salt: Array(0x60...0xAF), label: Array(0xB0...0xFF))
    #expect(
      second
        == Self.bytes(
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"))
    let third = KeyDerivation.derive(42, from: [UInt8](repeating: 0x0B, count: 22), label: [])
    #expect(
      third
        == Self.bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
    #expect(KeyDerivation.derive(8161, from: [1], label: []) == nil)
  }

  private static let old = [UInt8](repeating: 1, count: 32)
  private static let new = [UInt8](repeating: 2, count: 32)

  @Test("The first secret seals and all of them open, so that a secret can be replaced")
  func rotation() throws {
    let before = try #require(SealingKeys(secrets: [Self.old], purpose: "test"))
    let during = try #require(SealingKeys(secrets: [Self.new, Self.old], purpose: "test"))
    let after = try #require(SealingKeys(secrets: [Self.new], purpose: "test"))
    let text = Array("refresh token".utf8)
    let context = Array("session".utf8)
    let oldBox = try #require(before.seal(text, context: context))
    let newBox = try #require(during.seal(text, context: context))
    #expect(during.open(oldBox, context: context) == text)
    #expect(after.open(newBox, context: context) == text)
    #expect(after.open(oldBox, context: context) == nil)
    #expect(before.open(newBox, context: context) == nil)
    #expect(SealingKeys(secrets: [], purpose: "test") == nil)
  }

  @Test("A box opens for its own purpose and place only, and not with a bit of it changed or a byte missing")
  func binding() throws {
    let keys = try #require(SealingKeys(secrets: [Self.old], purpose: "test"))
    let others = try #require(SealingKeys(secrets: [Self.old], purpose: "other"))
    let text = Array("text".utf8)
    let place = Array("here".utf8)
    let box = try #require(keys.seal(text, context: place))
    #expect(keys.open(box, context: place) == text)
    #expect(others.open(box, context: place) == nil)
    #expect(keys.open(box, context: Array("there".utf8)) == nil)
    for index in box.indices {
      for bit in 0..<8 {
        var changed = box
        changed[index] ^= 1 << bit
        #expect(keys.open(changed, context: place) == nil)
      }
      #expect(keys.open(Array(box.prefix(index)), context: place) == nil)
    }
  }

  @Test("Two boxes of the same text differ, and nothing at all can be sealed as well")
  func freshness() throws {
    let keys = try #require(SealingKeys(secrets: [Self.old], purpose: "test"))
    let text = Array("text".utf8)
    #expect(keys.seal(text, context: []) != keys.seal(text, context: []))
    let empty = try #require(keys.seal([], context: []))
    #expect(empty.count == 29)
    #expect(keys.open(empty, context: []) == [])
  }

  @Test("A digest that is prepared once gives what the plain one does, again and again")
  func preparedDigest() {
    let digest = PreparedDigest()
    for count in [0, 1, 43, 63, 64, 200] {
      let message = [UInt8](repeating: 0x5A, count: count)
      #expect(digest.sha256(message) == SHA256.digest(message))
    }
  }
}
