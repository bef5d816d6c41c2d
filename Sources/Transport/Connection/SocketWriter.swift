// Bytes to the kernel: straight from a connection's output to its descriptor, past the channel, because that saves a
// buffer and a promise a write. The only file of this target with `unsafe` in it.

import Bytes
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where a direct write ended.
enum WriteOutcome {
  case wrote(Int)
  /// The kernel's buffer is full.
  case wouldBlock
  case failed
}

/// Writes to one socket.
///
/// The descriptor belongs to the NIO channel: it is valid from `channelActive` to `channelInactive`, both on the
/// channel's loop, and this value is used in between on that loop only.
struct SocketWriter {
  private let descriptor: CInt

  /// Nil for a channel without a BSD socket under it.
  init?(_ channel: any Channel) {
    // SAFETY: only the number is taken; see the type's comment for how long it is used.
    guard
      let handle = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
        of: NIOBSDSocket.Handle.self, { $0 })
    else { return nil }
    descriptor = handle
  }

  func write(_ bytes: Span<UInt8>) -> WriteOutcome {
    let count = bytes.count
    if count == 0 { return .wrote(0) }
    while true {
      // SAFETY: the span outlives the call, which reads `count` bytes of it and keeps nothing.
      let written = unsafe bytes.withUnsafeBufferPointer {
        unsafe send(descriptor, $0.baseAddress, count, CInt(truncatingIfNeeded: MSG_NOSIGNAL))
      }
      if written >= 0 { return .wrote(written) }
      // errno is read before anything else can change it.
      let code = errno
      if code == EINTR { continue }
      return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed
    }
  }

  /// A channel's buffer with a copy of the bytes, for the slow path.
  static func copy(_ bytes: Span<UInt8>, allocator: ByteBufferAllocator) -> ByteBuffer {
    var buffer = allocator.buffer(capacity: bytes.count)
    // SAFETY: writeBytes copies before the span ends.
    unsafe bytes.withUnsafeBytes { _ = unsafe buffer.writeBytes($0) }
    return buffer
  }
}
