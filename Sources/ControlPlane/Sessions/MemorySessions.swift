// The list of sessions of `store: memory`: of this process, and gone with it. Whatever ends here is forgotten by every
// worker at once.

internal import Glibc
package import Tokens

/// What an operator may know of a session: nothing by which anybody could take it over.
package struct SessionSummary: Sendable, Equatable {
  package var session: String
  package var issuer: String
  package var subject: String
  /// All in seconds since 1970.
  package var beganAt: Int64
  package var usedAt: Int64
  package var endsAt: Int64
}

package actor MemorySessions {
  private struct Entry {
    let record: SessionRecord
    let beganAt: Int64
    var usedAt: Int64
    let endsAt: Int64

    func isOver(at now: Int64) -> Bool { now >= endsAt || now - usedAt >= record.idleSeconds }
  }

  /// Whose sessions they are.
  private struct Owner: Hashable {
    let issuer: String
    let subject: [UInt8]
  }

  private var entries: [[UInt8]: Entry] = [:]
  /// In the order in which they began.
  private var owned: [Owner: [[UInt8]]] = [:]
  private var claimByteCount = 0
  private let now: @Sendable () -> Int64
  private let forget: @Sendable (_ digest: [UInt8]) -> Void

  /// LIMIT: no more begin until others have ended, whose callers get 503.
  static let countMax = 200_000
  /// LIMIT: so much do the claims of all sessions take.
  static let claimByteCountMax = 256 << 20
  /// LIMIT: of one caller. The oldest of them ends for a new one, so that no caller can fill the list.
  static let countOfOwnerMax = 100
  /// LIMIT: what is shown of the list.
  static let shownCountMax = 1000

  /// - Parameters:
  ///   - now: in seconds since 1970.
  ///   - forget: every worker forgets the session.
  package init(
    now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) },
    forget: @escaping @Sendable (_ digest: [UInt8]) -> Void
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
    reply(.session(SessionStatement(issuer: record.issuer, claims: record.claims, endsAt: entry.endsAt)))
  }

  package func change(_ change: SessionChange, _ reply: @Sendable (Bool) -> Void) {
    switch change {
    case .begin(let record, let digest, let replaced):
      if let replaced, entries[replaced]?.record.session == record.session { end(replaced) }
      reply(begin(record, digest))
    case .end(let digest):
      end(digest)
      reply(true)
    }
  }

  private func begin(_ record: SessionRecord, _ digest: [UInt8]) -> Bool {
    let owner = Owner(issuer: record.issuer, subject: record.subject)
    if let known = owned[owner], known.count >= Self.countOfOwnerMax { end(known[0]) }
    if entries.count >= Self.countMax || claimByteCount + record.claims.count > Self.claimByteCountMax { sweep() }
    guard entries.count < Self.countMax, claimByteCount + record.claims.count <= Self.claimByteCountMax,
      entries[digest] == nil
    else { return false }
    let now = now()
    entries[digest] = Entry(record: record, beganAt: now, usedAt: now, endsAt: now + record.lifetimeSeconds)
    owned[owner, default: []].append(digest)
    claimByteCount += record.claims.count
    return true
  }

  private func end(_ digest: [UInt8]) {
    remove(digest)
    forget(digest)
  }

  private func remove(_ digest: [UInt8]) {
    guard let entry = entries.removeValue(forKey: digest) else { return }
    claimByteCount -= entry.record.claims.count
    let owner = Owner(issuer: entry.record.issuer, subject: entry.record.subject)
    owned[owner]?.removeAll { $0 == digest }
    if owned[owner]?.isEmpty == true { owned[owner] = nil }
  }

  /// Lets go of those that are over. Workers know their ends themselves.
  private func sweep() {
    let now = now()
    for digest in entries.filter({ $0.value.isOver(at: now) }).keys { remove(digest) }
  }

  // MARK: For the operator, and for issuers

  /// Those that are not over, at most a thousand.
  /// - Parameter subject: nil for everybody's.
  package func list(subject: String?) -> [SessionSummary] {
    let now = now()
    let found = (subject.map { sessions(of: $0) } ?? Array(entries.keys)).lazy.compactMap { [entries] in entries[$0] }
      .filter { !$0.isOver(at: now) }.map { entry in
        SessionSummary(
          session: entry.record.session, issuer: entry.record.issuer,
          subject: String(decoding: entry.record.subject, as: UTF8.self), beganAt: entry.beganAt, usedAt: entry.usedAt,
          endsAt: entry.endsAt)
      }
    return found.prefix(Self.shownCountMax).sorted { ($0.beganAt, $0.subject) < ($1.beganAt, $1.subject) }
  }

  /// Ends all sessions of a subject, of whichever issuer.
  /// - Returns: how many.
  package func end(subject: String) -> Int {
    let ended = sessions(of: subject)
    for digest in ended { end(digest) }
    return ended.count
  }

  /// Of whichever issuer.
  private func sessions(of subject: String) -> [[UInt8]] {
    let bytes = Array(subject.utf8)
    return owned.filter { $0.key.subject == bytes }.flatMap(\.value)
  }

  /// Lets go of what is over, from time to time. Runs until its task is cancelled.
  package func run() async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: .seconds(60)) } catch { return }
      sweep()
    }
  }
}
