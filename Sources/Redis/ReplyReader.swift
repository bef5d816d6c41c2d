// Reads replies of Redis from bytes that may end anywhere (RESP2 and RESP3). What was looked at once is not looked at
// again when more comes, so that the cost is linear whatever the pieces. Streamed strings and lists, which no server
// sends, are refused.

import Bytes

package enum ReplyProgress: Equatable, Sendable {
  /// The reply goes on behind the bytes.
  case incomplete
  /// The reply is these first bytes.
  case complete(byteCount: Int)
  /// No reply can be told from the bytes any more: the connection is of no use.
  case malformed
  /// As ``malformed``: the reply goes past a limit.
  case tooLarge
}

package struct ReplyLimits: Equatable, Sendable {
  /// LIMIT: bytes of one reply, at most 1 GiB.
  package var byteCountMax = 1024 * 1024
  /// LIMIT: values of one reply.
  package var valueCountMax = 64 * 1024
  /// LIMIT: lists within lists.
  package var depthMax = 8

  package init() {}
}

/// Reads one reply after the other. It keeps the memory of the last one's values.
package struct ReplyReader: ~Copyable {
  /// A list whose elements are not all there yet.
  private struct Opened {
    var index: Int
    var missing: Int
  }

  private let limits: ReplyLimits
  private var values: [ReplyValue] = []
  private var opened: [Opened] = []
  /// Where the next value begins.
  private var offset = 0
  /// In the line at `offset`, the bytes before this one hold no end of the line.
  private var searchedTo = 0

  /// LIMIT: bytes of a line. Errors are the longest.
  private static let lineByteCountMax = 16 * 1024

  package init(limits: ReplyLimits = ReplyLimits()) { self.limits = limits }

  /// Forgets the reply that was read, or begun.
  package mutating func reset() {
    values.removeAll(keepingCapacity: true)
    opened.removeAll(keepingCapacity: true)
    offset = 0
    searchedTo = 0
  }

  /// Reads on. To be called until it says something else than `incomplete`, then `reset()`.
  /// - Parameter bytes: from the reply's first byte on: what was there at the last call, and what came since.
  package mutating func read(_ bytes: Span<UInt8>) -> ReplyProgress {
    while true {
      switch readValue(bytes) {
      case .whole: return .complete(byteCount: offset)
      case .part: continue
      case .wait: return bytes.count > limits.byteCountMax ? .tooLarge : .incomplete
      case .malformed: return .malformed
      case .tooLarge: return .tooLarge
      }
    }
  }

  /// The reply that is complete.
  /// - Parameter bytes: those it was read from.
  @_lifetime(borrow self, copy bytes)
  package func reply(in bytes: Span<UInt8>) -> Reply { Reply(bytes: bytes, values: values.span) }

  private enum Step { case whole, part, wait, malformed, tooLarge }

  private mutating func readValue(_ bytes: Span<UInt8>) -> Step {
    if values.count >= limits.valueCountMax { return .tooLarge }
    guard let lineEnd = findLineEnd(bytes) else {
      if bytes.count - offset > Self.lineByteCountMax { return .tooLarge }
      return .wait
    }
    guard lineEnd + 1 < bytes.count else { return .wait }
    // A carriage return alone ends nothing.
    guard bytes[lineEnd + 1] == UInt8(ascii: "\n"), lineEnd > offset else { return .malformed }
    if lineEnd + 2 > limits.byteCountMax { return .tooLarge }
    let line = offset + 1..<lineEnd
    switch bytes[offset] {
    case UInt8(ascii: "+"): return append(.text, line)
    case UInt8(ascii: "-"): return append(.error, line)
    case UInt8(ascii: ":"): return bytes.extracting(line).decimalInteger == nil ? .malformed : append(.integer, line)
    case UInt8(ascii: ","), UInt8(ascii: "("): return line.isEmpty ? .malformed : append(.number, line)
    case UInt8(ascii: "_"): return line.isEmpty ? append(.null, line) : .malformed
    case UInt8(ascii: "#"): return readBoolean(bytes.extracting(line), line)
    case UInt8(ascii: "$"): return readBulk(.text, bytes, line)
    case UInt8(ascii: "!"): return readBulk(.error, bytes, line)
    case UInt8(ascii: "="): return readBulk(.text, bytes, line, prefixed: true)
    case UInt8(ascii: "*"), UInt8(ascii: "~"): return open(.list, bytes, line, width: 1)
    case UInt8(ascii: "%"): return open(.map, bytes, line, width: 2)
    case UInt8(ascii: "|"): return open(.attribute, bytes, line, width: 2)
    case UInt8(ascii: ">"): return opened.isEmpty ? open(.push, bytes, line, width: 1) : .malformed
    default: return .malformed
    }
  }

  private mutating func findLineEnd(_ bytes: Span<UInt8>) -> Int? {
    let from = max(offset, searchedTo)
    if let end = bytes.firstIndex(of: UInt8(ascii: "\r"), from: from) {
      searchedTo = end
      return end
    }
    searchedTo = bytes.count
    return nil
  }

  private mutating func readBoolean(_ content: Span<UInt8>, _ line: Range<Int>) -> Step {
    if content.count != 1 { return .malformed }
    switch content[0] {
    case UInt8(ascii: "t"): return append(.true, line)
    case UInt8(ascii: "f"): return append(.false, line)
    default: return .malformed
    }
  }

  /// - Parameter prefixed: three letters for the format and a colon come before the content.
  private mutating func readBulk(
    _ kind: Reply.Kind, _ bytes: Span<UInt8>, _ line: Range<Int>, prefixed: Bool = false
  ) -> Step {
    guard let length = bytes.extracting(line).decimalInteger else { return .malformed }
    if length == -1, kind == .text, !prefixed { return append(.null, line.upperBound..<line.upperBound) }
    if length < 0 || prefixed && length < 4 { return .malformed }
    if length > limits.byteCountMax { return .tooLarge }
    let start = line.upperBound + 2
    let end = start + Int(length)
    if end + 2 > limits.byteCountMax { return .tooLarge }
    if end + 2 > bytes.count { return .wait }
    if bytes[end] != UInt8(ascii: "\r") || bytes[end + 1] != UInt8(ascii: "\n") { return .malformed }
    if prefixed, bytes[start + 3] != UInt8(ascii: ":") { return .malformed }
    return append(kind, start + (prefixed ? 4 : 0)..<end)
  }

  /// - Parameter width: values of one element.
  private mutating func open(_ kind: Reply.Kind, _ bytes: Span<UInt8>, _ line: Range<Int>, width: Int) -> Step {
    guard let length = bytes.extracting(line).decimalInteger else { return .malformed }
    if length == -1, kind == .list { return append(.null, line.upperBound..<line.upperBound) }
    if length < 0 { return .malformed }
    if length > limits.valueCountMax { return .tooLarge }
    let missing = Int(length) * width
    if missing == 0, kind != .attribute { return append(kind, offset..<line.upperBound) }
    if opened.count >= limits.depthMax { return .tooLarge }
    let index = values.count
    add(kind, offset..<line.upperBound, followedAt: line.upperBound + 2)
    opened.append(Opened(index: index, missing: missing))
    return missing == 0 ? closeLists() : .part
  }

  /// A value that holds no others, whose line or content ends with the range.
  private mutating func append(_ kind: Reply.Kind, _ range: Range<Int>) -> Step {
    add(kind, range, followedAt: range.upperBound + 2)
    if let last = opened.indices.last { opened[last].missing -= 1 }
    return closeLists()
  }

  private mutating func add(_ kind: Reply.Kind, _ range: Range<Int>, followedAt place: Int) {
    // No limit lets either go past 32 bits.
    values.append(
      ReplyValue(
        start: UInt32(truncatingIfNeeded: range.lowerBound), end: UInt32(truncatingIfNeeded: range.upperBound),
        next: UInt32(truncatingIfNeeded: values.count + 1), kind: kind))
    offset = place
    searchedTo = place
  }

  /// Ends the lists that have all their elements.
  private mutating func closeLists() -> Step {
    while let last = opened.last {
      if last.missing > 0 { return .part }
      opened.removeLast()
      if values[last.index].kind == .attribute {
        // The value that it says something about is still to come, in its place.
        values.removeSubrange(last.index...)
        return .part
      }
      values[last.index].next = UInt32(truncatingIfNeeded: values.count)
      values[last.index].end = UInt32(truncatingIfNeeded: offset)
      if let outer = opened.indices.last { opened[outer].missing -= 1 }
    }
    return .whole
  }
}
