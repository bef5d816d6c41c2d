// What the log, the metrics and /status say of lists of revoked tokens.

internal import Configuration
internal import Logging
internal import Tokens

/// One issuer's lists at one moment.
package struct RevocationStatus: Sendable, Equatable {
  package struct Lists: Sendable, Equatable {
    package var kind: String
    /// Entries of a denylist, or tokens that status lists may have.
    package var entryCount: Int
    /// Bytes of memory.
    package var byteCount: Int
    /// Since the lists were last known to be the newest: of the oldest. Nil where there is none.
    package var ageSeconds: Int64?
    /// Whether they count.
    package var isGood: Bool
    package var lastError: String?
    /// Looks by result: `success`, or a failure's code.
    package var results: [String: UInt64]

    package init(
      kind: String, entryCount: Int, byteCount: Int, ageSeconds: Int64?, isGood: Bool, lastError: String?,
      results: [String: UInt64]
    ) {
      self.kind = kind
      self.entryCount = entryCount
      self.byteCount = byteCount
      self.ageSeconds = ageSeconds
      self.isGood = isGood
      self.lastError = lastError
      self.results = results
    }
  }

  package var issuer: String
  package var lists: [Lists]

  package init(issuer: String, lists: [Lists]) {
    self.issuer = issuer
    self.lists = lists
  }
}

extension RevocationRegistry {
  /// By issuers that have `revocation`.
  func status() -> [RevocationStatus] {
    let now = environment.now()
    return entries.map { entry in
      var lists: [RevocationStatus.Lists] = []
      if entry.rules.denylist != nil {
        let state = entry.denylist
        lists.append(
          RevocationStatus.Lists(
            kind: "denylist", entryCount: state.list?.count ?? 0, byteCount: state.list?.byteCount ?? 0,
            ageSeconds: state.ageSeconds(at: now),
            isGood: state.current(stale: entry.rules.stale, now: now) != nil, lastError: state.failure?.description,
            results: state.results))
      }
      if entry.rules.statusList != .off {
        let states = entry.statusLists.map(\.state)
        lists.append(
          RevocationStatus.Lists(
            kind: "status_list", entryCount: states.reduce(0) { $0 + ($1.list?.count ?? 0) },
            byteCount: states.reduce(0) { $0 + ($1.list?.byteCount ?? 0) },
            ageSeconds: states.compactMap { $0.ageSeconds(at: now) }.max(),
            isGood: states.allSatisfy { current($0, of: entry) != nil },
            lastError: states.lazy.compactMap { $0.failure?.description }.first,
            results: states.reduce(into: entry.goneResults) { $0.merge($1.results) { $0 &+ $1 } }))
      }
      return RevocationStatus(issuer: entry.issuer.name, lists: lists)
    }
  }

  func report(before: ListState<Denylist>, _ index: Int) { report(before: before, entries[index]) }

  func report(before: ListState<Denylist>, _ entry: Entry) {
    report(
      "denylist", before: before, after: entry.denylist, entry.issuer,
      [("entries", "\(entry.denylist.list?.count ?? 0)")])
  }

  func report(before: ListState<StatusList>, _ index: Int, list: Int) {
    let entry = entries[index].statusLists[list]
    let uri = String(decoding: entry.uri.prefix(200), as: UTF8.self).withoutURLSecrets
    report("status list", before: before, after: entry.state, entries[index].issuer, [("uri", uri)])
  }

  /// That a list came, that it is missing and why, that it is back: each once.
  private func report<List>(
    _ kind: String, before: ListState<List>, after: ListState<List>, _ issuer: Issuer,
    _ facts: [(name: String, value: String)]
  ) {
    var metadata: Logger.Metadata = ["issuer": "\(issuer.name)", "list": "\(kind)"]
    if let failure = after.failure {
      if before.failure == failure { return }
      metadata["reason"] = "\(failure)"
      metadata["counting"] = after.list == nil ? "none" : "the last good one"
      for fact in facts where fact.name == "uri" { metadata["uri"] = "\(fact.value)" }
      notices?.postRevocation(kind, issuer: issuer.name, reason: failure.description)
      log.warning("a list of revoked tokens cannot be read", metadata: metadata)
    } else if before.list == nil && after.list != nil || before.failure != nil {
      for fact in facts { metadata[fact.name] = "\(fact.value)" }
      log.notice("a list of revoked tokens was read", metadata: metadata)
    }
  }
}
