// All lists of the file's sessions. What is not about one session's rules is asked of each of them.

package import Tokens

package struct SessionLists: Sendable {
  package let memory: MemorySessions

  package init(memory: MemorySessions) { self.memory = memory }

  /// Where the sessions are that were begun under these rules.
  package func list(of session: String) -> any SessionList { memory }

  private var all: [any SessionList] { [memory] }

  /// - Returns: whether it is done.
  package func change(_ change: SessionChange) async -> Bool {
    do throws(SessionListUnavailable) {
      switch change {
      case .begin(let record, let digest, let replaced):
        try await list(of: record.session).begin(record, digest: digest, replaced: replaced)
      case .end(let digest, let session): try await list(of: session).end(digest: digest)
      }
      return true
    } catch {
      return false
    }
  }

  /// - Returns: how many have ended.
  package func end(_ selection: SessionSelection) async throws(SessionListUnavailable) -> Int {
    var count = 0
    for list in all { count += try await list.end(selection) }
    return count
  }

  package func list(_ selection: SessionSelection) async throws(SessionListUnavailable) -> [SessionSummary] {
    var found: [SessionSummary] = []
    for list in all { found += try await list.list(selection) }
    return found
  }
}
