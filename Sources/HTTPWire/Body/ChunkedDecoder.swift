// Chunked content (RFC 9112 §7.1), read from input that may be split anywhere: a state per byte of the size lines,
// ranges for the data. Strict: CRLF only, hexadecimal digits only, extensions by their grammar and then dropped (T50,
// T66). Servers are granted two habits that leave no doubt where a chunk ends, and that every proxy reads: white space
// behind a size, and lines that end with a bare line feed.

import Bytes

/// What the next bytes of a chunked body are.
package enum ChunkEvent: Equatable, Sendable {
  /// Content, at this range of the input. Never empty.
  case data(Range<Int>)
  /// All of the input is consumed and the body goes on.
  case needMore
  /// The body and its trailers are complete. The offset follows them.
  case end
  /// The body is refused. Nothing behind it can be trusted.
  case malformed(HeadError)
}

/// Reads one chunked body. Make a new one for each message. It owns no memory.
package struct ChunkedDecoder: Sendable {
  // LIMIT: bytes of one size line, extensions included: beyond them 400.
  package static let sizeLineByteCountMax = 1024
  // LIMIT: extension bytes of a body, beside one for each sixteen of content: beyond them 400. They cost work and carry
  // nothing (CVE-2023-39326).
  package static let extensionByteCountMax: UInt64 = 16 * 1024

  private let isTolerant: Bool
  private var state = State.sizeStart
  private var remaining: UInt64 = 0
  private var sizeLineByteCount = 0
  private var extensions = ChunkExtensionReader()
  private var extensionByteCount: UInt64 = 0
  private var contentByteCount: UInt64 = 0
  /// Where the trailer line in work begins in the section's bytes.
  private var lineStart = 0

  private enum State {
    case sizeStart, size, inExtensions, sizeLineFeed, data, dataReturn, dataLineFeed, trailers, done
    case failed(HeadError)
  }

  /// - Parameter isTolerant: white space behind a chunk's size and bare line feeds are read. Of servers only.
  package init(isTolerant: Bool = false) { self.isTolerant = isTolerant }

  /// Reads from `offset` on and moves it behind what was read. The trailer section is filled as its lines come and may
  /// be used after ``ChunkEvent/end``. It must be empty at the body's begin.
  package mutating func next(
    _ input: Span<UInt8>, offset: inout Int, trailers: inout FieldSection, limits: HeadLimits
  ) -> ChunkEvent {
    if offset < 0 { offset = 0 }
    while true {
      switch state {
      case .done: return .end
      case .failed(let error): return .malformed(error)
      case .trailers:
        if let event = readTrailers(input, &offset, &trailers, limits) { return event }
      case .data:
        if offset >= input.count { return .needMore }
        let available = UInt64(truncatingIfNeeded: input.count - offset)
        let count = Int(truncatingIfNeeded: min(available, remaining))
        let range = offset..<offset + count
        offset = range.upperBound
        remaining -= UInt64(truncatingIfNeeded: count)
        contentByteCount &+= UInt64(truncatingIfNeeded: count)
        if remaining == 0 { state = .dataReturn }
        return .data(range)
      default:
        if offset >= input.count { return .needMore }
        let byte = input[offset]
        offset += 1
        if let error = step(byte) { return fail(error) }
      }
    }
  }

  private mutating func fail(_ error: HeadError) -> ChunkEvent {
    state = .failed(error)
    return .malformed(error)
  }

  /// One byte outside content and trailers.
  private mutating func step(_ byte: UInt8) -> HeadError? {
    switch state {
    case .sizeStart, .size: return stepSize(byte)
    case .inExtensions: return stepExtensions(byte)
    case .sizeLineFeed:
      guard byte == 0x0A else { return .lineEndingInvalid }
      endSizeLine()
    case .dataReturn:
      if isTolerant, byte == 0x0A {
        state = .sizeStart
        return nil
      }
      // More content than the size said ends here (T66).
      guard byte == 0x0D else { return .chunkEndInvalid }
      state = .dataLineFeed
    case .dataLineFeed:
      guard byte == 0x0A else { return .chunkEndInvalid }
      state = .sizeStart
    case .data, .trailers, .done, .failed: break
    }
    return nil
  }

  private mutating func endSizeLine() { state = remaining == 0 ? .trailers : .data }

  private mutating func stepSize(_ byte: UInt8) -> HeadError? {
    let digit = ByteTables.hexadecimalDigit[Int(byte)]
    if case .sizeStart = state {
      guard digit < 16 else { return .chunkSizeInvalid }
      remaining = UInt64(digit)
      sizeLineByteCount = 1
      state = .size
      return nil
    }
    if digit < 16 {
      sizeLineByteCount += 1
      // Sizes up to 2^63 - 1. Leading zeros only up to the line's bound.
      if remaining >> 59 != 0 || sizeLineByteCount > Self.sizeLineByteCountMax { return .chunkSizeInvalid }
      remaining = remaining << 4 | UInt64(digit)
      return nil
    }
    if byte == 0x0D {
      state = .sizeLineFeed
      return nil
    }
    if isTolerant, byte == 0x0A {
      endSizeLine()
      return nil
    }
    guard byte == 0x3B || isWhitespace(byte) else { return byte == 0x0A ? .lineEndingInvalid : .chunkSizeInvalid }
    state = .inExtensions
    extensions = ChunkExtensionReader()
    return stepExtensions(byte)
  }

  private mutating func stepExtensions(_ byte: UInt8) -> HeadError? {
    if byte == 0x0D || byte == 0x0A {
      if byte == 0x0A, !isTolerant { return .lineEndingInvalid }
      guard extensions.mayEnd || isTolerant && extensions.mayEndSpaced else { return .chunkExtensionInvalid }
      if byte == 0x0A { endSizeLine() } else { state = .sizeLineFeed }
      return nil
    }
    sizeLineByteCount += 1
    extensionByteCount &+= 1
    if sizeLineByteCount > Self.sizeLineByteCountMax
      || extensionByteCount > Self.extensionByteCountMax &+ contentByteCount / 16
    {
      return .chunkExtensionTooLarge
    }
    return extensions.take(byte) ? nil : .chunkExtensionInvalid
  }

  /// Moves bytes up to the next line's end into the section, and reads the line when it is whole.
  private mutating func readTrailers(
    _ input: Span<UInt8>, _ offset: inout Int, _ trailers: inout FieldSection, _ limits: HeadLimits
  ) -> ChunkEvent? {
    if offset >= input.count { return .needMore }
    let lineFeed = input.firstIndex(of: 0x0A, from: offset)
    let end = lineFeed.map { $0 + 1 } ?? input.count
    // Two bytes more for the empty line, which does not belong to the section.
    if trailers.bytes.count + (end - offset) > limits.byteCountMax + 2 { return fail(.headTooLarge) }
    trailers.bytes.append(input.extracting(offset..<end))
    offset = end
    if lineFeed == nil { return .needMore }
    if isTolerant { endLastLineWithReturn(&trailers) }
    let count = trailers.bytes.count
    guard count - lineStart >= 2, trailers.bytes.span[count - 2] == 0x0D else { return fail(.lineEndingInvalid) }
    if count - lineStart == 2 {
      trailers.bytes.truncate(to: lineStart)
      state = .done
      return nil
    }
    if count > limits.byteCountMax { return fail(.headTooLarge) }
    if let error = trailers.readLastLine(from: lineStart, limits: limits) { return fail(error) }
    lineStart = count
    return nil
  }

  /// The section's lines are passed on as they are.
  private func endLastLineWithReturn(_ trailers: inout FieldSection) {
    let count = trailers.bytes.count
    if count - lineStart >= 2, trailers.bytes.span[count - 2] == 0x0D { return }
    trailers.bytes.truncate(to: count - 1)
    trailers.bytes.append("\r\n")
  }
}
