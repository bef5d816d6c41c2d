// The word "ready", from a new process to the one that started it. Its end without the word says that the new process
// is gone.

import CLinux
import Glibc

/// The reading process's side. The pipe is closed with it.
final class ReadinessPipe: Sendable {
  enum Answer {
    case ready
    case gone
    /// Nothing was said in time.
    case silent
  }

  /// The side of the process that becomes ready.
  struct Writer: Sendable {
    private let number: CInt

    init(_ number: CInt) {
      self.number = number
      _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    }

    func announce() {
      var word: UInt8 = 1
      // SAFETY: one byte of ours is written.
      _ = unsafe write(number, &word, 1)
      close(number)
    }
  }

  private let reading: CInt
  let writing: CInt

  /// Nil when no descriptor is left.
  init?() {
    var descriptors: (CInt, CInt) = (-1, -1)
    // SAFETY: the call fills the two integers, which lie side by side.
    let status = unsafe withUnsafeMutableBytes(of: &descriptors) {
      unsafe pipe2($0.assumingMemoryBound(to: CInt.self).baseAddress, O_CLOEXEC)
    }
    if status != 0 { return nil }
    (reading, writing) = descriptors
  }

  deinit { close(reading) }

  /// To be called once, when the other process has its copy.
  func closeWriting() { close(writing) }

  /// Blocks.
  func wait(milliseconds: CInt) -> Answer {
    var event = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    // SAFETY: one structure of ours, for the time of the call.
    while unsafe poll(&event, 1, milliseconds) < 0 { if errno != EINTR { return .silent } }
    if event.revents == 0 { return .silent }
    // SAFETY: one byte is read into one.
    return unsafe read(reading, &byte, 1) == 1 ? .ready : .gone
  }
}
