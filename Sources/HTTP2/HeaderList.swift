// The fields of a head that is to be sent, as nghttp2 takes them. Names are lowered, and what belongs to an HTTP/1
// connection is left out here, so that nothing of one protocol's framing leaks into the other (RFC 9113 §8.2.2, T51).

import Bytes
internal import CNGHTTP2
package import HTTPWire

/// A scratch for one head after the other. One for a whole event loop is enough.
@safe
package struct HeaderList: ~Copyable {
  private struct Entry {
    var nameStart: Int
    var nameCount: Int
    var valueStart: Int
    var valueCount: Int
  }

  private var bytes = ByteQueue()
  private var entries: [Entry] = []
  private var fields = unsafe [nghttp2_nv]()

  package init() {}

  package var isEmpty: Bool { entries.isEmpty }

  /// What nghttp2 needs to keep the fields until they are sent, about.
  var keptByteCount: Int { bytes.count + entries.count * 48 }

  /// Forgets the fields and keeps the memory.
  package mutating func reset() {
    bytes.removeAll()
    entries.removeAll(keepingCapacity: true)
  }

  /// Begins a response.
  package mutating func setStatus(_ status: Int) {
    reset()
    bytes.append(":status")
    bytes.append(decimal: UInt64(clamping: status))
    entries.append(Entry(nameStart: 0, nameCount: 7, valueStart: 7, valueCount: bytes.count - 7))
  }

  /// Adds a field whose name and value are valid (RFC 9110 §5), unless it belongs to an HTTP/1 connection.
  package mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
    if Self.isConnectionField(name, value) { return }
    appendKept(name, value)
  }

  /// Adds a field of a head, of which it is known already whether it belongs to an HTTP/1 connection.
  package mutating func append(_ field: FieldLine, of bytes: Span<UInt8>) {
    if field.isHopByHop { return }
    appendKept(bytes.extracting(field.name), bytes.extracting(field.value))
  }

  private mutating func appendKept(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    let nameStart = bytes.count
    bytes.append(lowering: name)
    let valueStart = bytes.count
    bytes.append(value)
    entries.append(
      Entry(nameStart: nameStart, nameCount: name.count, valueStart: valueStart, valueCount: value.count))
  }

  /// Adds the fields of lines as HTTP/1 writes them, `Name: value` and CRLF. An empty line ends them.
  package mutating func append(lines: Span<UInt8>) { append(lines: lines, from: 0, leavesOutHost: false) }

  private mutating func append(lines: Span<UInt8>, from start: Int, leavesOutHost: Bool) {
    var lineStart = start
    while lineStart < lines.count {
      let lineFeed = lines.firstIndex(of: 0x0A, from: lineStart) ?? lines.count
      let line = lines.extracting(lineStart..<lineFeed)
      lineStart = lineFeed + 1
      guard let colon = line.firstIndex(of: 0x3A), colon > 0 else { continue }
      let name = line.extracting(0..<colon)
      if leavesOutHost, name.equalsIgnoringCase("host") { continue }
      append(name: name, value: Self.trimmed(line.extracting(colon + 1..<line.count)))
    }
  }

  /// Begins a request with what an HTTP/1 head says: its request line, its Host as `:authority`, its fields.
  /// - Parameter connectProtocol: makes it an extended CONNECT (RFC 8441).
  /// - Returns: false if `head` has no request line in origin or asterisk form.
  package mutating func setRequest(
    head: Span<UInt8>, scheme: StaticString, connectProtocol: StaticString? = nil
  ) -> Bool {
    reset()
    guard let lineFeed = head.firstIndex(of: 0x0A), let methodEnd = head.firstIndex(of: 0x20), methodEnd < lineFeed,
      let targetEnd = head.firstIndex(of: 0x20, from: methodEnd + 1), targetEnd < lineFeed, targetEnd > methodEnd + 1
    else { return false }
    if let connectProtocol {
      appendPseudo(":method", "CONNECT")
      appendPseudo(":protocol", connectProtocol)
    } else {
      appendPseudo(":method", head.extracting(0..<methodEnd))
    }
    appendPseudo(":scheme", scheme)
    if let host = Self.host(of: head, from: lineFeed + 1) { appendPseudo(":authority", head.extracting(host)) }
    appendPseudo(":path", head.extracting(methodEnd + 1..<targetEnd))
    append(lines: head, from: lineFeed + 1, leavesOutHost: true)
    return true
  }

  private mutating func appendPseudo(_ name: StaticString, _ value: Span<UInt8>) {
    let nameStart = bytes.count
    bytes.append(name)
    let valueStart = bytes.count
    bytes.append(value)
    entries.append(
      Entry(
        nameStart: nameStart, nameCount: valueStart - nameStart, valueStart: valueStart, valueCount: value.count))
  }

  private mutating func appendPseudo(_ name: StaticString, _ value: StaticString) {
    let nameStart = bytes.count
    bytes.append(name)
    let valueStart = bytes.count
    bytes.append(value)
    entries.append(
      Entry(
        nameStart: nameStart, nameCount: valueStart - nameStart, valueStart: valueStart,
        valueCount: bytes.count - valueStart))
  }

  /// Where the value of the Host line is.
  private static func host(of head: Span<UInt8>, from start: Int) -> Range<Int>? {
    var lineStart = start
    while lineStart < head.count {
      let lineFeed = head.firstIndex(of: 0x0A, from: lineStart) ?? head.count
      if lineFeed - lineStart > 5, head.extracting(lineStart..<lineStart + 5).equalsIgnoringCase("host:") {
        var first = lineStart + 5
        var end = lineFeed
        while first < end, head[first] == 0x20 || head[first] == 0x09 { first += 1 }
        while end > first, head[end - 1] <= 0x20 { end -= 1 }
        return first..<end
      }
      lineStart = lineFeed + 1
    }
    return nil
  }

  @_lifetime(copy text)
  private static func trimmed(_ text: Span<UInt8>) -> Span<UInt8> {
    var start = 0
    var end = text.count
    while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
    while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 || text[end - 1] == 0x0D { end -= 1 }
    return text.extracting(start..<end)
  }

  private static func isConnectionField(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
    switch name.count {
    case 2: name.equalsIgnoringCase("te") && !value.equalsIgnoringCase("trailers")
    case 7: name.equalsIgnoringCase("upgrade")
    case 10: name.equalsIgnoringCase("connection") || name.equalsIgnoringCase("keep-alive")
    case 14: name.equalsIgnoringCase("http2-settings")
    case 16: name.equalsIgnoringCase("proxy-connection")
    case 17: name.equalsIgnoringCase("transfer-encoding")
    default: false
    }
  }

  /// The fields as nghttp2 takes them, valid within `body` only.
  mutating func withFields<Result>(_ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result) -> Result {
    var fields = unsafe [nghttp2_nv]()
    unsafe swap(&fields, &self.fields)
    defer { unsafe swap(&fields, &self.fields) }
    unsafe fields.removeAll(keepingCapacity: true)
    let span = bytes.span
    // SAFETY: every entry lies within `bytes`, which does not change before `body` returns. nghttp2 copies what it
    // keeps.
    return unsafe span.withUnsafeBufferPointer { all in
      let base = unsafe all.baseAddress.unsafelyUnwrapped
      for entry in entries {
        unsafe fields.append(
          catraca_field(base + entry.nameStart, entry.nameCount, base + entry.valueStart, entry.valueCount))
      }
      return unsafe fields.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
    }
  }
}
