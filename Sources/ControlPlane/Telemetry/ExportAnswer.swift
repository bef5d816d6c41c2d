// What a collector answers to an export, such as an `ExportTraceServiceResponse` of OTLP. One number of it counts. It
// is a peer's word: what cannot be read says nothing.

enum ExportAnswer {
  /// `partial_success.rejected_spans` and its like: how many records were refused for ever. 0 where the answer does not
  /// say so.
  static func rejectedCount(in body: [UInt8]) -> Int {
    var reader = ProtobufReader(body[...])
    while let (field, value) = reader.next() {
      guard field == 1, case .bytes(let partial) = value else { continue }
      var inner = ProtobufReader(partial)
      while let (field, value) = inner.next() {
        if field == 1, case .number(let count) = value { return Int(clamping: Int64(bitPattern: count)) }
      }
    }
    return 0
  }
}

/// Goes through the fields of one message.
private struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// Nil at the end, and at what is not a field.
  mutating func next() -> (field: UInt64, value: Value)? {
    guard let tag = varint() else { return nil }
    switch tag & 7 {
    case 0: return varint().map { (tag >> 3, .number($0)) }
    case 1: return bytes(8).map { (tag >> 3, .bytes($0)) }
    case 2:
      guard let count = varint().flatMap({ Int(exactly: $0) }) else { return nil }
      return bytes(count).map { (tag >> 3, .bytes($0)) }
    case 5: return bytes(4).map { (tag >> 3, .bytes($0)) }
    default: return nil
    }
  }

  private mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    if count > rest.count { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
