// All lists of the file's sessions. What is not about one session's rules is asked of each of them.

internal import Configuration
internal import Cryptography
internal import Glibc
internal import NIOConcurrencyHelpers
internal import Proxy
package import Tokens

package final class SessionLists: Sendable {
  package let memory: MemorySessions
  /// By the names of the rules whose sessions are in a store, and by those of the stores.
  private let stored = NIOLockedValueBox<(bySession: [String: RedisSessions], byStore: [String: RedisSessions])>(
    ([:], [:]))

  private let link: GatewayLink

  init(_ link: GatewayLink) {
    self.link = link
    memory = MemorySessions(forget: { link.forgetSession($0, isOver: $1) })
  }

  /// Of sessions in this process alone.
  init(memory: MemorySessions) {
    link = GatewayLink()
    self.memory = memory
  }

  /// Takes over a configuration.
  func apply(_ configuration: GatewayConfiguration) {
    let link = link
    var lists: (bySession: [String: RedisSessions], byStore: [String: RedisSessions]) = ([:], [:])
    if let keys = Snapshot.sessionKeys(configuration) {
      for session in configuration.sessions {
        guard case .redis(let index) = session.store else { continue }
        let store = configuration.stores[index]
        let list =
          lists.byStore[store.name]
          ?? RedisSessions(
            prefix: Array(store.prefix.utf8), keys: keys, issuers: configuration.issuers.map(\.name),
            environment: RedisSessions.Environment(
              ask: { [name = store.name] parts, place in await link.ask(name, parts, at: place) },
              forget: { link.forgetSession($0, isOver: true) }, now: { Int64(time(nil)) }))
        lists.byStore[store.name] = list
        lists.bySession[session.name] = list
      }
    }
    let fresh = lists
    stored.withLockedValue { $0 = fresh }
  }

  /// Where the sessions are that were begun under these rules.
  package func list(of session: String) -> any SessionList {
    stored.withLockedValue { $0.bySession[session] } ?? memory
  }

  private var all: [any SessionList] { [memory] + stored.withLockedValue { Array($0.byStore.values) } }

  /// - Returns: whether it is done.
  package func change(_ change: SessionChange) async -> Bool {
    do throws(SessionListUnavailable) {
      switch change {
      case .begin(let record, let digest, let replaced):
        try await list(of: record.session).begin(record, digest: digest, replaced: replaced)
      case .end(let digest, let session):
        try await list(of: session).end(digest: digest)
        await link.settle()
      }
      return true
    } catch {
      return false
    }
  }

  /// Returns when every worker of this process has forgotten them.
  /// - Returns: how many have ended.
  package func end(_ selection: SessionSelection) async throws(SessionListUnavailable) -> Int {
    var count = 0
    for list in all { count += try await list.end(selection) }
    await link.settle()
    return count
  }

  /// - Parameter selection: nil for everybody's.
  package func list(_ selection: SessionSelection?) async throws(SessionListUnavailable) -> [SessionSummary] {
    var found: [SessionSummary] = []
    for list in all {
      if let selection { found += try await list.list(selection) } else { found += try await list.list() }
    }
    return found
  }
}
