// What the workers report of stores, as lines of the log: all of them see a server go down, and the log has it once.

import Logging
import NIOConcurrencyHelpers
import Proxy

final class StoreBoard: Sendable {
  private struct Key: Hashable {
    var store: String
    var node: String
  }

  private let log: Logger
  private let names: NameRegistry
  /// Workers for which a server is down.
  private let downCounts = NIOLockedValueBox<[Key: Int]>([:])

  init(log: Logger, names: NameRegistry) {
    self.log = log
    self.names = names
  }

  func post(_ report: StoreReport) {
    let key = Key(store: report.store, node: report.node)
    var facts: Logger.Metadata = ["store": "\(report.store)", "server": "\(report.server)"]
    switch report.change {
    case .down(let reason):
      facts["reason"] = "\(reason)"
      if move(key, by: 1) == 1 { log.warning("a store does not answer", metadata: facts) }
    case .up:
      if move(key, by: -1) == 0 { log.notice("a store answers again", metadata: facts) }
    case .named: Task { await names.add(report.server) }
    case .gone: _ = move(key, by: -1)
    case .refuses(let words):
      facts["reason"] = "\(words)"
      log.warning("a store refuses commands", metadata: facts)
    }
  }

  /// - Returns: how many workers miss the server now.
  private func move(_ key: Key, by difference: Int) -> Int {
    downCounts.withLockedValue { counts in
      let count = counts[key, default: 0] + difference
      counts[key] = count > 0 ? count : nil
      return count
    }
  }
}
