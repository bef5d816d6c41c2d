// Where access log lines go: a file or standard output. Lossless as long as the destination keeps up, and on shutdown.

package import Configuration
package import Dispatch
import Glibc
package import Logging
import NIOConcurrencyHelpers

/// One destination for all workers' lines.
package final class LogWriter: Sendable {
  private let destination = NIOLockedValueBox(AccessLog.Destination.off)
  private let writer: LineWriter

  /// LIMIT: so much may wait for a destination that does not keep up, where there is much memory.
  private static let waitingByteCountMax = 64 * 1024 * 1024

  /// - Parameter memoryByteCount: what the process may use.
  package init(log: Logger, memoryByteCount: Int = .max) {
    writer = LineWriter(
      label: "catraca.access-log", byteCountMax: min(Self.waitingByteCountMax, memoryByteCount / 16)
    ) { news in
      switch news {
      case .lost(let reason): log.error("access log lines are lost", metadata: ["reason": "\(reason)"])
      case .resumed(let count): log.notice("access log lines are written again", metadata: ["lost": "\(count)"])
      }
    }
  }

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
    case .standardOutput:
      return Prepared(destination: destination, descriptor: fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3))
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
    destination.withLockedValue { $0 = prepared.destination }
    writer.move(to: prepared.descriptor)
  }

  /// Opens the same file by its name again, after it was moved away (SIGUSR1).
  package func reopen() throws { try open(destination.withLockedValue(\.self)) }

  /// Takes complete lines. Returns at once.
  package func write(_ lines: [UInt8]) {
    if destination.withLockedValue(\.self) != .off { writer.write(lines) }
  }

  package var droppedLineCount: Int { writer.droppedLineCount }

  /// Returns when all that was taken is written. False when it is not: its destination has taken nothing for so long.
  package func flush(patience: DispatchTimeInterval = .seconds(5)) async -> Bool {
    await writer.flush(patience: patience)
  }
}

/// The access log's file cannot be opened.
package struct LogError: Error, CustomStringConvertible {
  package var path: String
  package var reason: String

  package var description: String { "access log \(path): \(reason)" }
}
