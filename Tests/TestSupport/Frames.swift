// Frames by hand, right and wrong (RFC 9113 §4), with fields as HPACK literals that are neither indexed nor
// Huffman-coded (RFC 7541 §6.2.2), so that a test says exactly what goes over the wire.

import Bytes

package enum Frames {
  package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  package static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    let count = payload.count
    return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags] + word(stream) + payload
  }

  package static func word(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  package static func settings(_ entries: [(UInt16, UInt32)] = []) -> [UInt8] {
    frame(4, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
  }
  package static let settingsAck = frame(4, flags: 1)

  package static func headers(
    _ stream: UInt32, _ fields: [(String, String)], end: Bool = false, endHeaders: Bool = true
  ) -> [UInt8] {
    frame(1, flags: (end ? 1 : 0) | (endHeaders ? 4 : 0), stream: stream, block(fields))
  }

  package static func continuation(_ stream: UInt32, _ bytes: [UInt8], endHeaders: Bool = false) -> [UInt8] {
    frame(9, flags: endHeaders ? 4 : 0, stream: stream, bytes)
  }

  package static func data(_ stream: UInt32, _ bytes: [UInt8], end: Bool = false) -> [UInt8] {
    frame(0, flags: end ? 1 : 0, stream: stream, bytes)
  }
  package static func data(_ stream: UInt32, _ text: String, end: Bool = false) -> [UInt8] {
    data(stream, Array(text.utf8), end: end)
  }

  package static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] { frame(3, stream: stream, word(code)) }
  package static func windowUpdate(_ stream: UInt32, _ count: UInt32) -> [UInt8] {
    frame(8, stream: stream, word(count))
  }
  package static func ping(ack: Bool = false) -> [UInt8] { frame(6, flags: ack ? 1 : 0, Array(0..<8)) }
  package static func goAway(_ last: UInt32, _ code: UInt32 = 0) -> [UInt8] { frame(7, word(last) + word(code)) }

  /// A field block of literals.
  package static func block(_ fields: [(String, String)]) -> [UInt8] { fields.flatMap { literal($0.0, $0.1) } }

  package static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0] + string(Array(name.utf8)) + string(Array(value.utf8))
  }

  package static func string(_ bytes: [UInt8]) -> [UInt8] { integer(bytes.count, prefixBits: 7) + bytes }

  /// RFC 7541 §5.1.
  package static func integer(_ value: Int, prefixBits: Int) -> [UInt8] {
    let limit = (1 << prefixBits) - 1
    if value < limit { return [UInt8(value)] }
    var out = [UInt8(limit)]
    var rest = value - limit
    while rest >= 128 {
      out.append(UInt8(rest & 127 | 128))
      rest >>= 7
    }
    return out + [UInt8(rest)]
  }

  package static func get(_ path: String = "/", _ more: (String, String)...) -> [(String, String)] {
    [(":method", "GET"), (":scheme", "https"), (":authority", "example.org"), (":path", path)] + more
  }
  package static func post(_ path: String = "/", _ more: (String, String)...) -> [(String, String)] {
    [(":method", "POST"), (":scheme", "https"), (":authority", "example.org"), (":path", path)] + more
  }
}

/// A frame as it was sent.
package struct SentFrame: Equatable, CustomStringConvertible {
  package var type: UInt8
  package var flags: UInt8
  package var stream: UInt32
  package var payload: [UInt8]

  /// All whole frames in the bytes.
  package static func all(_ bytes: [UInt8], skipping prefix: Int = 0) -> [SentFrame] {
    var frames: [SentFrame] = []
    var at = prefix
    while at + 9 <= bytes.count {
      let count = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
      guard at + 9 + count <= bytes.count else { break }
      let stream = bytes[at + 5..<at + 9].reduce(0) { $0 << 8 | UInt32($1) }
      frames.append(
        SentFrame(
          type: bytes[at + 3], flags: bytes[at + 4], stream: stream, payload: Array(bytes[at + 9..<at + 9 + count])))
      at += 9 + count
    }
    return frames
  }

  /// The code of RST_STREAM or GOAWAY.
  package var code: UInt32 {
    let bytes = type == 7 ? payload.dropFirst(4).prefix(4) : payload.prefix(4)
    return bytes.reduce(0) { $0 << 8 | UInt32($1) }
  }
  package var description: String {
    "\(type)(\(flags)) on \(stream), \(payload.count) bytes" + (type == 3 || type == 7 ? " code \(code)" : "")
  }
}
