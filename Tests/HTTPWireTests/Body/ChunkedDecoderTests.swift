// Chunked bodies: whole, split at every byte and byte by byte, with one result.

import Bytes
import HTTPWire
import TestBasics
import Testing

/// What a chunked body held.
private struct Body: Equatable {
  var content: [UInt8] = []
  var trailers: [String] = []
  /// Bytes read. -1 if the body is refused, where the offset says nothing.
  var byteCount = 0
  var last = ChunkEvent.needMore

  init(pieces: [[UInt8]], limits: HeadLimits = HeadLimits(), isTolerant: Bool = false) {
    var decoder = ChunkedDecoder(isTolerant: isTolerant)
    var section = FieldSection()
    reading: for piece in pieces {
      var offset = 0
      while true {
        last = decoder.next(piece.span, offset: &offset, trailers: &section, limits: limits)
        if case .data(let range) = last {
          content.append(contentsOf: piece[range])
          continue
        }
        break
      }
      byteCount += offset
      if case .malformed = last { byteCount = -1 }
      if last != .needMore { break reading }
    }
    for field in section.fields {
      trailers.append(text(section.bytes.span, field.name) + "=" + text(section.bytes.span, field.value))
    }
  }
}

private func read(
  _ bytes: [UInt8], limits: HeadLimits = HeadLimits(), isTolerant: Bool = false,
  sourceLocation: SourceLocation = #_sourceLocation
) -> Body {
  let whole = Body(pieces: [bytes], limits: limits, isTolerant: isTolerant)
  let byteByByte = Body(pieces: bytes.map { [$0] }, limits: limits, isTolerant: isTolerant)
  #expect(byteByByte == whole, sourceLocation: sourceLocation)
  for split in bytes.indices {
    let pieces = [Array(bytes[..<split]), Array(bytes[split...])]
    let halves = Body(pieces: pieces, limits: limits, isTolerant: isTolerant)
    if halves != whole { Issue.record("split at \(split): \(halves)", sourceLocation: sourceLocation) }
  }
  return whole
}

private func read(
  _ text: String, isTolerant: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
) -> Body {
  read(Array(text.utf8), isTolerant: isTolerant, sourceLocation: sourceLocation)
}

struct ChunkedDecoderTests {
  @Test(
    "Good bodies are read to their ends and not further",
    arguments: [
      ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("5\r\nhello\r\n1\r\n \r\n0\r\n\r\n", "hello "),
      ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
      ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789"), ("0005\r\n\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r\n\r"),
      ("1;a\r\nx\r\n0\r\n\r\n", "x"), ("1;a=b;c=\"d;\\\"e\"\r\nx\r\n0;z\r\n\r\n", "x"),
      ("1 ; a = b\r\nx\r\n0\r\n\r\n", "x"),
      ("1;a=\"\";b\r\nx\r\n0\r\n\r\n", "x"), ("1\t;a\t;\tb\r\nx\r\n0\r\n\r\n", "x"),
    ])
  func good(input: String, content: String) {
    let body = read(input + "next")
    #expect(body.last == .end)
    #expect(body.content == Array(content.utf8))
    #expect(body.byteCount == input.utf8.count)
  }

