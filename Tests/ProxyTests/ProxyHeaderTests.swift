// The PROXY header in both versions: what a balancer writes is read to its last byte and no further. What is not a
// header is refused at the first byte that shows it.

import TestBasics
import Testing

@testable import Proxy

@Suite("The PROXY header")
struct ProxyHeaderTests {
  private static let client4 = PeerAddress(high: 0, low: 0xFFFF_C000_0201)
  private static let client6 = PeerAddress(high: 0x2001_0DB8_0000_0000, low: 1)

  /// Headers as balancers write them, with the client that they name.
  static let headers: [(bytes: [UInt8], source: PeerAddress?)] = [
    (line("TCP4 192.0.2.1 198.51.100.2 56324 443"), client4),
    (line("TCP4 255.255.255.255 255.255.255.255 65535 65535"), PeerAddress(high: 0, low: 0xFFFF_FFFF_FFFF)),
    (line("TCP4 192.0.2.1 198.51.100.2 0 0"), client4),
    (line("TCP6 2001:db8::1 2001:db8::2 56324 443"), client6),
    (line("TCP6 2001:0DB8:0000:0000:0000:0000:0000:0001 ::1 1 65535"), client6),
    (line("TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 56324 443"), client4),
    (line("UNKNOWN"), nil),
    (line("UNKNOWN ffff::1 ffff::1 65535 65535"), nil),
    (line("UNKNOWN  anything \u{0} at all"), nil),
    (version2(0x21, 0x11, addresses4), client4),
    (version2(0x21, 0x21, addresses6), client6),
    (version2(0x21, 0x11, addresses4 + value(0x02, text("example.com")) + value(0xEA, [])), client4),
    (version2(0x21, 0x21, addresses6 + value(0x04, Array(repeating: 3, count: 300))), client6),
    (version2(0x21, 0x11, addresses4 + value(0x04, [0, 0]) + checksum4), client4),
    (version2(0x21, 0x21, addresses6 + checksum6), client6),
    (version2(0x21, 0x12, addresses4), nil),
    (version2(0x21, 0x22, addresses6), nil),
    (version2(0x21, 0x31, Array(repeating: 0x2F, count: 216) + value(0x05, [1])), nil),
    (version2(0x21, 0x32, Array(repeating: 0x2F, count: 216)), nil),
    (version2(0x21, 0x00, []), nil),
    (version2(0x21, 0x10, addresses4), nil),
    (version2(0x21, 0x01, [1, 2, 3]), nil),
    (version2(0x20, 0x00, []), nil),
    (version2(0x20, 0x11, addresses4), nil),
    (version2(0x20, 0x11, []), nil),
    (version2(0x20, 0xFF, [1, 2, 3, 4, 5]), nil),
    (version2(0x20, 0x00, Array(repeating: 0, count: 4080)), nil),
  ]

  @Test("A header is read to its last byte, whatever follows", arguments: headers)
  func complete(_ header: [UInt8], _ source: PeerAddress?) {
    let expected = ProxyHeader.Reading.complete(byteCount: header.count, source: source)
    #expect(read(header) == expected)
    #expect(read(header + Array("GET / HTTP/1.1\r\n\r\n".utf8)) == expected)
    #expect(read(header + header) == expected)
  }

  @Test("A header is incomplete up to its last byte", arguments: headers)
  func prefixes(_ header: [UInt8], _ source: PeerAddress?) {
    for count in header.indices {
      let reading = read(Array(header[..<count]))
      if reading != .incomplete { Issue.record("\(reading) after \(count) bytes of \(header.count)") }
    }
  }

