// The gateway's own log, to standard error. Writers never wait for readers, because workers log on their loops.

package import Configuration
package import Dispatch
import Glibc
package import Logging
import NIOConcurrencyHelpers

/// One a process.
package final class OwnLog: Sendable {
  package let logger: Logger
  private let writer: LineWriter
  private let rules: NIOLockedValueBox<OwnLogRules>

  /// LIMIT: so much may wait for a reader that does not keep up. Past it lines are dropped and counted.
  private static let waitingByteCountMax = 1024 * 1024

  package init(rules: OwnLogRules = OwnLogRules()) {
    // While it lasts, there is no other place to report it. The metric does.
    let own = NIOLockedValueBox<Logger?>(nil)
    let writer = LineWriter(
      label: "catraca.log", byteCountMax: Self.waitingByteCountMax, descriptor: fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    ) { news in
      guard case .resumed(let count) = news else { return }
      own.withLockedValue(\.self)?.warning("lines of this log were lost", metadata: ["lost": "\(count)"])
    }
    self.writer = writer
    let box = NIOLockedValueBox(rules)
    self.rules = box
    let logger = Logger(label: "catraca") { _ in OwnLogHandler(rules: box) { writer.write(Array($0.utf8)) } }
    self.logger = logger
    own.withLockedValue { $0 = logger }
  }

  /// How lines are written from now on, and which.
  package func take(_ fresh: OwnLogRules) { rules.withLockedValue { $0 = fresh } }

  /// Lines that were lost.
  package var droppedLineCount: Int { writer.droppedLineCount }

  /// Returns when all that was said is written, or standard error has taken nothing for so long: to be called before
  /// the process ends, and before anything is written past this log.
  package func flush(patience: DispatchTimeInterval = .seconds(2)) async { _ = await writer.flush(patience: patience) }
}
