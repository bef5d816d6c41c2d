// A pipe in the kernel: bytes that go through it from one socket to another are never copied here.

import Bytes
import CLinux
import Glibc

/// Two descriptors of one worker, used on its thread only, and closed with this object. Its user empties it before
/// anybody else can use it.
final class Pipe {
  private let writing: CInt
  private let reading: CInt
  /// Bytes that it holds at most.
  let byteCountMax: Int

  // LIMIT: the kernel's memory of one pipe. Of an ordinary user it takes less, if anything.
  private static let wantedByteCount: CInt = 256 * 1024

  /// nil when the process has no descriptors left.
  init?() {
    var descriptors: (CInt, CInt) = (-1, -1)
    // SAFETY: the call fills the two integers, which lie side by side.
    let status = unsafe withUnsafeMutableBytes(of: &descriptors) {
      unsafe pipe2($0.assumingMemoryBound(to: CInt.self).baseAddress, O_CLOEXEC | O_NONBLOCK)
    }
    if status != 0 { return nil }
    (reading, writing) = descriptors
    _ = fcntl(writing, catraca_set_pipe_size, Self.wantedByteCount)
    byteCountMax = max(4096, Int(fcntl(writing, catraca_get_pipe_size)))
  }

  deinit {
    _ = close(writing)
    _ = close(reading)
  }

  /// Takes what a socket has received, at most `max` bytes.
  func fill(from descriptor: Descriptor, max: Int) -> Descriptor.Received {
    let count = Self.move(from: descriptor.number, to: writing, max)
    if count > 0 { return .bytes(count) }
    if count == 0 { return .end }
    return errno == EAGAIN ? .wouldBlock : .failed
  }

  /// Sends `count` bytes that it holds, or as many of them as the kernel takes at once.
  func send(_ count: Int, to descriptor: Descriptor) -> Int {
    var sent = 0
    while sent < count {
      let moved = Self.move(from: reading, to: descriptor.number, count - sent)
      // A socket that failed reports it again when the rest is sent.
      if moved <= 0 { break }
      sent += moved
    }
    return sent
  }

  /// Appends at most `max` of the bytes that it holds to a queue. Returns how many.
  func receive(into queue: inout ByteQueue, max: Int) -> Int {
    var count = 0
    queue.append(upTo: max) { room in
      // SAFETY: the call writes at most as many bytes as there is room for, and as many are counted as it wrote.
      unsafe room.withUnsafeMutableBufferPointer { buffer, initializedCount in
        repeat { count = unsafe read(reading, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
        initializedCount = Swift.max(count, 0)
      }
    }
    return Swift.max(count, 0)
  }

  private static func move(from source: CInt, to target: CInt, _ count: Int) -> Int {
    while true {
      let moved = splice(source, nil, target, nil, count, catraca_splice_flags)
      if moved >= 0 || errno != EINTR { return moved }
    }
  }
}
