// Keys, signatures and their forms.

import Testing

@testable import Cryptography

@Suite struct CryptographyTests {
  static let cases: [(SigningKey.Kind, SignatureScheme)] = [
    (.rsa(bitCount: 2048), .rsaPKCS1(.sha256)), (.rsa(bitCount: 2048), .rsaPSS(.sha512)),
    (.ellipticCurve(.p256), .ecdsa(.sha256)), (.ellipticCurve(.p384), .ecdsa(.sha384)),
    (.ellipticCurve(.p521), .ecdsa(.sha512)), (.edwards(.ed25519), .edDSA), (.edwards(.ed448), .edDSA),
    (.secret(byteCount: 64), .hmac(.sha512)),
  ]

  @Test("A key's signatures are valid again and again, and no other's are", arguments: cases.indices)
  func signatures(index: Int) throws {
    let (kind, scheme) = Self.cases[index]
    let key = try SigningKey.generate(kind)
    let other = try SigningKey.generate(kind)
    let verifier = try #require(SignatureVerifier(key: key.publicKey, scheme: scheme))
    for number in 0..<20 {
      let message = Array("message \(number)".utf8)
      let signature = try #require(key.sign(message, scheme))
      #expect(verifier.isValid(signature, over: message))
      let foreign = try #require(other.sign(message, scheme))
      #expect(!verifier.isValid(foreign, over: message))
      #expect(!verifier.isValid(signature, over: (message + [0])))
      #expect(!verifier.isValid((signature + [0]), over: message))
      #expect(!verifier.isValid(Array(signature.dropLast()), over: message))
      #expect(!verifier.isValid(([0] + signature), over: message))
    }
    #expect(!verifier.isValid([UInt8](), over: [UInt8]()))
    let empty = try #require(key.sign([UInt8](), scheme))
    #expect(verifier.isValid(empty, over: [UInt8]()))
  }

  @Test("Keys come back from PEM", arguments: cases.indices)
  func pem(index: Int) throws {
    let key = try SigningKey.generate(Self.cases[index].0)
    guard let pem = key.pem() else {
      guard case .secret = key.publicKey.components else { throw KeyError.unreadable }
      return
    }
    #expect(String(decoding: pem, as: UTF8.self).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    #expect(try SigningKey(pem: pem).publicKey.components == key.publicKey.components)
    for count in stride(from: 0, to: pem.count - 30, by: 7) {
      #expect(throws: KeyError.self) { try SigningKey(pem: Array(pem[..<count])) }
    }
  }

  @Test("A scheme that is not the key's has no verifier and no signature")
  func unfit() throws {
    let schemes: [SignatureScheme] = [
      .rsaPKCS1(.sha256), .rsaPSS(.sha256), .ecdsa(.sha256), .ecdsa(.sha384), .ecdsa(.sha512), .edDSA, .hmac(.sha256),
    ]
    let kinds: [(SigningKey.Kind, Int)] = [
      (.rsa(bitCount: 2048), 2), (.ellipticCurve(.p256), 1), (.ellipticCurve(.p384), 1), (.ellipticCurve(.p521), 1),
      (.edwards(.ed25519), 1), (.edwards(.ed448), 1), (.secret(byteCount: 32), 1), (.secret(byteCount: 31), 0),
    ]
    for (kind, expected) in kinds {
      let key = try SigningKey.generate(kind)
      let verifiers = schemes.filter { SignatureVerifier(key: key.publicKey, scheme: $0) != nil }
      #expect(verifiers.count == expected, "\(kind)")
      #expect(schemes.filter { key.sign([1], $0) != nil } == verifiers)
    }
  }

