// Spans and log records on their way to a collector, in the form in which it gets them.

import Bytes

/// Encoded spans or log records: elements of a `ScopeSpans` or `ScopeLogs` message, one behind the other.
package struct RecordBatch: Sendable {
  package var bytes: [UInt8]
  package var count: Int

  package init(bytes: [UInt8], count: Int) {
    self.bytes = bytes
    self.count = count
  }
}

/// What a worker has encoded and not handed over yet.
package struct RecordBuffer: ~Copyable {
  var bytes = ByteQueue()
  package internal(set) var count = 0

  /// Of an element in its list.
  static let field: UInt64 = 2
  /// LIMIT: so much is handed over at once. Less is within a tenth of a second.
  private static let byteCountMax = 32 * 1024

  var isFull: Bool { bytes.count >= Self.byteCountMax }

  package mutating func take() -> RecordBatch {
    let batch = RecordBatch(bytes: bytes.copied(), count: count)
    bytes.removeAll()
    count = 0
    return batch
  }
}
