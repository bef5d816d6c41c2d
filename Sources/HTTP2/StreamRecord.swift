// What a session keeps of an open stream. Records are kept for the streams that come after: a warm session makes none.

import Bytes

final class StreamRecord {
  let slot: Int
  /// 0 while the record is free.
  var id: Int32 = 0
  /// Content that waits to be sent.
  var output = ByteQueue()
  /// Bytes of heads that nghttp2 keeps until they are sent. Of this number of ``HTTP2Session/headRound`` only.
  var headByteCount = 0
  var headRound = 0
  /// Trailers as lines, which follow the content.
  var trailers = ByteQueue()
  var isHeadSubmitted = false
  /// Nothing more will be appended to `output`.
  var isFinished = false
  /// nghttp2 waits for a call that says that there is content again.
  var isDeferred = false
  /// The caller waits for an event that says that there is room.
  var isDrainDue = false
  /// We reset it, or are about to: not the peer's fault.
  var isResetWanted = false
  /// The caller knows of it, and so its end is reported.
  var isReported = false
  /// Behind a final head come content and trailers.
  var hasFinalHead = false
  /// The peer's side ended.
  var hasEnded = false
  /// Content is thrown away.
  var isInputDiscarded = false

  init(slot: Int) { self.slot = slot }

  var handle: StreamID { StreamID(id: id, slot: slot) }

  func reset() {
    id = 0
    if output.allocatedByteCount > HTTP2Session.keptByteCount { output.releaseStorage() } else { output.removeAll() }
    headByteCount = 0
    trailers.removeAll()
    isHeadSubmitted = false
    isFinished = false
    isDeferred = false
    isDrainDue = false
    isResetWanted = false
    isReported = false
    hasFinalHead = false
    hasEnded = false
    isInputDiscarded = false
  }
}

/// The open streams of a session, by slot.
struct StreamTable {
  private var records: [StreamRecord] = []
  private var free: [Int] = []

  var openCount: Int { records.count - free.count }

  mutating func open(id: Int32) -> StreamRecord {
    if let slot = free.popLast() {
      records[slot].id = id
      return records[slot]
    }
    let record = StreamRecord(slot: records.count)
    record.id = id
    records.append(record)
    return record
  }

  mutating func close(_ record: StreamRecord) {
    if record.id == 0 { return }
    record.reset()
    free.append(record.slot)
  }

  /// The record of an open stream.
  func record(of stream: StreamID) -> StreamRecord? {
    guard stream.id != 0, let record = record(at: stream.slot), record.id == stream.id else { return nil }
    return record
  }

  /// Those of open streams, and free ones.
  var all: [StreamRecord] { records }

  func record(at slot: Int) -> StreamRecord? { records.indices.contains(slot) ? records[slot] : nil }

  /// For the rare cases in which only the identifier is known.
  func record(id: Int32) -> StreamRecord? { records.first { $0.id == id && id != 0 } }

  /// Gives back the memory of free records.
  mutating func releaseStorage() {
    if openCount > 0 { return }
    records = []
    free = []
  }
}
