// Lines on their way to a descriptor, written on a queue of their own, so that a slow disk or a full pipe never holds
// up who has something to say. What does not fit is dropped and counted.
//
// Invariant: a destination gets whole lines. Where one breaks off, as on a full disk, its beginning is taken back or
// ended before the next.

import Dispatch
import Glibc
import NIOConcurrencyHelpers

/// One destination. Its descriptor is used on its queue only.
final class LineWriter: Sendable {
  /// What the operator should learn about a destination.
  enum News: Sendable {
    /// Lines are lost from now on.
    case lost(reason: String)
    /// They are written again.
    case resumed(lostLineCount: Int)
  }

  private struct State {
    var waitingByteCount = 0
    var droppedLineCount = 0
    /// Of the trouble that goes on. Nil while there is none.
    var lostLineCount: Int?
    var lastLossAt = ContinuousClock.now
  }

  /// What only the queue touches.
  private struct Destination {
    var descriptor: CInt
    /// Bytes at its end that are a line without its end.
    var fragmentByteCount = 0
  }

  private let byteCountMax: Int
  private let tell: @Sendable (News) -> Void
  private let state = NIOLockedValueBox(State())
  private let destination: NIOLockedValueBox<Destination>
  private let queue: DispatchQueue

  /// - Parameters:
  ///   - byteCountMax: LIMIT: so much may wait for a destination that does not keep up.
  ///   - tell: called on any thread. Must not block.
  init(label: String, byteCountMax: Int, descriptor: CInt = -1, tell: @escaping @Sendable (News) -> Void) {
    self.byteCountMax = byteCountMax
    self.tell = tell
    destination = NIOLockedValueBox(Destination(descriptor: descriptor))
    queue = DispatchQueue(label: label)
  }

  /// Lines that come from now on go to this descriptor, which is this object's to close. None go to -1.
  func move(to descriptor: CInt) {
    state.withLockedValue { $0.lostLineCount = nil }
    queue.async { [self] in
      let old = destination.withLockedValue { current in
        defer { current = Destination(descriptor: descriptor) }
        return current.descriptor
      }
      if old >= 0 { close(old) }
    }
  }

  /// Takes complete lines. Returns at once.
  func write(_ lines: [UInt8]) {
    let isTaken = state.withLockedValue { state in
      if state.waitingByteCount + lines.count > byteCountMax { return false }
      state.waitingByteCount += lines.count
      return true
    }
    if !isTaken { return drop(lines[...], "it takes lines too slowly") }
    queue.async { [self] in
      writeAll(lines)
      state.withLockedValue { $0.waitingByteCount -= lines.count }
    }
  }

  var droppedLineCount: Int { state.withLockedValue(\.droppedLineCount) }

  /// Returns when all that was taken is written. False when it is not.
  ///
  /// - Parameter patience: LIMIT: a destination that accepts nothing for this long is abandoned. A pipe that nobody
  ///   reads must not keep the process from its end.
  func flush(patience: DispatchTimeInterval) async -> Bool {
    let isWritten = DispatchSemaphore(value: 0)
    queue.async { isWritten.signal() }
    return await withCheckedContinuation { continuation in
      // A thread of its own: the queue's may be inside a write that does not return.
      DispatchQueue.global().async { [self] in
        var left = state.withLockedValue(\.waitingByteCount)
        while isWritten.wait(timeout: .now() + patience) == .timedOut {
          let before = left
          left = state.withLockedValue(\.waitingByteCount)
          if left == before { return continuation.resume(returning: false) }
        }
        continuation.resume(returning: true)
      }
    }
  }

  // MARK: On the queue

  private func writeAll(_ lines: [UInt8]) {
    var target = destination.withLockedValue(\.self)
    if target.descriptor < 0 { return }
    if target.fragmentByteCount > 0, Self.write([0x0A], to: target.descriptor).writtenByteCount == 1 {
      target.fragmentByteCount = 0
    }
    let outcome =
      target.fragmentByteCount > 0 ? (0, "its last line is broken") : Self.write(lines[...], to: target.descriptor)
    if let reason = outcome.reason {
      let written = lines[..<outcome.writtenByteCount]
      let wholeByteCount = written.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
      target.fragmentByteCount += written.count - wholeByteCount
      takeBackFragment(&target)
      drop(lines[wholeByteCount...], reason)
    } else {
      noteWritten()
    }
    let fragmentByteCount = target.fragmentByteCount
    destination.withLockedValue { $0.fragmentByteCount = fragmentByteCount }
  }

  /// - Returns: how much was written, and why no more was.
  private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> (writtenByteCount: Int, reason: String?)
  {
    var left = bytes
    while !left.isEmpty {
      // SAFETY: the call reads the slice's own bytes, and keeps nothing.
      let written = unsafe left.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written > 0 {
        left = left.dropFirst(written)
      } else if errno == EAGAIN {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one structure, filled during the call.
        _ = unsafe Glibc.poll(&poll, 1, 1000)
      } else if errno != EINTR {
        // SAFETY: strerror answers a C string for every number. It is copied at once.
        return (bytes.count - left.count, unsafe String(cString: strerror(errno)))
      }
    }
    return (bytes.count, nil)
  }

  /// Cuts a file back to its last whole line, where nobody else has written behind it. Elsewhere the fragment stays,
  /// and gets its end before the next line.
  private func takeBackFragment(_ target: inout Destination) {
    if target.fragmentByteCount == 0 { return }
    let end = lseek(target.descriptor, 0, SEEK_CUR)
    var facts = stat()
    // SAFETY: the call fills the structure.
    guard end >= target.fragmentByteCount, unsafe fstat(target.descriptor, &facts) == 0, facts.st_size == end,
      ftruncate(target.descriptor, end - target.fragmentByteCount) == 0
    else { return }
    _ = lseek(target.descriptor, end - target.fragmentByteCount, SEEK_SET)
    target.fragmentByteCount = 0
  }

  // MARK: What is lost

  private func drop(_ lines: ArraySlice<UInt8>, _ reason: String) {
    let count = lines.count { $0 == 0x0A }
    let isNews = state.withLockedValue { state in
      state.droppedLineCount += count
      state.lastLossAt = .now
      defer { state.lostLineCount = (state.lostLineCount ?? 0) + count }
      return state.lostLineCount == nil
    }
    if isNews { tell(.lost(reason: reason)) }
  }

  /// The end of a fault is reported once it has been over for a moment, so that one which comes and goes does not fill
  /// a log.
  private func noteWritten() {
    let lostLineCount = state.withLockedValue { state -> Int? in
      guard let count = state.lostLineCount, ContinuousClock.now - state.lastLossAt > .seconds(1) else { return nil }
      state.lostLineCount = nil
      return count
    }
    if let lostLineCount { tell(.resumed(lostLineCount: lostLineCount)) }
  }
}
