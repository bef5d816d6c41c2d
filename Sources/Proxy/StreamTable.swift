// The streams of one HTTP/2 connection, on the side of its session that faces the exchanges. Streams that have ended
// are kept for the next ones.

import HTTP2

/// One stream of a connection: one side of an exchange.
protocol HTTP2Stream: AnyObject {
  func has(_ id: StreamID) -> Bool
  /// The steady time at which ``deadlinePassed()`` is called.
  var deadline: Int64 { get }
  func deadlinePassed()
  /// Forgets one exchange and keeps the memory for the next.
  func reset()
}

/// Open streams by their slots.
struct StreamTable<Stream: HTTP2Stream> {
  private(set) var slots: [Stream?] = []
  private var spare: [Stream] = []
  /// Streams kept for the next exchanges. More are freed.
  private let spareCountMax: Int

  init(spareCountMax: Int) { self.spareCountMax = spareCountMax }

  subscript(id: StreamID) -> Stream? {
    guard slots.indices.contains(id.slot), let stream = slots[id.slot], stream.has(id) else { return nil }
    return stream
  }

  mutating func takeSpare() -> Stream? { spare.popLast() }

  mutating func insert(_ stream: Stream, at id: StreamID) {
    while slots.count <= id.slot { slots.append(nil) }
    slots[id.slot] = stream
  }

  /// The stream is no longer found, and can be kept when nothing needs it any more.
  mutating func remove(_ id: StreamID) -> Stream? {
    guard let stream = self[id] else { return nil }
    slots[id.slot] = nil
    return stream
  }

  mutating func keep(_ stream: Stream) {
    stream.reset()
    if spare.count < spareCountMax { spare.append(stream) }
  }

  var nextDeadline: Int64 {
    var next = Int64.max
    for stream in slots { next = min(next, stream?.deadline ?? .max) }
    return next
  }

  mutating func releaseStorage() {
    slots = []
    spare = []
  }
}
