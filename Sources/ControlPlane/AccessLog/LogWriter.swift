// Where access log lines go: a file or standard output, written on a queue of its own, so that a slow disk or a full pipe
// never holds up a worker. Lossless as long as the destination keeps up, and on shutdown.

package import Configuration
package import Dispatch
import Foundation
package import Logging
import NIOConcurrencyHelpers

/// One destination for all workers' lines. Its descriptor is used on its queue only.
package final class LogWriter: Sendable {
  private struct State {
    var destination = AccessLog.Destination.off
    var waitingByteCount = 0
    var droppedLineCount = 0
    /// Whether it was said already that lines are lost.
    var isLossTold = false
  }

  private let log: Logger
  private let state = NIOLockedValueBox(State())
  private let queue = DispatchQueue(label: "catraca.access-log")
  private let descriptor = NIOLockedValueBox(CInt(-1))

  /// LIMIT: so much may wait for a destination that does not keep up; lines past it are dropped and counted.
  private static let waitingByteCountMax = 64 * 1024 * 1024

  package init(log: Logger) { self.log = log }

  /// A destination that is open and gets no lines yet. To be taken over or closed, once.
  package struct Prepared: Sendable {
    fileprivate let destination: AccessLog.Destination
    fileprivate let descriptor: CInt

    package func discard() {
      if descriptor >= 0 { Glibc.close(descriptor) }
    }
  }

  /// Opens a destination. Throws what the system says.
  package static func prepare(_ destination: AccessLog.Destination) throws -> Prepared {
    switch destination {
    case .off: return Prepared(destination: destination, descriptor: -1)
    case .standardOutput: return Prepared(destination: destination, descriptor: dup(STDOUT_FILENO))
    case .file(let path):
      // SAFETY: the call reads the path, which lives as long as the call.
      let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
      if descriptor < 0 {
        throw LogError(path: path, reason: unsafe String(cString: strerror(errno)))
      }
      return Prepared(destination: destination, descriptor: descriptor)
    }
  }

  /// Opens a destination and takes it over.
  package func open(_ destination: AccessLog.Destination) throws { takeOver(try Self.prepare(destination)) }

  /// Lines that come from now on go there.
  package func takeOver(_ prepared: Prepared) {
    state.withLockedValue { state in
      state.destination = prepared.destination
      state.isLossTold = false
    }
    queue.async { [self] in
      let old = descriptor.withLockedValue { current in
        defer { current = prepared.descriptor }
        return current
      }
      if old >= 0 { close(old) }
    }
  }

  /// Opens the same file by its name again, after it was moved away (SIGUSR1).
  package func reopen() throws { try open(state.withLockedValue(\.destination)) }

  /// Takes complete lines; returns at once.
  package func write(_ lines: [UInt8]) {
    enum Fate { case unwanted, dropped, taken }
    let fate = state.withLockedValue { state -> Fate in
      if state.destination == .off { return .unwanted }
      if state.waitingByteCount + lines.count > Self.waitingByteCountMax { return .dropped }
      state.waitingByteCount += lines.count
      return .taken
    }
    if fate == .dropped { drop(lines[...], "it takes lines too slowly") }
    if fate != .taken { return }
    queue.async { [self] in
      writeAll(lines, to: descriptor.withLockedValue(\.self))
      state.withLockedValue { $0.waitingByteCount -= lines.count }
    }
  }

  package var droppedLineCount: Int { state.withLockedValue(\.droppedLineCount) }

  /// Returns when all that was taken is written; false when it is not.
  ///
  /// - Parameter patience: LIMIT: a destination that takes nothing for so long is given up: a pipe that nobody reads must
  ///   not keep the process from its end.
  package func flush(patience: DispatchTimeInterval = .seconds(5)) async -> Bool {
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

  private func writeAll(_ bytes: [UInt8], to descriptor: CInt) {
    var offset = 0
    while offset < bytes.count, descriptor >= 0 {
      // SAFETY: the pointer covers the array's bytes behind `offset`, and is used during the call only.
      let written = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress! + offset, bytes.count - offset)
      }
      if written > 0 {
        offset += written
      } else if errno == EAGAIN {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one structure, filled during the call.
        _ = unsafe Glibc.poll(&poll, 1, 1000)
      } else if errno != EINTR {
        // SAFETY: strerror answers a C string for every number; it is copied at once.
        return drop(bytes[offset...], unsafe String(cString: strerror(errno)))
      }
    }
  }

  /// Counts lines that are lost, and says so once: until the log is opened anew, the metric tells the rest.
  private func drop(_ lines: ArraySlice<UInt8>, _ reason: String) {
    let isTold = state.withLockedValue { state in
      state.droppedLineCount += lines.count(where: { $0 == 0x0A })
      defer { state.isLossTold = true }
      return state.isLossTold
    }
    if !isTold { log.error("access log lines are lost", metadata: ["reason": "\(reason)"]) }
  }
}

/// The access log's file cannot be opened.
package struct LogError: Error, CustomStringConvertible {
  package var path: String
  package var reason: String

  package var description: String { "access log \(path): \(reason)" }
}
