// Chunked bodies and WebSocket frames: what is read in pieces of any size is what is read in one.

import Bytes
import HTTPWire

/// What a decoder made of a body.
private struct Body: Equatable {
  var content: [UInt8] = []
  var trailers: [UInt8] = []
  /// Where it ended. Nil where it goes on.
  var end: Int?
  var error: HeadError?
}

private let limits = HeadLimits(byteCountMax: 512, fieldCountMax: 8)

/// Reads a body that comes in pieces which end at `cuts`.
private func read(_ input: [UInt8], cuts: [Int]) throws -> Body {
  var decoder = ChunkedDecoder()
  var trailers = FieldSection()
  var body = Body()
  var start = 0
  for cut in cuts + [input.count] {
    let piece = Array(input[start..<cut])
    var offset = 0
    reading: while true {
      let before = offset
      let event = decoder.next(piece.span, offset: &offset, trailers: &trailers, limits: limits)
      try expect(offset >= before && offset <= piece.count, "the offset goes astray")
      switch event {
      case .data(let range):
        try expect(!range.isEmpty && range.upperBound <= offset && range.lowerBound >= before, "content out of bounds")
        body.content += piece[range]
      case .needMore:
        try expect(offset == piece.count, "more is wanted, and there is more")
        break reading
      case .end:
        body.end = start + offset
        body.trailers = trailers.bytes.copied()
        try checkFields(trailers.fields, body.trailers)
        for field in trailers.fields { try expect(!field.known.isFramingOrRouting, "a trailer that frames") }
        return body
      case .malformed(let error):
        body.error = error
        return body
      }
    }
    start = cut
  }
  return body
}

@_cdecl("fuzz_chunked_bodies")
func libFuzzChunkedBodies(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzChunkedBodies)
}

func fuzzChunkedBodies(_ input: [UInt8]) throws {
  let whole = try read(input, cuts: [])
  func expectSame(_ body: Body, _ how: String) throws {
    var body = body
    // Of trailers that are too large, what else is wrong with them may be seen first.
    if let error = body.error, let other = whole.error, error == .headTooLarge || other == .headTooLarge {
      body.error = other
    }
    try expect(body == whole, "\(how): \(body) and not \(whole)")
  }
  if !input.isEmpty { try expectSame(try read(input, cuts: Array(1..<max(input.count, 1))), "byte by byte") }
  // LIMIT: of long inputs not each cut, so that the fuzzer gets to many inputs.
  let stride = 1 + input.count / 64
  for cut in Swift.stride(from: 1, to: input.count, by: stride) {
    try expectSame(try read(input, cuts: [cut]), "cut at \(cut)")
  }
  if let plain = readPlainChunks(input) {
    try expect(whole.error == nil && whole.end == plain.end, "a plain body is refused: \(whole)")
    try expect(whole.content == plain.content, "a plain body is read otherwise")
  }
  if let end = whole.end {
    try expect(try read(Array(input[..<end]), cuts: []) == whole, "what follows the body changes it")
    try expect(input[..<end].suffix(2) == [0x0D, 0x0A], "a body that ends within a line")
  }
}

/// Bodies without extensions and trailers, by the plainest reader that there can be. Nil for all others.
private func readPlainChunks(_ input: [UInt8]) -> (content: [UInt8], end: Int)? {
  var content: [UInt8] = []
  var index = 0
  while true {
    guard let lineEnd = input[index...].firstIndex(of: 0x0D), lineEnd - index <= 6 else { return nil }
    let digits = input[index..<lineEnd]
    guard digits.allSatisfy(isWord), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
      input.count >= lineEnd + 2 + size + 2, input[lineEnd + 1] == 0x0A
    else { return nil }
    index = lineEnd + 2
    guard input[index + size] == 0x0D, input[index + size + 1] == 0x0A else { return nil }
    content += input[index..<(index + size)]
    index += size + 2
    if size == 0 { return (content, index) }
  }
}

// MARK: WebSocket

/// What a scanner made of one direction's bytes.
private struct Frames: Equatable {
  var violation: FrameViolation?
  var isBetweenFrames = true
  var hasClosed = false
  /// How much is passed on: all, or up to the end of a close frame.
  var byteCount = 0
}

@_cdecl("fuzz_websocket_frames")
func libFuzzWebSocketFrames(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzWebSocketFrames)
}

func fuzzWebSocketFrames(_ input: [UInt8]) throws {
  guard let first = input.first else { return }
  let isMasked = first & 1 == 1
  let frames = Array(input.dropFirst())
  let whole = try scan(frames, isMasked: isMasked, step: max(frames.count, 1))
  for step in [1, 2, 3, 7] {
    let pieced = try scan(frames, isMasked: isMasked, step: step)
    try expect(pieced == whole, "in steps of \(step): \(pieced) and not \(whole)")
  }
  try checkStops(Array(frames[..<whole.byteCount]), isMasked: isMasked, whole)
}

private func scan(_ bytes: [UInt8], isMasked: Bool, step: Int) throws -> Frames {
  var scanner = FrameScanner(isMasked: isMasked)
  var start = 0
  while start < bytes.count {
    let piece = Array(bytes[start..<min(bytes.count, start + step)])
    let before = (scanner.isBetweenFrames, scanner.hasClosed)
    switch scanner.scan(piece.span) {
    case .success(let count):
      if count == piece.count { break }
      try expect(scanner.hasClosed && scanner.isBetweenFrames, "\(count) of \(piece.count) bytes are looked at")
      return Frames(hasClosed: true, byteCount: start + count)
    case .failure(let violation):
      try expect(before == (scanner.isBetweenFrames, scanner.hasClosed), "the scanner moved on behind a fault")
      return Frames(violation: violation)
    }
    start += piece.count
  }
  return Frames(
    isBetweenFrames: scanner.isBetweenFrames, hasClosed: scanner.hasClosed, byteCount: bytes.count)
}

/// Stops between frames are where a reader that knows nothing but lengths sees the ends of frames.
private func checkStops(_ bytes: [UInt8], isMasked: Bool, _ whole: Frames) throws {
  if whole.violation != nil { return }
  var scanner = FrameScanner(isMasked: isMasked)
  var place = 0
  var stops: [Int] = []
  while place < bytes.count {
    var one = Array(bytes[place...].prefix(1))
    guard case .success(1) = scanner.scan(one.span) else { throw Fault("a byte that passed before is refused") }
    place += 1
    one = Array(bytes[place...])
    guard case .success(let count) = scanner.scan(one.span, stopsBetweenFrames: true) else {
      throw Fault("bytes that passed before are refused")
    }
    place += count
    if scanner.isBetweenFrames { stops.append(place) }
  }
  try expect(stops == ends(of: bytes), "frames end at \(ends(of: bytes)), not at \(stops)")
}

private func ends(of bytes: [UInt8]) -> [Int] {
  var ends: [Int] = []
  var place = 0
  while place + 2 <= bytes.count {
    let short = Int(bytes[place + 1] & 0x7F)
    var header = 2 + (bytes[place + 1] & 0x80 == 0 ? 0 : 4)
    var length = short
    if short >= 126 {
      let count = short == 126 ? 2 : 8
      if place + 2 + count > bytes.count { return ends }
      length = bytes[(place + 2)..<(place + 2 + count)].reduce(0) { $0 << 8 | Int($1) }
      header += count
    }
    if length > bytes.count - place - header { return ends }
    place += header + length
    ends.append(place)
  }
  return ends
}