  @Test(
    "T50 T66 Malformed bodies are refused",
    arguments: [
      ("0x5\r\nhello\r\n", HeadError.chunkSizeInvalid), ("\r\n", .chunkSizeInvalid), ("g\r\n", .chunkSizeInvalid),
      ("-1\r\n", .chunkSizeInvalid),
      ("+1\r\n", .chunkSizeInvalid), (" 1\r\n", .chunkSizeInvalid), (";a\r\n", .chunkSizeInvalid),
      ("1_0\r\n", .chunkSizeInvalid),
      ("8000000000000000\r\n", .chunkSizeInvalid), ("FFFFFFFFFFFFFFFFF\r\n", .chunkSizeInvalid),
      ("10000000000000005\r\n", .chunkSizeInvalid),
      ("5\r\nhello6\r\n", .chunkEndInvalid), ("5\r\nhello\n", .chunkEndInvalid), ("5\r\nhello\rx", .chunkEndInvalid),
      ("5\r\nhelloX\r\n", .chunkEndInvalid),
      ("5\nhello", .lineEndingInvalid), ("5\rhello", .lineEndingInvalid), ("5;a\nhello", .lineEndingInvalid),
      ("0\n\n", .lineEndingInvalid),
      ("5 \r\nhello", .chunkExtensionInvalid), ("5;\r\nhello", .chunkExtensionInvalid),
      ("5;a=\r\n", .chunkExtensionInvalid), ("5;a b\r\n", .chunkExtensionInvalid),
      ("5;a=\"b\r\n", .chunkExtensionInvalid), ("5;a=\"b\"c\r\n", .chunkExtensionInvalid),
      ("5;=b\r\n", .chunkExtensionInvalid), ("5 5\r\n", .chunkExtensionInvalid),
      ("5;a \r\n", .chunkExtensionInvalid), ("5;\u{0}\r\n", .chunkExtensionInvalid),
      ("5;a=\"\u{0}\"\r\n", .chunkExtensionInvalid), ("5;a=\"\\\r\n", .chunkExtensionInvalid),
      ("5;a=b=c\r\n", .chunkExtensionInvalid), ("5;;a\r\n", .chunkExtensionInvalid),
      ("0\r\nA b: c\r\n\r\n", .fieldNameInvalid), ("0\r\nA: b\n\r\n", .lineEndingInvalid),
      ("0\r\n\n", .lineEndingInvalid), ("0\r\n: b\r\n\r\n", .fieldNameInvalid),
      ("0\r\nA: b\r\n c\r\n\r\n", .fieldFolded), ("0\r\nA: \u{0}\r\n\r\n", .fieldValueInvalid),
      ("0\r\nContent-Length: 5\r\n\r\n", .trailerFieldForbidden),
      ("0\r\nTransfer-Encoding: chunked\r\n\r\n", .trailerFieldForbidden),
      ("0\r\nHost: a\r\n\r\n", .trailerFieldForbidden),
      ("0\r\nContent_Length: 5\r\n\r\n", .framingAmbiguous),
    ])
  func bad(input: String, error: HeadError) {
    #expect(read(input).last == .malformed(error))
  }

  @Test(
    "Of servers, padded sizes and bare line feeds are read",
    arguments: [
      "2     \r\nok\r\n0     \r\n\r\n", "2\t\r\nok\r\n0\r\n\r\n", "2\nok\n0\n\n", "2 \nok\r\n0 \n\n",
      "2;a\nok\n0;b\n\r\n", "2 ; a = b \r\nok\r\n0\r\n\r\n",
    ])
  func tolerant(input: String) {
    let body = read(input + "next", isTolerant: true)
    #expect(body.last == .end)
    #expect(body.content == Array("ok".utf8))
    #expect(body.byteCount == input.utf8.count)
    let isRefused = if case .malformed = read(input).last { true } else { false }
    #expect(isRefused, "of clients it is refused")
  }

  @Test(
    "T66 Of servers, too, a size that could be read in two ways is refused",
    arguments: [
      ("2 3\r\n", HeadError.chunkExtensionInvalid), (" 2\r\n", .chunkSizeInvalid), ("2;\r\n", .chunkExtensionInvalid),
      ("2; \n", .chunkExtensionInvalid), ("2\r\nokX", .chunkEndInvalid), ("2\rok", .lineEndingInvalid),
      ("\n", .chunkSizeInvalid), ("2\r\nok\rX", .chunkEndInvalid), ("0\nA b: c\n\n", .fieldNameInvalid),
    ])
  func tolerantButSure(input: String, error: HeadError) {
    #expect(read(input, isTolerant: true).last == .malformed(error))
  }

  @Test("Trailers of servers that end with a bare line feed are kept with a CRLF")
  func tolerantTrailers() {
    var decoder = ChunkedDecoder(isTolerant: true)
    var section = FieldSection()
    var offset = 0
    let bytes = Array("0\nA: b\nC: d\r\n\n".utf8)
    #expect(decoder.next(bytes.span, offset: &offset, trailers: &section, limits: HeadLimits()) == .end)
    #expect(section.bytes.span.text() == "A: b\r\nC: d\r\n")
  }

