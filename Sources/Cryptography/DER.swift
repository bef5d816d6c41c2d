// The one DER structure that the gateway writes and reads (X.690 §8, §10): ECDSA signatures, between their raw form in
// JWS and what OpenSSL reads (RFC 3279 §2.2.3).

internal import Bytes

enum DER {
  static let sequence: UInt8 = 0x30
  static let integer: UInt8 = 0x02

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
