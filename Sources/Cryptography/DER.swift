// The few DER structures that the gateway writes (X.690 §8, §10): public keys as SubjectPublicKeyInfo (RFC 5280 §4.1),
// and ECDSA signatures between their raw form in JWS and what OpenSSL reads (RFC 3279 §2.2.3).

internal import Bytes

enum DER {
  static let sequence: UInt8 = 0x30
  static let integer: UInt8 = 0x02
  static let bitString: UInt8 = 0x03

  private static let rsaEncryption: [UInt8] = [
    0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
  ]
  private static let ecPublicKey: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]

  /// Object identifier of a curve (RFC 5480 §2.1.1.1).
  private static func identifier(_ curve: EllipticCurve) -> [UInt8] {
    switch curve {
    case .p256: [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
    case .p384: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]
    case .p521: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]
    }
  }

  /// Tag, length, content.
  static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    var result = [tag]
    if content.count < 0x80 {
      result.append(UInt8(truncatingIfNeeded: content.count))
    } else {
      var lengthBytes: [UInt8] = []
      var rest = content.count
      while rest > 0 {
        lengthBytes.insert(UInt8(truncatingIfNeeded: rest), at: 0)
        rest >>= 8
      }
      result.append(0x80 | UInt8(truncatingIfNeeded: lengthBytes.count))
      result += lengthBytes
    }
    return result + content
  }

  /// An unsigned number without leading zeros.
  private static func unsigned(_ bytes: [UInt8]) -> [UInt8] {
    element(integer, (bytes.first ?? 0x80) >= 0x80 ? [0] + bytes : bytes)
  }

  static func rsaPublicKey(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
    let key = element(sequence, unsigned(modulus) + unsigned(exponent))
    return element(sequence, rsaEncryption + element(bitString, [0] + key))
  }

  /// The point in uncompressed form (SEC 1 §2.3.3).
  static func ellipticCurvePublicKey(_ curve: EllipticCurve, x: [UInt8], y: [UInt8]) -> [UInt8] {
    element(sequence, element(sequence, ecPublicKey + identifier(curve)) + element(bitString, [0, 4] + x + y))
  }

  /// The most bytes that anything of P-521's length takes: two numbers of 66 bytes, each with a zero in front since a
  /// forger may set its highest bit, in a sequence with a length of two bytes.
  static let signatureByteCountMax = 3 + 2 * (2 + 1 + 66)

  /// Writes the raw signature r ‖ s as a sequence of two integers to the front of `result`, which must hold
  /// ``signatureByteCountMax`` bytes, and gives the bytes written. nil when the length is not exactly twice
  /// `coordinateByteCount` (T08) or one half is 0 (T07). Whether they are below the curve's order is OpenSSL's to
  /// check.
  static func encodeSignature(_ raw: Span<UInt8>, coordinateByteCount: Int, into result: inout [UInt8]) -> Int? {
    if raw.count != 2 * coordinateByteCount || coordinateByteCount > 66 || result.count < signatureByteCountMax {
      return nil
    }
    let rStart = firstNonZero(raw, 0, coordinateByteCount)
    let sStart = firstNonZero(raw, coordinateByteCount, 2 * coordinateByteCount)
    if rStart == coordinateByteCount || sStart == 2 * coordinateByteCount { return nil }
    let rCount = coordinateByteCount - rStart + (raw[rStart] >= 0x80 ? 1 : 0)
    let sCount = 2 * coordinateByteCount - sStart + (raw[sStart] >= 0x80 ? 1 : 0)
    let contentCount = 4 + rCount + sCount
    result[0] = sequence
    var offset = 1
    if contentCount >= 0x80 {
      result[1] = 0x81
      offset = 2
    }
    result[offset] = UInt8(truncatingIfNeeded: contentCount)
    offset += 1
    offset = put(raw.extracting(rStart..<coordinateByteCount), at: offset, into: &result)
    return put(raw.extracting(sStart..<2 * coordinateByteCount), at: offset, into: &result)
  }

  private static func firstNonZero(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var offset = start
    while offset < end, bytes[offset] == 0 { offset += 1 }
    return offset
  }

  private static func put(_ number: Span<UInt8>, at start: Int, into result: inout [UInt8]) -> Int {
    let padding = number[0] >= 0x80 ? 1 : 0
    result[start] = integer
    result[start + 1] = UInt8(truncatingIfNeeded: number.count + padding)
    var offset = start + 2
    if padding == 1 {
      result[offset] = 0
      offset += 1
    }
    for index in number.indices {
      result[offset] = number[index]
      offset += 1
    }
    return offset
  }

  /// The raw form of a signature that OpenSSL made, or nil when it is none.
  static func decodeSignature(_ bytes: [UInt8], coordinateByteCount: Int) -> [UInt8]? {
    var offset = 0
    func length() -> Int? {
      guard offset < bytes.count else { return nil }
      var length = Int(bytes[offset])
      offset += 1
      if length == 0x81 {
        guard offset < bytes.count else { return nil }
        length = Int(bytes[offset])
        offset += 1
      } else if length >= 0x80 {
        return nil
      }
      return length <= bytes.count - offset ? length : nil
    }
    guard bytes.first == sequence else { return nil }
    offset = 1
    guard let total = length(), total == bytes.count - offset else { return nil }
    var raw: [UInt8] = []
    for _ in 0..<2 {
      guard offset < bytes.count, bytes[offset] == integer else { return nil }
      offset += 1
      guard let count = length() else { return nil }
      let number = bytes[offset..<offset + count].drop { $0 == 0 }
      if number.count > coordinateByteCount { return nil }
      raw += [UInt8](repeating: 0, count: coordinateByteCount - number.count) + number
      offset += count
    }
    return offset == bytes.count ? raw : nil
  }
}
