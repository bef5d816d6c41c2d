// How other threads wake a worker.

import CLinux
import Glibc

/// An eventfd: rung from any thread, heard by the poller that watches it.
final class Bell: Sendable {
  let descriptor: Descriptor

  init() throws(SystemError) {
    let number = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
    if number < 0 { throw SystemError(code: errno) }
    descriptor = Descriptor(number: number)
  }

  deinit { descriptor.close() }

  func ring() {
    // A full counter is as good as a ring.
    _ = eventfd_write(descriptor.number, 1)
  }

  func silence() {
    var count: eventfd_t = 0
    // SAFETY: the call fills the integer that it is given.
    _ = unsafe eventfd_read(descriptor.number, &count)
  }
}