  @Test(
    "T07 ECDSA signatures with r or s 0, the order or above it are no signatures", arguments: EllipticCurve.allCases)
  func degenerate(curve: EllipticCurve) throws {
    let orders: [EllipticCurve: String] = [
      .p256: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
      .p384: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
      .p521: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
        + "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    ]
    let text = Array(try #require(orders[curve]))
    let order = try stride(from: 0, to: text.count, by: 2).map {
      try #require(UInt8(String(text[$0...$0 + 1]), radix: 16))
    }
    let length = curve.coordinateByteCount
    #expect(order.count == length)
    let scheme: SignatureScheme = curve == .p256 ? .ecdsa(.sha256) : curve == .p384 ? .ecdsa(.sha384) : .ecdsa(.sha512)
    let key = try SigningKey.generate(.ellipticCurve(curve))
    let verifier = try #require(SignatureVerifier(key: key.publicKey, scheme: scheme))
    let zero = [UInt8](repeating: 0, count: length)
    let one = Array(zero.dropLast()) + [1]
    let full = [UInt8](repeating: 0xFF, count: length)
    var below = order
    below[length - 1] -= 1
    let message = Array("message".utf8)
    for r in [zero, one, order, below, full] {
      for s in [zero, one, order, below, full] {
        #expect(!verifier.isValid((r + s), over: message))
      }
    }
    // A good signature's s, moved by the order, names the same number and is refused where it still fits.
    let signature = try #require(key.sign(message, scheme))
    #expect(verifier.isValid(signature, over: message))
    #expect(!verifier.isValid((Array(signature[..<length]) + zero), over: message))
    #expect(!verifier.isValid((zero + Array(signature[length...])), over: message))
  }

  @Test("T08 Only the raw form of exactly the curve's length is taken", arguments: EllipticCurve.allCases)
  func rawForm(curve: EllipticCurve) throws {
    let scheme: SignatureScheme = curve == .p256 ? .ecdsa(.sha256) : curve == .p384 ? .ecdsa(.sha384) : .ecdsa(.sha512)
    let key = try SigningKey.generate(.ellipticCurve(curve))
    let verifier = try #require(SignatureVerifier(key: key.publicKey, scheme: scheme))
    let message = Array("message".utf8)
    let raw = try #require(key.sign(message, scheme))
    var scratch = [UInt8](repeating: 0, count: DER.signatureByteCountMax)
    let count = try #require(
      DER.encodeSignature(raw, coordinateByteCount: curve.coordinateByteCount, into: &scratch))
    let der = Array(scratch[..<count])
    #expect(DER.decodeSignature(der, coordinateByteCount: curve.coordinateByteCount) == raw)
    #expect(!verifier.isValid(der, over: message))
    for length in 0...300 where length != raw.count {
      let changed = Array((raw + [UInt8](repeating: 0, count: 300)).prefix(length))
      #expect(!verifier.isValid(changed, over: message))
    }
  }

  @Test("T08 The conversion is right for every count of leading zeros and for the longest numbers")
  func conversion() {
    for length in [32, 48, 66] {
      for zeros in 0..<length {
        for first: UInt8 in [1, 0x7F, 0x80, 0xFF] {
          let half = [UInt8](repeating: 0, count: zeros) + [first] + [UInt8](repeating: 0xA5, count: length - zeros - 1)
          let other = [UInt8](repeating: 0xFF, count: length)
          for raw in [half + other, other + half, half + half] {
            var scratch = [UInt8](repeating: 0, count: DER.signatureByteCountMax)
            guard let count = DER.encodeSignature(raw, coordinateByteCount: length, into: &scratch) else {
              Issue.record("no conversion")
              return
            }
            #expect(DER.decodeSignature(Array(scratch[..<count]), coordinateByteCount: length) == raw)
          }
        }
      }
    }
  }

  @Test("Digests, random bytes and comparisons are what they say")
  func primitives() throws {
    let digest = SHA256.digest(Array("abc".utf8))
    #expect(digest.prefix(4) == [0xBA, 0x78, 0x16, 0xBF])
    #expect(digest.count == 32)
    let first = try #require(RandomBytes.make(32))
    #expect(first.count == 32 && first != RandomBytes.make(32))
    #expect(ConstantTime.areEqual(digest, Array(digest)))
    #expect(!ConstantTime.areEqual(digest, first))
    #expect(!ConstantTime.areEqual(digest, Array(digest.dropLast())))
    #expect(ConstantTime.areEqual([UInt8](), [UInt8]()))
  }
}
