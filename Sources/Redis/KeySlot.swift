// Which of a cluster's 16,384 slots a key is in: a checksum of the key, or of its part in braces, so that keys which
// belong together can be kept together.

import Bytes

package enum KeySlot {
  package static let count = 16_384

  package static func of(_ key: Span<UInt8>) -> Int {
    var part = key
    if let open = key.firstIndex(of: UInt8(ascii: "{")),
      let close = key.firstIndex(of: UInt8(ascii: "}"), from: open + 1), close > open + 1
    {
      part = key.extracting(open + 1..<close)
    }
    return Int(checksum(part)) & (count - 1)
  }

  /// CRC-16 with the polynomial 0x1021, from zero (XMODEM).
  private static func checksum(_ bytes: Span<UInt8>) -> UInt16 {
    var crc: UInt16 = 0
    for index in bytes.indices {
      crc = crc << 8 ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ bytes[index])]
    }
    return crc
  }

  private static let table: [UInt16] = (0..<256).map { byte in
    (0..<8).reduce(UInt16(byte) << 8) { crc, _ in crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
  }
}
