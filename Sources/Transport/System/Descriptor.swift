// A socket's descriptor and what is done to it: bytes in, bytes out, the end. Straight to the kernel, with no buffer
// and no promise in between.

import Bytes
import Glibc

/// A non-blocking socket. A plain number: who has it closes it, once, and uses it no more.
struct Descriptor: Equatable {
  let number: CInt

  /// Where a receive ended.
  enum Received {
    case bytes(Int)
    case wouldBlock
    /// The peer sends no more.
    case end
    case failed
  }

  /// Where a send ended.
  enum Sent {
    case wrote(Int)
    /// The kernel's buffer is full.
    case wouldBlock
    case failed
  }

  /// One receive, of at most `max` bytes.
  func receive(into queue: inout ByteQueue, max: Int) -> Received {
    var received = 0
    var code: CInt = 0
    queue.append(upTo: max) { room in
      // SAFETY: the call writes at most as many bytes as there is room for, and keeps nothing. As many are counted as
      // it wrote.
      unsafe room.withUnsafeMutableBufferPointer { buffer, count in
        repeat {
          received = unsafe recv(number, buffer.baseAddress, buffer.count, 0)
          // errno is read before anything else can change it.
          code = received < 0 ? errno : 0
        } while code == EINTR
        count = Swift.max(received, 0)
      }
    }
    if received > 0 { return .bytes(received) }
    if received == 0 { return .end }
    return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed
  }

  func send(_ bytes: Span<UInt8>) -> Sent {
    let count = bytes.count
    if count == 0 { return .wrote(0) }
    while true {
      // SAFETY: the span outlives the call, which reads `count` bytes of it and keeps nothing.
      let written = unsafe bytes.withUnsafeBufferPointer {
        unsafe Glibc.send(number, $0.baseAddress, count, CInt(truncatingIfNeeded: MSG_NOSIGNAL))
      }
      if written >= 0 { return .wrote(written) }
      let code = errno
      if code == EINTR { continue }
      return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed
    }
  }

  /// The peer sees the end of what was sent. Receiving goes on.
  func closeOutput() { _ = shutdown(number, CInt(SHUT_WR)) }

  /// The peer sees a reset instead of an end.
  func resetWhenClosed() { set(SOL_SOCKET, SO_LINGER, linger(l_onoff: 1, l_linger: 0)) }

  /// 0 once a connect has succeeded.
  func connectError() -> CInt {
    var code: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    // SAFETY: the call fills the integer that it is given.
    let status = unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
    return status == 0 ? code : errno
  }

  func close() { _ = Glibc.close(number) }

  func set<Value: BitwiseCopyable>(_ level: CInt, _ name: CInt, _ value: Value) {
    var value = value
    // SAFETY: the call reads the value's own bytes.
    _ = unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Value>.size))
  }
}
