// Finds the lines of a head in bytes that only ever grow. Bytes once searched are not searched again, so a line that
// comes one byte at a time costs no more than its length.

import Bytes

/// What is at the scanner's place.
enum ScannedLine {
  /// The line has not ended yet.
  case none
  /// The line's bytes without its CRLF.
  case line(Range<Int>)
  /// The line's bytes, which end with a line feed without a carriage return before it.
  case bareLineFeed(Range<Int>)
}

struct LineScanner {
  /// The first byte of the line in work.
  var lineStart = 0
  /// Behind the last byte that is known not to end the line.
  private var searched = 0
  /// A line that ended with a bare line feed was taken.
  private(set) var hasTakenBareLineFeed = false

  /// The next whole line, if it is there. A CR within the line is left to the line's reader, which refuses it as a
  /// control. A line with a bare line feed stays the next one until it is taken.
  @inline(__always)
  mutating func next(_ input: Span<UInt8>) -> ScannedLine {
    guard let lineFeed = input.firstIndex(of: 0x0A, from: searched) else {
      searched = input.count
      return .none
    }
    guard lineFeed > lineStart, input[lineFeed - 1] == 0x0D else {
      return .bareLineFeed(lineStart..<lineFeed)
    }
    let line = lineStart..<lineFeed - 1
    lineStart = lineFeed + 1
    searched = lineStart
    return .line(line)
  }

  /// Accepts the end of a line which is a bare line feed.
  mutating func takeBareLineFeed(of line: Range<Int>) {
    lineStart = line.upperBound + 1
    searched = lineStart
    hasTakenBareLineFeed = true
  }
}
