// Frames as RFC 6455 §5.7 shows them, and those that it forbids, whole and cut at every byte.

import Testing

@testable import HTTPWire

@Suite("WebSocket frames")
struct FrameScannerTests {
  /// A text frame, a ping, a fragmented message with a pong in its middle, 256 bytes, and a close.
  private static let server: [UInt8] =
    [0x81, 0x05] + Array("Hello".utf8) + [0x89, 0x00] + [0x01, 0x03] + Array("Hel".utf8) + [0x8A, 0x01, 0x21]
    + [0x80, 0x02] + Array("lo".utf8) + [0x82, 0x7E, 0x01, 0x00] + [UInt8](repeating: 7, count: 256)
    + [0x88, 0x02, 0x03, 0xE8]
  /// Offsets at which a frame begins.
  private static let boundaries: Set<Int> = [0, 7, 9, 14, 17, 21, 281, 285]

  private static let forbidden: [([UInt8], FrameViolation)] = [
    ([0x83, 0x00], FrameViolation.reservedOpcode), ([0x8B, 0x00], .reservedOpcode), ([0x81, 0x80], .wrongMasking),
    ([0x89, 0x7E, 0x00, 0x7E], .controlFrameTooLarge), ([0x09, 0x00], .controlFrameFragmented),
    ([0x80, 0x00], .fragmentationBroken), ([0x01, 0x00, 0x01, 0x00], .fragmentationBroken),
    ([0x81, 0x7E, 0x00, 0x7D], .lengthInvalid), ([0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .lengthInvalid),
    ([0x81, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 0], .lengthInvalid),
  ]

  @Test("Boundaries are found wherever the bytes are cut")
  func boundaries() {
    for cut in 0...Self.server.count {
      var scanner = FrameScanner(isMasked: false)
      let isFirstHalfGood = scanner.passes(Self.server[..<cut])
      #expect(isFirstHalfGood)
      #expect(scanner.isBetweenFrames == Self.boundaries.contains(cut), "cut at \(cut)")
      let isSecondHalfGood = scanner.passes(Self.server[cut...])
      #expect(isSecondHalfGood)
      #expect(scanner.isBetweenFrames)
      #expect(scanner.hasClosed)
    }
  }

  @Test("A client's frames have a mask, which is not content")
  func masked() {
    var scanner = FrameScanner(isMasked: true)
    let frame: [UInt8] = [0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x81, 0x80, 1, 2, 3, 4]
    for (index, byte) in frame.enumerated() {
      #expect(scanner.isBetweenFrames == [0, 11].contains(index))
      let isGood = scanner.passes([byte])
      #expect(isGood)
    }
    #expect(scanner.isBetweenFrames)
  }

  @Test("The next place between two frames is found on request")
  func stops() {
    for cut in 0..<Self.server.count {
      var scanner = FrameScanner(isMasked: false)
      let isGood = scanner.passes(Self.server[..<cut])
      #expect(isGood)
      let rest = Array(Self.server[cut...])
      guard case .success(let count) = scanner.scan(rest.span, stopsBetweenFrames: true) else {
        Issue.record("refused at \(cut)")
        continue
      }
      #expect(cut + count == Self.boundaries.filter { $0 >= cut }.min())
    }
  }

  @Test(
    "What RFC 6455 forbids is found, also byte by byte",
    arguments: Self.forbidden)
  func violations(_ bytes: [UInt8], _ expected: FrameViolation) {
    var whole = FrameScanner(isMasked: false)
    let inWhole = whole.violation(bytes)
    #expect(inWhole == expected)
    var cut = FrameScanner(isMasked: false)
    var found: FrameViolation?
    for byte in bytes where found == nil { found = cut.violation([byte]) }
    #expect(found == expected)
  }

  @Test("Bytes that break the rules leave the scanner where it was, as none of them pass")
  func unmoved() {
    for cut in 0..<281 {
      var scanner = FrameScanner(isMasked: false)
      let isGood = scanner.passes(Self.server[..<cut])
      #expect(isGood)
      let violation = scanner.violation(Array(Self.server[cut..<281]) + [0x83, 0x00])
      #expect(violation == .reservedOpcode)
      #expect(scanner.isBetweenFrames == Self.boundaries.contains(cut), "cut at \(cut)")
      #expect(!scanner.hasClosed)
    }
  }

  @Test("T99 What follows a close frame never passes, whatever it is and wherever it is cut")
  func behindClose() {
    let tail: [UInt8] = [0x81, 0x01, 0x61, 0x83, 0x00, 0xFF]
    let bytes = Self.server + tail
    for cut in 0...bytes.count {
      var scanner = FrameScanner(isMasked: false)
      var passed = 0
      for piece in [Array(bytes[..<cut]), Array(bytes[cut...])] {
        guard case .success(let count) = scanner.scan(piece.span) else {
          Issue.record("refused at \(cut)")
          continue
        }
        passed += count
      }
      #expect(passed == Self.server.count, "cut at \(cut)")
      #expect(scanner.hasClosed && scanner.isBetweenFrames)
    }
  }

  @Test("The longest length that there is does not trap, and is followed")
  func longest() {
    var scanner = FrameScanner(isMasked: false)
    var isGood = scanner.passes([0x82, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    for _ in 0..<1000 { isGood = isGood && scanner.passes([UInt8](repeating: 0x88, count: 65_536)[...]) }
    #expect(isGood)
    #expect(!scanner.isBetweenFrames)
  }

  @Test("Random bytes never trap")
  func random() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      var scanner = FrameScanner(isMasked: Bool.random(using: &generator))
      let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
      _ = scanner.scan(bytes.span)
    }
  }
}

extension FrameScanner {
  fileprivate mutating func violation(_ bytes: [UInt8]) -> FrameViolation? {
    if case .failure(let violation) = scan(bytes.span) { return violation }
    return nil
  }

  fileprivate mutating func passes(_ bytes: ArraySlice<UInt8>) -> Bool { violation(Array(bytes)) == nil }
}