  @Test("T36 Trailers are kept apart from the content")
  func trailers() {
    let body = read("1\r\nx\r\n0\r\nChecksum: abc\r\nx-user: root\r\n\r\nGET")
    #expect(body.last == .end)
    #expect(body.content == [0x78])
    #expect(body.trailers == ["Checksum=abc", "x-user=root"])
    #expect(body.byteCount == 40)
  }

  @Test(
    "Unfinished bodies ask for more",
    arguments: ["", "5", "5\r", "5\r\n", "5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n"])
  func unfinished(input: String) {
    #expect(read(input).last == .needMore)
    #expect(read(input).byteCount == input.utf8.count)
  }

  @Test("A chunk of the greatest size is taken without overflow")
  func greatestSize() {
    let body = read("7FFFFFFFFFFFFFFF\r\nabc")
    #expect(body.last == .needMore)
    #expect(body.content == Array("abc".utf8))
  }

  @Test("T50 Size lines, extensions and trailers are bounded")
  func bounds() {
    let line = ChunkedDecoder.sizeLineByteCountMax
    func last(_ text: String, _ limits: HeadLimits = HeadLimits()) -> ChunkEvent {
      Body(pieces: [Array(text.utf8)], limits: limits).last
    }
    #expect(last(String(repeating: "0", count: line) + "\r\n\r\n") == .end)
    #expect(last(String(repeating: "0", count: line + 1)) == .malformed(.chunkSizeInvalid))
    #expect(last("0;" + String(repeating: "a", count: line - 2) + "\r\n\r\n") == .end)
    #expect(last("0;" + String(repeating: "a", count: line)) == .malformed(.chunkExtensionTooLarge))
    let small = "1;" + String(repeating: "a", count: 99) + "\r\nx\r\n"
    #expect(last(String(repeating: small, count: 163) + "0\r\n\r\n") == .end)
    #expect(last(String(repeating: small, count: 165) + "0\r\n\r\n") == .malformed(.chunkExtensionTooLarge))
    let trailer = "0\r\nA: b\r\n\r\n"
    #expect(last(trailer, HeadLimits(byteCountMax: 6)) == .end)
    #expect(read(Array(trailer.utf8), limits: HeadLimits(byteCountMax: 5)).last == .malformed(.headTooLarge))
    #expect(read(Array(trailer.utf8), limits: HeadLimits(byteCountMax: 3)).last == .malformed(.headTooLarge))
    #expect(last("0\r\nA: b\r\nA: b\r\n\r\n", HeadLimits(fieldCountMax: 2)) == .end)
    #expect(last("0\r\nA: b\r\nA: b\r\n\r\n", HeadLimits(fieldCountMax: 1)) == .malformed(.tooManyFields))
    let trickle = Array("0\r\n".utf8).map { [$0] } + [[UInt8]](repeating: [0x41], count: 40_000)
    #expect(Body(pieces: trickle).last == .malformed(.headTooLarge))
  }

  @Test("The end and an error stay what they are")
  func answerStays() {
    for (input, event) in [("0\r\n\r\n", ChunkEvent.end), ("x", .malformed(.chunkSizeInvalid))] {
      var decoder = ChunkedDecoder()
      var section = FieldSection()
      var offset = 0
      let first = decoder.next(input.utf8.span, offset: &offset, trailers: &section, limits: HeadLimits())
      offset = 0
      let second = decoder.next("5\r\nhello".utf8.span, offset: &offset, trailers: &section, limits: HeadLimits())
      #expect(first == event)
      #expect(second == event)
      #expect(offset == 0)
    }
  }

  @Test("Random content in random chunks and pieces comes out as it went in")
  func roundTrip() {
    var generator = SeededGenerator(seed: 66)
    for _ in 0..<300 {
      var content: [UInt8] = []
      var input: [UInt8] = []
      for _ in 0..<Int.random(in: 0...6, using: &generator) {
        let chunk = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        content += chunk
        input += Array(String(chunk.count, radix: 16).utf8) + Array("\r\n".utf8) + chunk + Array("\r\n".utf8)
      }
      input += Array("0\r\n\r\n".utf8)
      var pieces: [[UInt8]] = []
      var rest = input[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 0...9, using: &generator))
        pieces.append(Array(piece))
        rest = rest.dropFirst(piece.count)
      }
      let body = Body(pieces: pieces)
      #expect(body.last == .end)
      #expect(body.content == content)
    }
  }
}
