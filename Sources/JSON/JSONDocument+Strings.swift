// Strings of a document: compared in place when they hold no escape, unescaped into an array when they do.

package import Bytes

extension JSONDocument {
  /// Whether the node is a string (or a member's name) that, unescaped, is exactly `other`. Allocates nothing when the
  /// string holds no escape.
  package func stringEquals(_ index: Index, _ other: Span<UInt8>) -> Bool {
    let node = nodes[index]
    if node.kind != .string { return false }
    let content = Int(node.start) + 1..<Int(node.end) - 1
    if !node.hasEscapes {
      return content.count == other.count && bytes.span.extracting(content).equals(other)
    }
    // An escape never makes a text shorter than what it stands for.
    if content.count < other.count { return false }
    return JSONEscapes.areEqual(bytes.span.extracting(content), other)
  }

  /// Where the string's content is in ``bytes``, without the quotes, when it can be used as it is. Nil for strings with
  /// escapes and for other kinds.
  package func plainStringRange(at index: Index) -> Range<Int>? {
    let node = nodes[index]
    if node.kind != .string || node.hasEscapes { return nil }
    return Int(node.start) + 1..<Int(node.end) - 1
  }

  /// The string's bytes, unescaped, in UTF-8. Nil for other kinds. Always a copy.
  package func stringBytes(at index: Index) -> [UInt8]? {
    let node = nodes[index]
    if node.kind != .string { return nil }
    let content = bytes.span.extracting(Int(node.start) + 1..<Int(node.end) - 1)
    return node.hasEscapes ? JSONEscapes.unescaped(content) : content.copied()
  }

  /// Appends the string, unescaped, in UTF-8. What holds no escape is copied in runs.
  /// - Returns: false for other kinds, of which nothing is appended.
  package func appendString(at index: Index, to queue: inout ByteQueue) -> Bool {
    let node = nodes[index]
    if node.kind != .string { return false }
    let content = bytes.span.extracting(Int(node.start) + 1..<Int(node.end) - 1)
    if node.hasEscapes { JSONEscapes.unescape(content, into: &queue) } else { queue.append(content) }
    return true
  }

  /// A hash of a string's content, unescaped, or of another value as it is. See `keyedHash` of spans.
  package func keyedHash(of index: Index, _ key0: UInt64, _ key1: UInt64) -> UInt64 {
    if let plain = plainStringRange(at: index) { return bytes.span.extracting(plain).keyedHash(key0, key1) }
    if let content = stringBytes(at: index) { return content.span.keyedHash(key0, key1) }
    return bytes.span.extracting(rawRange(of: index)).keyedHash(key0, key1)
  }

  /// The string, unescaped. Nil for other kinds.
  package func string(at index: Index) -> String? {
    guard let bytes = stringBytes(at: index) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}

enum JSONEscapes {
  /// The content of a checked string with its escapes replaced (RFC 8259 §7).
  static func unescaped(_ content: Span<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(content.count)
    unescape(content, into: &result)
    return result
  }

  /// The same, behind what `result` holds.
  static func unescape(_ content: Span<UInt8>, into result: inout [UInt8]) {
    var offset = 0
    while offset < content.count {
      var sequence = next(content, &offset)
      while sequence.count > 0 { result.append(sequence.removeFirst()) }
    }
  }

  /// The same for long texts with few escapes: what is between two of them is one run.
  static func unescape(_ content: Span<UInt8>, into queue: inout ByteQueue) {
    var offset = 0
    while offset < content.count {
      let escape = content.firstIndex(of: UInt8(ascii: "\\"), from: offset) ?? content.count
      queue.append(content.extracting(offset..<escape))
      offset = escape
      if offset == content.count { return }
      var sequence = next(content, &offset)
      while sequence.count > 0 { queue.append(sequence.removeFirst()) }
    }
  }

  /// Whether the content of a checked string, unescaped, is `other`. Ends with the first byte that differs.
  static func areEqual(_ content: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    var offset = 0
    var matched = 0
    while offset < content.count {
      var sequence = next(content, &offset)
      while sequence.count > 0 {
        if matched == other.count || other[matched] != sequence.removeFirst() { return false }
        matched += 1
      }
    }
    return matched == other.count
  }

  /// One to four bytes in a word.
  private struct Unescaped {
    var count = 0
    private var bits: UInt32 = 0

    init(_ byte: UInt8) { append(byte) }

    /// In UTF-8 (RFC 3629 §3).
    init(scalar: UInt32) {
      switch scalar {
      case 0..<0x80: append(UInt8(truncatingIfNeeded: scalar))
      case 0x80..<0x800:
        append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
        appendTail(scalar)
      case 0x800..<0x10000:
        append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
        appendTail(scalar >> 6)
        appendTail(scalar)
      default:
        append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
        appendTail(scalar >> 12)
        appendTail(scalar >> 6)
        appendTail(scalar)
      }
    }

    private mutating func append(_ byte: UInt8) {
      bits |= UInt32(byte) << UInt32(count * 8)
      count += 1
    }

    private mutating func appendTail(_ bits: UInt32) { append(UInt8(truncatingIfNeeded: 0x80 | bits & 0x3F)) }

    mutating func removeFirst() -> UInt8 {
      let first = UInt8(truncatingIfNeeded: bits)
      bits >>= 8
      count -= 1
      return first
    }
  }

  /// What the byte or the escape at `offset` stands for, which moves behind it.
  @inline(__always)
  private static func next(_ content: Span<UInt8>, _ offset: inout Int) -> Unescaped {
    let byte = content[offset]
    if byte != UInt8(ascii: "\\") || offset + 1 >= content.count {
      offset += 1
      return Unescaped(byte)
    }
    let escape = content[offset + 1]
    offset += 2
    switch escape {
    case UInt8(ascii: "b"): return Unescaped(0x08)
    case UInt8(ascii: "f"): return Unescaped(0x0C)
    case UInt8(ascii: "n"): return Unescaped(0x0A)
    case UInt8(ascii: "r"): return Unescaped(0x0D)
    case UInt8(ascii: "t"): return Unescaped(0x09)
    case UInt8(ascii: "u"):
      var scalar = hexadecimal(content, at: offset) ?? 0xFFFD
      offset += 4
      if scalar & 0xFC00 == 0xD800, let low = hexadecimal(content, at: offset + 2) {
        scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
        offset += 6
      }
      return Unescaped(scalar: scalar)
    default: return Unescaped(escape)
    }
  }

  /// The value of the four hexadecimal digits at `offset`, or nil.
  static func hexadecimal(_ bytes: Span<UInt8>, at offset: Int) -> UInt32? {
    if bytes.count - offset < 4 { return nil }
    var value: UInt32 = 0
    for index in offset..<offset + 4 {
      let byte = bytes[index]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
      default: return nil
      }
    }
    return value
  }
}
