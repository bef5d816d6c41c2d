// The list of sessions of `store: memory`: of this process, and gone with it. Whatever ends here is forgotten by every
// worker at once.

internal import Glibc
package import Tokens

package actor MemorySessions: SessionList {
  private struct Entry {
    var record: SessionRecord
    let beganAt: Int64
    var usedAt: Int64
    let endsAt: Int64
    var tokens: KeptTokens

    var byteCount: Int { record.claims.count + tokens.bytes.count }

    func isOver(at now: Int64) -> Bool { now >= endsAt || now - usedAt >= record.idleSeconds }
  }

  private var entries: [[UInt8]: Entry] = [:]
  /// By whose they are, and by what the issuer calls them, in the order in which they began.
  private var selected: [SessionSelection: [[UInt8]]] = [:]
  private var locks: [[UInt8]: (holder: [UInt8], endsAt: Int64)] = [:]
  private var byteCount = 0
  /// By the names of their rules, those included that are over and were not looked at since.
  package private(set) var counts: [String: Int] = [:]
  private let now: @Sendable () -> Int64
  private let forget: @Sendable (_ digest: [UInt8], _ isOver: Bool) -> Void

  /// LIMIT: no more begin until others have ended, whose callers get 503.
  static let countMax = 200_000
  /// LIMIT: so much do the claims and tokens of all sessions take.
  static let byteCountMax = 256 << 20
  /// LIMIT: of one caller. The oldest of them ends for a new one, so that no caller can fill the list.
  static let countOfOwnerMax = 100
  /// LIMIT: what is shown of the list.
  static let shownCountMax = 1000

  /// - Parameters:
  ///   - now: in seconds since 1970.
  ///   - forget: every worker forgets the session. If it is over, what is under way of it ends.
  package init(
    now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) },
    forget: @escaping @Sendable (_ digest: [UInt8], _ isOver: Bool) -> Void
  ) {
    self.now = now
    self.forget = forget
  }

  /// How many there are, those included that are over and were not looked at since.
  package var count: Int { entries.count }

  // MARK: For workers

  /// Whose session it is. The use counts.
  /// - Parameters:
  ///   - session: the name of the rules that the cookie is to be of.
  ///   - reply: called before any other change of the list, so that no worker hears of a session after its end.
  package func answer(_ digest: [UInt8], of session: [UInt8], _ reply: @Sendable (Answer) -> Void) {
    let now = now()
    guard var entry = entries[digest], session == Array(entry.record.session.utf8) else {
      return reply(.refused(.sessionExpired))
    }
    if entry.isOver(at: now) {
      remove(digest)
      return reply(.refused(.sessionExpired))
    }
    entry.usedAt = now
    entries[digest] = entry
    let record = entry.record
    reply(
      .session(
        SessionStatement(
          issuer: record.issuer, claims: record.claims, endsAt: entry.endsAt, tokens: entry.tokens.bytes)))
  }

  // MARK: Beginning and end

  package func begin(
    _ record: SessionRecord, digest: [UInt8], replaced: [UInt8]?
  ) throws(SessionListUnavailable) {
    if let replaced, entries[replaced]?.record.session == record.session { end(digest: replaced) }
    let owner = SessionSelection.owner(issuer: record.issuer, subject: record.subject)
    if let known = selected[owner], known.count >= Self.countOfOwnerMax { end(digest: known[0]) }
    let now = now()
    var entry = Entry(
      record: record, beganAt: now, usedAt: now, endsAt: now + record.lifetimeSeconds,
      tokens: KeptTokens(bytes: record.tokens, fence: 0))
    if !hasRoom(for: entry.byteCount) { sweep() }
    guard hasRoom(for: entry.byteCount), entries[digest] == nil else { throw SessionListUnavailable() }
    entry.record.tokens = []
    entries[digest] = entry
    for selection in Self.selections(of: record) { selected[selection, default: []].append(digest) }
    byteCount += entry.byteCount
    counts[record.session, default: 0] += 1
  }

  private func hasRoom(for byteCount: Int) -> Bool {
    entries.count < Self.countMax && self.byteCount + byteCount <= Self.byteCountMax
  }

  private static func selections(of record: SessionRecord) -> [SessionSelection] {
    let owner = SessionSelection.owner(issuer: record.issuer, subject: record.subject)
    if record.providerSession.isEmpty { return [owner] }
    return [owner, .providerSession(issuer: record.issuer, record.providerSession)]
  }

  package func end(digest: [UInt8]) {
    remove(digest)
    forget(digest, true)
  }

  private func remove(_ digest: [UInt8]) {
    guard let entry = entries.removeValue(forKey: digest) else { return }
    byteCount -= entry.byteCount
    counts[entry.record.session, default: 0] -= 1
    for selection in Self.selections(of: entry.record) {
      selected[selection]?.removeAll { $0 == digest }
      if selected[selection]?.isEmpty == true { selected[selection] = nil }
    }
  }

  /// Lets go of those that are over. Workers know their ends themselves.
  private func sweep() {
    let now = now()
    for digest in entries.filter({ $0.value.isOver(at: now) }).keys { remove(digest) }
    locks = locks.filter { $0.value.endsAt > now }
  }

  // MARK: For the operator, and for issuers

  package func list(_ selection: SessionSelection) -> [SessionSummary] { summaries(of: sessions(selection)) }

  /// Everybody's, at most a thousand.
  package func list() -> [SessionSummary] { summaries(of: Array(entries.keys)) }

  private func summaries(of digests: [[UInt8]]) -> [SessionSummary] {
    let now = now()
    let found = digests.lazy.compactMap { [entries] in entries[$0] }.filter { !$0.isOver(at: now) }.map { entry in
      SessionSummary(
        session: entry.record.session, issuer: entry.record.issuer,
        subject: String(decoding: entry.record.subject, as: UTF8.self), beganAt: entry.beganAt, usedAt: entry.usedAt,
        endsAt: entry.endsAt)
    }
    return found.prefix(Self.shownCountMax).sorted { ($0.beganAt, $0.subject) < ($1.beganAt, $1.subject) }
  }

  package func end(_ selection: SessionSelection) -> Int {
    let ended = sessions(selection)
    for digest in ended { end(digest: digest) }
    return ended.count
  }

  private func sessions(_ selection: SessionSelection) -> [[UInt8]] {
    guard case .subject(let subject) = selection else { return selected[selection] ?? [] }
    let owners = selected.filter { if case .owner(_, subject) = $0.key { true } else { false } }
    return owners.flatMap(\.value)
  }

  package func statement(of digest: [UInt8], session: String) -> SessionStatement? {
    guard let entry = entries[digest], entry.record.session == session, !entry.isOver(at: now()) else { return nil }
    return SessionStatement(issuer: entry.record.issuer, claims: entry.record.claims, endsAt: entry.endsAt)
  }

  // MARK: The provider's tokens

  package func tokens(of digest: [UInt8]) -> KeptTokens? {
    guard let entry = entries[digest], !entry.isOver(at: now()) else { return nil }
    return entry.tokens
  }

  package func replaceTokens(of digest: [UInt8], with tokens: [UInt8], fence: UInt64) -> Bool {
    guard var entry = entries[digest], !entry.isOver(at: now()), entry.tokens.fence == fence else { return false }
    byteCount += tokens.count - entry.tokens.bytes.count
    entry.tokens = KeptTokens(bytes: tokens, fence: fence &+ 1)
    entries[digest] = entry
    forget(digest, false)
    return true
  }

  package func lock(_ digest: [UInt8], holder: [UInt8], seconds: Int64) -> Bool {
    let now = now()
    if let known = locks[digest], known.holder != holder, known.endsAt > now { return false }
    locks[digest] = (holder, now + seconds)
    return true
  }

  package func unlock(_ digest: [UInt8], holder: [UInt8]) {
    if locks[digest]?.holder == holder { locks[digest] = nil }
  }

  /// Lets go of what is over, from time to time. Runs until its task is cancelled.
  package func run() async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: .seconds(60)) } catch { return }
      sweep()
    }
  }
}
