// One socket as the data plane sees it: an input and an output side, and a deadline. Owned by its worker's table from
// `accepted` (or the decision to connect) until `closed`.

import Bytes

/// The base of both kinds of connection. Lives on one event loop.
package class Connection {
  /// The place in the worker's table, and so in the transport's: valid until `closed`.
  package internal(set) var index = -1
  let worker: Worker

  /// What the transport and this side both know of the bytes.
  package final var transfer = TransferState()
  /// Bytes to be written.
  final var output: ByteQueue {
    _read { yield transfer.output }
    _modify { yield &transfer.output }
  }
  final var isReadingPaused = false
  /// The transport closes with a reset when it aborts.
  package internal(set) final var isResetWanted = false
  /// A close was ordered, or the socket is gone: events that are still under way are ignored.
  package internal(set) final var isClosed = false
  /// What took this connection's place, on the same socket, when the first bytes showed another protocol: the transport
  /// looks for it after each `received`.
  package internal(set) final var successor: Connection?

  init(worker: Worker) { self.worker = worker }

  /// What had been written when a peer that is slow was looked after the last time.
  final var bytesWrittenAtLastCheck: UInt64 = 0

  /// The steady time at which ``deadlinePassed()`` is called, in nanoseconds. Int64.max for never.
  final var deadline = Int64.max

  /// LIMIT: past this many unwritten bytes the other side is not read until half of them are written. Together with
  /// what is received (64 KiB) or relayed (256 KiB) at a time it bounds what one exchange may hold in each direction
  /// (T70).
  static let outputHighWater = 64 * 1024
  /// LIMIT: the same while memory is short. See ``MemoryShare/isShort``.
  static let shortOutputHighWater = 4 * 1024

  /// From so many bytes on a piece of a body is passed on with the memory in which it lies. Fewer are copied, so that a
  /// peer that does not take them cannot hold much more memory than bytes.
  static let movedByteCountMin = 16 * 1024

  /// To be called before the first byte of something that is written: an empty output owns no memory.
  @inline(__always)
  final func prepareOutput() { worker.outputBlocks.lend(to: &transfer.output) }

  // MARK: Memory

  /// As the worker's share has it.
  private(set) final var heldByteCount = 0
  /// See ``Worker/settleMemory(isTick:)``.
  final var bytesWrittenAtMark: UInt64 = 0
  private final var isLetGo = false

  /// Bytes in memory beside `output`, which go on when somebody takes them.
  var storedByteCount: Int { 0 }

  /// Counts what the connection holds again. To be called where bytes stay that mostly do not. See ``MemoryBound``.
  package final func settleHeld() { hold(isLetGo ? 0 : storedByteCount + transfer.stuckByteCount) }

  /// It is on its way out, and counts no more.
  final func letGo() {
    isLetGo = true
    hold(0)
  }

  @inline(__always)
  private func hold(_ byteCount: Int) {
    if byteCount == heldByteCount { return }
    worker.holdMemory(byteCount - heldByteCount)
    heldByteCount = byteCount
  }

  // MARK: What the transport reports of the output

  /// The kernel takes nothing more for now.
  package final func outputBlocked() {
    transfer.outputBlocked()
    settleHeld()
  }

  /// All output was written. An idle connection keeps no memory for answers that it does not write.
  /// - Returns: whether `drained` is awaited.
  @inline(__always)
  package final func outputEmptied() -> Bool {
    worker.takeMemory(of: &transfer.output)
    transfer.outputEmptied()
    if heldByteCount > 0 { settleHeld() }
    return transfer.isDrainAwaited
  }

  // MARK: Orders

  final var isOutputFull: Bool { transfer.unwrittenByteCount >= worker.outputHighWater }

  /// Nothing waits to be written, and something could be.
  final var isOutputIdle: Bool { transfer.isAllWritten && index >= 0 && !isClosed }

  final func flush() {
    // A connection without a slot is reported when it is connected.
    if isClosed || index < 0 { return }
    if transfer.queueFlush() { worker.flushes.append(index) }
  }

  final func pauseReading() {
    if isReadingPaused || isClosed { return }
    isReadingPaused = true
    worker.commands.append(.pauseReading(self))
  }

  final func resumeReading() {
    if !isReadingPaused || isClosed { return }
    isReadingPaused = false
    worker.commands.append(.resumeReading(self))
  }

  /// Closes once what waits is written. A peer that does not read cannot hold it open.
  final func close() {
    if isClosed { return }
    isClosed = true
    startCloseTimer()
    transfer.isCloseOrdered = true
    worker.commands.append(.close(self))
  }

  private func startCloseTimer() {
    bytesWrittenAtLastCheck = transfer.bytesWritten
    deadline = worker.time.nanoseconds &+ worker.snapshot.bodyTimeout
  }

  /// The deadline of a close passed: a peer that still reads gets more time, one that does not is cut off.
  final func closeTimedOut() {
    if transfer.bytesWritten == bytesWrittenAtLastCheck { return worker.commands.append(.abort(self)) }
    startCloseTimer()
  }

  final func abort() {
    if isClosed { return }
    isClosed = true
    worker.commands.append(.abort(self))
  }

  /// Aborts also what is closing already: a peer that takes nothing cannot hold a drain up.
  final func cutOff() {
    isClosed = true
    worker.commands.append(.abort(self))
  }

  /// The transport has room and is about to write: what is made only then goes into `output` now.
  package func fillOutput() {}

  // Events, in the order in which they may come.

  func received(_ bytes: Span<UInt8>) {}
  /// As ``received(_:)``, for many bytes: a receiver that passes them on as they are may take their memory, and leave
  /// other memory.
  func received(moving bytes: inout ByteQueue) { received(bytes.span) }
  /// What is left of the body that comes in, where its length is known. Nil where none does, or nobody knows.
  var knownBodyLeft: UInt64? { nil }
  /// Where that body goes as it comes. Nil when it has to be received.
  var relayTarget: Connection? { nil }
  /// So many bytes of the body went where ``relay()`` said.
  func relayed(_ byteCount: Int) {}
  /// The peer will send no more. It may still read.
  func receivedEnd() {}
  /// The peer will send no more behind what waits while it is not read. ``receivedEnd()`` comes when that was read.
  func endedUnread() {}
  /// All output reached the kernel.
  func outputDrained() {}
  func deadlinePassed() {}
  /// The socket is gone. Nothing comes after it.
  func disconnected() {}
}

/// All connections of a worker. Their deadlines are checked ten times a second, some 0.1 ms for ten thousand of them.
/// So there is no other timer, and moving a deadline costs one store.
struct ConnectionTable {
  private(set) var connections: [Connection?] = []
  private var free: [Int] = []
  private(set) var count = 0

  mutating func insert(_ connection: Connection) {
    count += 1
    if let index = free.popLast() {
      connections[index] = connection
      connection.index = index
    } else {
      connection.index = connections.count
      connections.append(connection)
    }
  }

  mutating func replace(_ connection: Connection, by successor: Connection) {
    if connection.index < 0 { return }
    connections[connection.index] = successor
    successor.index = connection.index
    connection.index = -1
  }

  mutating func remove(_ connection: Connection) {
    let index = connection.index
    if index < 0 { return }
    count -= 1
    connections[index] = nil
    free.append(index)
    connection.index = -1
  }
}
