// What the workers report of stores, as lines of the log: all of them see a server go down, and the log has it once.

import Glibc
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

  private let saidAt = NIOLockedValueBox<[String: Int64]>([:])
  private let now: @Sendable () -> Int64

  /// LIMIT: the same is said once in so many seconds.
  private static let pauseSeconds: Int64 = 60

  init(log: Logger, names: NameRegistry, now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }) {
    self.log = log
    self.names = names
    self.now = now
  }

  private func isNew(_ text: String, at now: Int64, pause: Int64) -> Bool {
    saidAt.withLockedValue { said in
      if let last = said[text], now - last < pause { return false }
      said[text] = now
      return true
    }
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
    case .untracked(let words):
      facts["reason"] = "\(words)"
      if !isNew(report.store, at: 0, pause: .max) { return }
      log.warning(
        "a store does not report changes: what ends is kept for 'cache' elsewhere, denylists are read each second",
        metadata: facts)
    case .unreadable:
      if !isNew(report.store + " unreadable", at: now(), pause: Self.pauseSeconds) { return }
      log.warning(
        "a session in the store cannot be read: it was not written by the gateway, or its secret is missing",
        metadata: facts)
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
