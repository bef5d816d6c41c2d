// How far a connection's bytes have got: what waits to be written, what was written, what each side still expects of
// the other. The data plane and the transport keep this record together, and the rules are its methods. Every transport
// uses them: the sockets, and the doubles of tests and fuzzers, which therefore cannot follow other rules.

package import Bytes

/// Owned by its ``Connection``.
package struct TransferState: ~Copyable {
  /// Bytes to be written. The transport takes them from the front.
  package var output = ByteQueue()
  /// Bytes that the transport has taken from `output`, and the kernel has not. They are ciphertext where there is TLS.
  package private(set) var bytesInTransport = 0
  /// Bytes that reached the kernel since the connection began. They distinguish a stalled peer from a slow one.
  package private(set) var bytesWritten: UInt64 = 0
  /// The connection is in ``Worker/flushes`` already.
  package private(set) var isFlushQueued = false
  /// The other side is held back until the transport reports that all output was written.
  package internal(set) var isDrainAwaited = false
  /// Nothing is put into `output` any more, and the writing side closes once it is written.
  package internal(set) var isCloseOrdered = false
  /// The kernel took less than all of the output.
  package private(set) var isOutputStuck = false
  /// The last receive may have left something unread.
  package private(set) var hasMoreInput = false
  /// A long body comes in: the transport asks ``Connection/relay()`` before each receive.
  package internal(set) var isRelaySource = false

  init() {}

  /// Bytes that the kernel has not taken yet.
  package var unwrittenByteCount: Int { output.count + bytesInTransport }
  package var isAllWritten: Bool { output.isEmpty && bytesInTransport == 0 }

  /// Memory that unwritten bytes hold for longer than one turn of the loop.
  var stuckByteCount: Int { isOutputStuck ? output.allocatedByteCount + bytesInTransport : 0 }

  // MARK: The data plane's side

  /// - Returns: false when a flush is queued already.
  mutating func queueFlush() -> Bool {
    if isFlushQueued { return false }
    isFlushQueued = true
    return true
  }

  // MARK: The transport's side

  /// The transport writes now, or gave up trying: what comes after this asks for another flush.
  package mutating func beginFlush() { isFlushQueued = false }

  /// The kernel took bytes straight from `output`.
  package mutating func wrote(_ byteCount: Int) {
    output.removeFirst(byteCount)
    bytesWritten &+= UInt64(byteCount)
  }

  /// The transport took bytes from `output`, and the kernel has them later.
  /// - Parameter waiting: all bytes that the transport holds now.
  package mutating func took(_ byteCount: Int, waiting: Int) {
    output.removeFirst(byteCount)
    bytesInTransport = waiting
  }

  /// The kernel took bytes that the transport held.
  /// - Parameter waiting: the bytes that the transport still holds.
  package mutating func wroteTaken(_ byteCount: Int, waiting: Int) {
    bytesWritten &+= UInt64(byteCount)
    bytesInTransport = waiting
  }

  /// Bytes of another connection reached this one's peer, past `output`.
  package mutating func relayed(_ byteCount: Int) { bytesWritten &+= UInt64(byteCount) }

  /// The kernel takes nothing more for now.
  mutating func outputBlocked() { isOutputStuck = true }

  /// All output was written.
  mutating func outputEmptied() { isOutputStuck = false }

  /// Something was received, and is about to be reported.
  /// - Parameter hasMore: the kernel, or the TLS session, may have more.
  package mutating func received(hasMore: Bool) { hasMoreInput = hasMore }

  /// The kernel cannot move this connection's bytes to another socket.
  package mutating func relayFailed() { isRelaySource = false }
}
