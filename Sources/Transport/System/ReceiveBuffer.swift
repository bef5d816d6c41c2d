// Where received bytes lie until they are used up.

import Glibc

/// Memory that one loop receives into, again and again.
// SAFETY: owned by this object alone, freed with it, and never touched past `byteCount`.
@safe final class ReceiveBuffer {
  private let memory: UnsafeMutableBufferPointer<UInt8>

  init(byteCount: Int) { unsafe memory = .allocate(capacity: byteCount) }

  deinit { unsafe memory.deallocate() }

  var byteCount: Int { unsafe memory.count }

  /// One receive. `body` is given what came; it must not receive again.
  func receive(from descriptor: Descriptor, _ body: (Span<UInt8>) -> Void) -> Descriptor.Received {
    while true {
      // SAFETY: the call writes at most as many bytes as the memory has, and keeps nothing.
      let count = unsafe recv(descriptor.number, memory.baseAddress, memory.count, 0)
      if count > 0 {
        // SAFETY: the kernel has just written these bytes; the span ends before the next receive.
        let bytes = unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: memory[..<count]))
        body(bytes)
        return .bytes(count)
      }
      if count == 0 { return .end }
      // errno is read before anything else can change it.
      let code = errno
      if code == EINTR { continue }
      return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed
    }
  }
}
