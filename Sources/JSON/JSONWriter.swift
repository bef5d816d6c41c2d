// Writes JSON behind what a queue already holds: the access log's lines, problem documents, key sets.
//
// Invariant: what it writes as a string is valid JSON whatever bytes it was given: control characters are escaped,
// bytes that are not UTF-8 become U+FFFD.

package import Bytes

/// Appends JSON texts to a ``ByteQueue``. It holds no state: commas and brackets are the caller's.
package enum JSONWriter {
  /// Appends a string with its quotes.
  package static func append(string bytes: Span<UInt8>, to queue: inout ByteQueue) {
    queue.append(UInt8(ascii: "\""))
    append(stringContent: bytes, to: &queue)
    queue.append(UInt8(ascii: "\""))
  }

  /// A string with its quotes.
  package static func quoted(_ text: String) -> String {
    var queue = ByteQueue()
    append(string: text, to: &queue)
    return String(decoding: queue.span.copied(), as: UTF8.self)
  }

  package static func append(string text: String, to queue: inout ByteQueue) {
    append(string: text.utf8.span, to: &queue)
  }

  /// Appends a string's content, escaped, without quotes, so that a string can be put together from several runs.
  package static func append(stringContent bytes: Span<UInt8>, to queue: inout ByteQueue) {
    var runStart = 0
    var offset = 0
    while offset < bytes.count {
      let byte = bytes[offset]
      if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        offset += 1
        continue
      }
      if byte >= 0x80 {
        let count = UTF8Sequence.byteCount(bytes, at: offset)
        if count > 0 {
          offset += count
          continue
        }
      }
      queue.append(bytes.extracting(runStart..<offset))
      append(escaped: byte, to: &queue)
      offset += 1
      runStart = offset
    }
    queue.append(bytes.extracting(runStart..<offset))
  }

  private static func append(escaped byte: UInt8, to queue: inout ByteQueue) {
    switch byte {
    case UInt8(ascii: "\""): queue.append("\\\"")
    case UInt8(ascii: "\\"): queue.append("\\\\")
    case 0x0A: queue.append("\\n")
    case 0x0D: queue.append("\\r")
    case 0x09: queue.append("\\t")
    case 0x80...: queue.append("\u{FFFD}")
    default:
      queue.append("\\u")
      queue.append(hexadecimal: UInt64(byte), width: 4)
    }
  }

  package static func append(integer value: Int64, to queue: inout ByteQueue) {
    if value < 0 { queue.append(UInt8(ascii: "-")) }
    queue.append(decimal: value.magnitude)
  }
}
