// Signatures that are none, or not in the one right form: T07, T08.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct SignatureBytesTests {
  /// The orders of the curves' groups (SEC 2), big-endian.
  private static let orders: [SignatureAlgorithm: String] = [
    .es256: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    .es384:
      "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    .es512:
      "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47"
      + "aebb6fb71e91386409",
  ]

  private func number(_ hexadecimal: String) -> [UInt8] {
    stride(from: 0, to: hexadecimal.count, by: 2).map { offset in
      let start = hexadecimal.index(hexadecimal.startIndex, offsetBy: offset)
      return UInt8(hexadecimal[start..<hexadecimal.index(start, offsetBy: 2)], radix: 16) ?? 0
    }
  }

  @Test(
    "T07 ECDSA signatures of zeros, of the group's order and of all ones are refused",
    arguments: [
      SignatureAlgorithm.es256, .es384, .es512,
    ])
  func zeros(_ algorithm: SignatureAlgorithm) async throws {
    let key = try TestKey(algorithm)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let order = number(try #require(Self.orders[algorithm]))
    let zero = [UInt8](repeating: 0, count: order.count)
    var one = zero
    one[order.count - 1] = 1
    let ones = [UInt8](repeating: 255, count: order.count)
    let halves = [zero, order, one, ones]
    let good = TokenDoor.token(key)
    let signed = good.split(separator: ".").dropLast().joined(separator: ".")
    let signature = bytes(base64URL: String(good.split(separator: ".")[2]))
    #expect(signature.count == 2 * order.count)
    var tokens: [String] = []
    for r in halves {
      for s in halves { tokens.append(signed + "." + base64URL(r + s)) }
      tokens.append(signed + "." + base64URL(r + signature.suffix(order.count)))
      tokens.append(signed + "." + base64URL(signature.prefix(order.count) + r))
    }
    #expect(try await door.verdicts(tokens) == tokens.map { _ in "signature_invalid" })
    #expect(try await door.verdict(good) == "passed")
  }

  @Test(
    "T08 An ECDSA signature in DER, cut short, or longer than it should be is refused, and nothing breaks",
    arguments: [
      SignatureAlgorithm.es256, .es384, .es512,
    ])
  func forms(_ algorithm: SignatureAlgorithm) async throws {
    let key = try TestKey(algorithm)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let good = TokenDoor.token(key)
    let signed = good.split(separator: ".").dropLast().joined(separator: ".")
    let signature = bytes(base64URL: String(good.split(separator: ".")[2]))
    let half = signature.count / 2
    let der = derSignature(Array(signature.prefix(half)), Array(signature.suffix(half)))
    var wrong: [[UInt8]] = [der, [0] + signature, signature + [0], signature + signature, [0x30], [0x30, 0x80], [0]]
    for count in [1, half - 1, half, half + 1, 2 * half - 1] { wrong.append(Array(signature.prefix(count))) }
    wrong.append([UInt8](repeating: 0x30, count: 9000))
    // Each half a byte longer, with a zero in front.
    wrong.append([0] + signature.prefix(half) + [0] + signature.suffix(half))
    let tokens = wrong.map { signed + "." + base64URL($0) }
    #expect(try await door.verdicts(tokens) == tokens.map { _ in "signature_invalid" })
    #expect(try await door.verdict(good) == "passed")
  }

  @Test(
    "T08 RSA and EdDSA signatures of another length, or with one bit changed, are refused",
    arguments: [
      SignatureAlgorithm.rs256, .ps256, .edDSA, .ed448,
    ])
  func lengths(_ algorithm: SignatureAlgorithm) async throws {
    let key = try TestKey(algorithm)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let good = TokenDoor.token(key)
    let signed = good.split(separator: ".").dropLast().joined(separator: ".")
    let signature = bytes(base64URL: String(good.split(separator: ".")[2]))
    var wrong: [[UInt8]] = [
      [0], [0] + signature, signature + [0], Array(signature.dropLast()), Array(signature.dropFirst()),
      [UInt8](repeating: 0, count: signature.count), [UInt8](repeating: 255, count: signature.count),
    ]
    for place in [0, signature.count / 2, signature.count - 1] {
      var changed = signature
      changed[place] ^= 1
      wrong.append(changed)
    }
    let tokens = wrong.map { signed + "." + base64URL($0) }
    #expect(try await door.verdicts(tokens) == tokens.map { _ in "signature_invalid" })
    #expect(try await door.verdict(good) == "passed")
  }

  private func derSignature(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] {
    func integer(_ bytes: [UInt8]) -> [UInt8] {
      let trimmed = Array(bytes.drop { $0 == 0 })
      let content = (trimmed.first ?? 0) > 127 ? [0] + trimmed : trimmed
      return [2, UInt8(content.count)] + content
    }
    let content = integer(r) + integer(s)
    return content.count < 128 ? [0x30, UInt8(content.count)] + content : [0x30, 0x81, UInt8(content.count)] + content
  }
}
