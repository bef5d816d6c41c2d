// Numbers that look like a public key and are one that anybody can sign for, or that falls at once: points of small
// order on the Edwards curves, and RSA moduli with a small factor.

internal import Bytes

/// Which encoded points of the Edwards curves may be keys (RFC 8032 §5.1.3, §5.2.3).
enum EdwardsPoint {
  /// Whether the key, of its curve's length, is written in the one right form and its point is not of small order. For
  /// such a point signatures can be made without a private key: a first half of 1 and a second of 0 are one for the
  /// neutral point, whatever the message (libsodium and ed25519-dalek's `verify_strict` refuse them, too).
  static func mayBeKey(_ curve: EdwardsCurve, _ key: Span<UInt8>) -> Bool {
    // The number y with its lowest byte first. The topmost bit is the sign of x, which both points of a y share.
    var y = key.copied()
    y[y.count - 1] &= 0x7F
    let prime = curve == .ed25519 ? prime25519 : prime448
    return isBelow(y, prime) && !smallOrder(curve).contains(y)
  }

  private static func isBelow(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    for index in a.indices.reversed() where a[index] != b[index] { return a[index] < b[index] }
    return false
  }

  private static func number(_ low: UInt8, ofByteCount count: Int) -> [UInt8] {
    [low] + [UInt8](repeating: 0, count: count - 1)
  }

  /// 2^255 - 19.
  private static let prime25519: [UInt8] = [0xED] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]
  /// 2^448 - 2^224 - 1, and the byte that holds the sign only.
  private static let prime448: [UInt8] =
    [UInt8](repeating: 0xFF, count: 28) + [0xFE] + [UInt8](repeating: 0xFF, count: 27) + [0]

  private static func smallOrder(_ curve: EdwardsCurve) -> [[UInt8]] {
    curve == .ed25519 ? smallOrder25519 : smallOrder448
  }

  /// The y of the eight points whose order divides 8: 1 (order 1), -1 (2), 0 (4, twice), and two numbers (8, each
  /// twice). They are those of libsodium's `ge25519_has_small_order`.
  private static let smallOrder25519: [[UInt8]] = [
    number(1, ofByteCount: 32), [0xEC] + prime25519.dropFirst(), number(0, ofByteCount: 32),
    [
      0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
      0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ],
    [
      0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
      0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ],
  ]

  /// The y of the four points whose order divides 4: 1 (order 1), -1 (2), and 0 (4, twice).
  private static let smallOrder448: [[UInt8]] = [
    number(1, ofByteCount: 57), [0xFE] + prime448.dropFirst(), number(0, ofByteCount: 57),
  ]
}

enum RSAModulus {
  /// The odd primes below 752, by which NIST SP 800-89 §5.3.3 has a modulus tried.
  private static let smallPrimes: [UInt64] = (3...751).filter { number in
    (2..<number).prefix { $0 * $0 <= number }.allSatisfy { number % $0 != 0 }
  }

  /// Whether an odd number has a factor that no generator would have chosen: then the rest of it may fall just as
  /// easily.
  static func hasSmallFactor(_ modulus: [UInt8]) -> Bool {
    smallPrimes.contains { prime in modulus.reduce(UInt64(0)) { ($0 << 8 | UInt64($1)) % prime } == 0 }
  }
}
