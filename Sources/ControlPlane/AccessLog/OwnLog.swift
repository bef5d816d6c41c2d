// The gateway's own log, to standard error. Writers never wait for readers, because workers log on their loops.

package import Dispatch
import Glibc
package import Logging
import NIOConcurrencyHelpers

/// One a process.
package final class OwnLog: Sendable {
  package let logger: Logger
  private let writer: LineWriter

  /// LIMIT: so much may wait for a reader that does not keep up. Past it lines are dropped and counted.
  private static let waitingByteCountMax = 1024 * 1024

  package init(hasNotices: Bool = true) {
    // While it lasts, there is no other place to report it. The metric does.
    let own = NIOLockedValueBox<Logger?>(nil)
    let writer = LineWriter(
      label: "catraca.log", byteCountMax: Self.waitingByteCountMax, descriptor: dup(STDERR_FILENO)
    ) { news in
      guard case .resumed(let count) = news else { return }
      own.withLockedValue(\.self)?.warning("lines of this log were lost", metadata: ["lost": "\(count)"])
    }
    self.writer = writer
    var logger = Logger(label: "catraca") { label in StreamLogHandler(label: label, stream: Stream(writer: writer)) }
    logger.logLevel = hasNotices ? .notice : .warning
    self.logger = logger
    let told = logger
    own.withLockedValue { $0 = told }
  }

  /// Lines that were lost.
  package var droppedLineCount: Int { writer.droppedLineCount }

  /// Returns when all that was said is written, or standard error has taken nothing for so long: to be called before
  /// the process ends, and before anything is written past this log.
  package func flush(patience: DispatchTimeInterval = .seconds(2)) async { _ = await writer.flush(patience: patience) }

  private struct Stream: TextOutputStream, Sendable {
    let writer: LineWriter

    mutating func write(_ text: String) { writer.write(Array(text.utf8)) }
  }
}