  /// What is not a header, and after how many bytes this is certain.
  static let others: [(bytes: [UInt8], decidedAt: Int)] = [
    (text("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 1),
    (text("POST / HTTP/1.1\r\n"), 2),
    (text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 3),
    (text("PROPFIND / HTTP/1.1\r\n"), 4),
    (text("PROXY/ HTTP/1.1\r\n"), 6),
    (text("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 7),
    (text("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n"), 7),
    (text("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), 8),
    (text("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), 10),
    (text("PROXY TCP4\r\n"), 11),
    (text("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 1),
    (text(" PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 1),
    (text("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), 35),
    (text("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rGET"), 36),
    (text("PROXY UNKNOWN a\nb\r\n"), 16),
    (text("PROXY UNKNOWN a\rb\r\n"), 17),
    ([0x16, 3, 1, 2, 0], 1),
    ([0x0D, 0x0A, 0x0D, 0x0A, 0x47], 5),
    (version2(0x11, 0x11, addresses4), 13),
    (version2(0x31, 0x11, addresses4), 13),
    (version2(0x22, 0x11, addresses4), 13),
    (version2(0x21, 0x41, addresses4), 14),
    (version2(0x21, 0x13, addresses4), 14),
    (version2(0x21, 0x11, Array(addresses4.dropLast())), 16),
    (version2(0x21, 0x21, addresses4), 16),
    (version2(0x21, 0x31, addresses6), 16),
    (version2(0x21, 0x11, []), 16),
    (version2(0x21, 0x11, addresses4 + value(0x04, Array(repeating: 0, count: 4066))), 16),
    (version2(0x20, 0x00, Array(repeating: 0, count: 4081)), 16),
    (version2(0x21, 0x00, Array(repeating: 0, count: 65_535)), 16),
  ]

  @Test("What is not a header is refused at the first byte that shows it", arguments: others)
  func decidedEarly(_ bytes: [UInt8], _ count: Int) {
    #expect(read(Array(bytes[..<(count - 1)])) == .incomplete)
    #expect(read(Array(bytes[..<count])) == .malformed)
    #expect(read(bytes) == .malformed)
  }

  @Test(
    "A line is the exact one or none",
    arguments: [
      "TCP4 ::1 ::1 1 2", "TCP4 192.0.2.1 ::1 1 2", "TCP4 ::ffff:192.0.2.1 ::1 1 2", "TCP6 192.0.2.1 192.0.2.2 1 2",
      "TCP6 ::1 192.0.2.1 1 2", "TCP4  192.0.2.1 192.0.2.2 1 2", "TCP4 192.0.2.1  192.0.2.2 1 2",
      "TCP4 192.0.2.1 192.0.2.2  1 2", "TCP4 192.0.2.1 192.0.2.2 1  2", "TCP4 192.0.2.1 192.0.2.2 1 2 ",
      "TCP4 192.0.2.1 192.0.2.2 1 2 3", "TCP4 192.0.2.1 192.0.2.2 1", "TCP4 192.0.2.1 192.0.2.2 1 ", "TCP4 192.0.2.1",
      "TCP4 ", "TCP4    ", "TCP4 192.0.2.1\t192.0.2.2 1 2", "TCP4 192.0.2.1 192.0.2.2 -1 2",
      "TCP4 192.0.2.1 192.0.2.2 1 -2", "TCP4 192.0.2.1 192.0.2.2 +1 2", "TCP4 192.0.2.1 192.0.2.2 65536 2",
      "TCP4 192.0.2.1 192.0.2.2 1 65536", "TCP4 192.0.2.1 192.0.2.2 99999999999999999999 2",
      "TCP4 192.0.2.1 192.0.2.2 00 2", "TCP4 192.0.2.1 192.0.2.2 1 02", "TCP4 192.0.2.1 192.0.2.2 0x1 2",
      "TCP4 192.0.2.1 192.0.2.2 1 2\u{0}", "TCP4 192.0.2.1 192.0.2.2 1 \u{661}", "TCP4 192.0.2.01 192.0.2.2 1 2",
      "TCP4 192.0.2.256 192.0.2.2 1 2", "TCP4 192.0.2 192.0.2.2 1 2", "TCP4 192.0.2.1 192.0.2.2.3 1 2",
      "TCP4 client 192.0.2.2 1 2", "TCP6 [::1] ::1 1 2", "TCP6 fe80::1%lo ::1 1 2", "TCP6 ::1:: ::1 1 2",
      "TCP6 1:2:3:4:5:6:7 ::1 1 2", "TCP6 ::12345 ::1 1 2", "TCP6 ::1 g::1 1 2", "UNKNOWNS", "UNKNOWN\t",
    ])
  func inexact(_ text: String) { #expect(read(Self.line(text)) == .malformed) }

  @Test("An address that means 'none' cannot be claimed")
  func noAddress() {
    let zeros = [UInt8](repeating: 0, count: 16)
    #expect(read(Self.line("TCP6 :: ::1 1 2")) == .malformed)
    #expect(read(Self.version2(0x21, 0x21, zeros + Self.addresses6[16...])) == .malformed)
  }

  @Test("A line has at most 107 bytes with its end, and one that cannot end there is not waited for")
  func lineLength() {
    let longest = Self.line("UNKNOWN " + String(repeating: "x", count: 91))
    #expect(longest.count == 107)
    #expect(read(longest) == .complete(byteCount: 107, source: nil))
    let endless = Array("PROXY UNKNOWN ".utf8) + Array(repeating: 0x78, count: 200)
    #expect(read(Array(endless[..<105])) == .incomplete)
    for count in 106...endless.count { #expect(read(Array(endless[..<count])) == .malformed) }
    #expect(read(Self.line("UNKNOWN " + String(repeating: "x", count: 92))) == .malformed)
    #expect(read(Self.line("TCP4 192.0.2.1 192.0.2.2 1 " + String(repeating: "1", count: 100))) == .malformed)
  }

  static let unsoundValues: [[UInt8]] = [
    [0x04], [0x04, 0], [0x04, 0, 1], [0x04, 0xFF, 0xFF, 0], [0x04, 0, 2, 9], value(0x04, [1, 2]) + [0],
    [0x03, 0, 0], value(0x03, [1, 2, 3]), value(0x03, [1, 2, 3, 4, 5]), value(0x03, [0, 0, 0, 0]), checksum4,
    value(0x04, [0, 1]) + checksum4, value(0x05, [0, 0]) + checksum4, value(0x04, [0, 0]) + checksum4 + checksum4,
    value(0x04, [0, 0]) + checksum4 + value(0x04, []),
    // Right alone, but it is one of two, or a byte too long.
    value(0x03, [0x2A, 0x68, 0xED, 0xAF]) + value(0x03, [0, 0, 0, 0]),
    value(0x03, [0, 0, 0, 0]) + value(0x03, [0x2A, 0x68, 0xED, 0xAF]),
    value(0x03, [0xA7, 0x93, 0x63, 0x2E, 0]),
  ]

  @Test("Values that do not fill the header exactly, or whose checksum is wrong, spoil it", arguments: unsoundValues)
  func unsound(_ values: [UInt8]) {
    #expect(read(Self.version2(0x21, 0x11, Self.addresses4 + values)) == .malformed)
  }

  @Test("Under a checksum no flipped bit gives another address")
  func flippedBits() {
    let header = Self.version2(0x21, 0x11, Self.addresses4 + Self.value(0x04, [0, 0]) + Self.checksum4)
    for index in header.indices {
      for bit in 0..<8 {
        var flipped = header
        flipped[index] ^= 1 << bit
        let reading = read(flipped)
        // The addresses, and the checksum itself.
        if 16..<28 ~= index || index >= header.count - 4 { #expect(reading == .malformed, "\(index), \(bit)") }
        if case .complete(_, let source?) = reading { #expect(source == Self.client4, "\(index), \(bit)") }
      }
    }
  }

  @Test(
    "Random and mutated bytes: a decision is final, is made in bounds, and counts only the header", arguments: 0..<8)
  func random(_ seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    var counts = (incomplete: 0, complete: 0, malformed: 0)
    for _ in 0..<2_000 {
      let bytes = Self.spoilt(&random)
      let count = Int.random(in: 0...bytes.count, using: &random)
      let early = read(Array(bytes[..<count]))
      let reading = read(bytes)
      if early != .incomplete, early != reading { Issue.record("\(early) became \(reading): \(bytes)") }
      switch reading {
      case .incomplete:
        counts.incomplete += 1
        if bytes.count >= ProxyHeader.byteCountMax { Issue.record("waits for more than the bound: \(bytes)") }
      case .complete(let byteCount, _):
        counts.complete += 1
        if byteCount > bytes.count || byteCount < 15 || read(Array(bytes.prefix(byteCount))) != reading
          || read(Array(bytes.prefix(byteCount - 1))) != .incomplete
        {
          Issue.record("\(reading) is not the header of \(bytes)")
        }
      case .malformed: counts.malformed += 1
      }
    }
    #expect(counts.incomplete > 50 && counts.complete > 50 && counts.malformed > 500, "\(counts)")
  }

  /// A header with a few changes and something behind it, or noise that begins like a header.
  private static func spoilt(_ random: inout SeededGenerator) -> [UInt8] {
    let headers = headers.filter { $0.bytes.count < 400 }
    var bytes = headers.randomElement(using: &random)?.bytes ?? []
    if Int.random(in: 0..<4, using: &random) == 0 {
      let kept = Int.random(in: 0...bytes.count, using: &random)
      bytes.removeLast(bytes.count - kept)
      for _ in 0..<Int.random(in: 0..<200, using: &random) { bytes.append(.random(in: 0...255, using: &random)) }
      return bytes
    }
    for _ in 0..<Int.random(in: 0..<4, using: &random) {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[index] = .random(in: 0...255, using: &random)
      case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.insert(" 0:.\r\n".utf8.randomElement(using: &random) ?? 0, at: index)
      default: bytes.remove(at: index)
      }
    }
    return bytes + Array("GET / HTTP/1.1\r\n\r\n".utf8.prefix(.random(in: 0...18, using: &random)))
  }

  private func read(_ bytes: [UInt8]) -> ProxyHeader.Reading { ProxyHeader.read(bytes.span) }

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static func line(_ text: String) -> [UInt8] { Array("PROXY \(text)\r\n".utf8) }

  private static func version2(_ command: UInt8, _ family: UInt8, _ block: [UInt8]) -> [UInt8] {
    let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    return signature + [command, family, UInt8(block.count >> 8), UInt8(block.count & 255)] + block
  }

  private static func value(_ type: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [type, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
  }

  /// 192.0.2.1 port 56324 to 198.51.100.2 port 443.
  private static let addresses4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 0x04, 0x01, 0xBB]
  /// 2001:db8::1 port 56324 to 2001:db8::2 port 443.
  private static let addresses6: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    + [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xDC, 0x04, 0x01, 0xBB]
  /// The checksums, computed elsewhere, of these addresses: the first with a value 04 of two zeros in front of it.
  private static let checksum4 = value(0x03, [0x9E, 0xDB, 0x8B, 0x46])
  private static let checksum6 = value(0x03, [0x95, 0xB3, 0x79, 0x3A])
}
