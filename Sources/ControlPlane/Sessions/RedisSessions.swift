// The list of sessions in a Redis store, for all gateways that have it. Workers look sessions up themselves. Here they
// begin and end.
//
// A session's key is made of its cookie alone, so that a request costs one command. In a cluster it is elsewhere than
// the indices of its owner, and no script could change both. Each script has one key, and the order makes it sound: a
// session is in the indices before it is there, so the end of all sessions of an owner finds it, and its place in an
// index stays until it has ended. An index may name sessions that are over. It has a hundred at most, and goes with the
// lifetime of the last one.

package import Cryptography
package import Proxy
package import Tokens

package struct RedisSessions: SessionList {
  package struct Environment: Sendable {
    /// Asks the store. Nil where it does not answer.
    package var ask: @Sendable (_ parts: [[UInt8]], _ place: StorePlace) async -> StoreReply?
    /// All workers of this process forget the session. The store tells those of the others.
    package var forget: @Sendable (_ digest: [UInt8]) -> Void
    /// Seconds since 1970.
    package var now: @Sendable () -> Int64

    package init(
      ask: @escaping @Sendable (_ parts: [[UInt8]], _ place: StorePlace) async -> StoreReply?,
      forget: @escaping @Sendable (_ digest: [UInt8]) -> Void, now: @escaping @Sendable () -> Int64
    ) {
      self.ask = ask
      self.forget = forget
      self.now = now
    }
  }

  let prefix: [UInt8]
  private let keys: SealingKeys
  /// The names of the file's issuers. Sessions of others count nowhere.
  private let issuers: [String]
  private let environment: Environment

  package init(prefix: [UInt8], keys: SealingKeys, issuers: [String], environment: Environment) {
    self.prefix = prefix
    self.keys = keys
    self.issuers = issuers
    self.environment = environment
  }

  // MARK: Beginning and end

  package func begin(
    _ record: SessionRecord, digest: [UInt8], replaced: [UInt8]?
  ) async throws(SessionListUnavailable) {
    if let replaced, let known = try await value(of: replaced), known.session == record.session {
      try await end(digest: replaced)
    }
    var sealed: [UInt8] = []
    if !record.tokens.isEmpty {
      guard let box = keys.seal(record.tokens.span, context: digest.span) else { throw SessionListUnavailable() }
      sealed = box
    }
    let value = SessionValue(record, sealedTokens: sealed, now: environment.now())
    guard let encoded = value.encoded else { throw SessionListUnavailable() }
    for selection in Self.selections(of: value) {
      let index = key(of: selection)
      let added = try await run(
        Self.addScript, index,
        [digest, Self.text(record.lifetimeSeconds), Self.text(Int64(MemorySessions.countOfOwnerMax))])
      for oldest in Self.digests(in: added) { try await end(digest: oldest) }
    }
    let place = SessionStoreKey.of(digest, prefix: prefix)
    let milliseconds = Self.text(value.secondsLeft(at: environment.now()) * 1000)
    let reply = try await ask(
      [Self.text("SET"), place, encoded, Self.text("PX"), milliseconds, Self.text("NX")], place)
    guard case .bytes = reply else { throw SessionListUnavailable() }
  }

  package func end(digest: [UInt8]) async throws(SessionListUnavailable) { _ = try await remove(digest) }

  /// - Returns: whether it was there.
  private func remove(_ digest: [UInt8]) async throws(SessionListUnavailable) -> Bool {
    let known = try await value(of: digest)
    let place = SessionStoreKey.of(digest, prefix: prefix)
    let reply = try await ask([Self.text("DEL"), place], place)
    environment.forget(digest)
    guard reply == .integer(1) else { return false }
    for selection in known.map(Self.selections(of:)) ?? [] {
      let index = key(of: selection)
      // It is over. What is left in an index leads nowhere.
      _ = await environment.ask([Self.text("ZREM"), index, digest], .key(index))
    }
    return true
  }

  package func end(_ selection: SessionSelection) async throws(SessionListUnavailable) -> Int {
    var count = 0
    for digest in try await digests(selection) where try await remove(digest) { count += 1 }
    return count
  }

  package func list(_ selection: SessionSelection) async throws(SessionListUnavailable) -> [SessionSummary] {
    try await summaries(of: try await digests(selection)).sorted { $0.beganAt < $1.beganAt }
  }

  /// Those that are still there.
  func summaries(of digests: some Sequence<[UInt8]>) async throws(SessionListUnavailable) -> [SessionSummary] {
    var found: [SessionSummary] = []
    for digest in digests {
      guard let value = try await value(of: digest) else { continue }
      found.append(
        SessionSummary(
          session: value.session, issuer: value.issuer, subject: String(decoding: value.subject, as: UTF8.self),
          beganAt: value.beganAt, usedAt: value.usedAt, endsAt: value.endsAt))
    }
    return found
  }

  package func statement(
    of digest: [UInt8], session: String
  ) async throws(SessionListUnavailable) -> SessionStatement? {
    guard let value = try await value(of: digest), value.session == session else { return nil }
    return SessionStatement(issuer: value.issuer, claims: value.claims, endsAt: value.endsAt)
  }

  // MARK: The provider's tokens

  package func tokens(of digest: [UInt8]) async throws(SessionListUnavailable) -> KeptTokens? {
    guard let value = try await value(of: digest) else { return nil }
    if value.sealedTokens.isEmpty { return KeptTokens(bytes: [], fence: value.fence) }
    return keys.open(value.sealedTokens.span, context: digest.span).map { KeptTokens(bytes: $0, fence: value.fence) }
  }

  package func replaceTokens(
    of digest: [UInt8], with tokens: [UInt8], fence: UInt64
  ) async throws(SessionListUnavailable) -> Bool {
    guard var value = try await value(of: digest), value.fence == fence else { return false }
    let old = SessionValue.encoded(fence: fence)
    guard let box = keys.seal(tokens.span, context: digest.span) else { throw SessionListUnavailable() }
    value.sealedTokens = box
    value.fence = fence &+ 1
    guard let encoded = value.encoded else { throw SessionListUnavailable() }
    let rest = Array(encoded[SessionValue.replacementOffset...])
    let isDone =
      try await run(Self.replaceScript, SessionStoreKey.of(digest, prefix: prefix), [old, rest]) == .integer(1)
    return isDone
  }

  package func lock(
    _ digest: [UInt8], holder: [UInt8], seconds: Int64
  ) async throws(SessionListUnavailable) -> Bool {
    try await run(Self.lockScript, lockKey(digest), [holder, Self.text(seconds * 1000)]) == .integer(1)
  }

  package func unlock(_ digest: [UInt8], holder: [UInt8]) async {
    _ = try? await run(Self.unlockScript, lockKey(digest), [holder])
  }

  private func lockKey(_ digest: [UInt8]) -> [UInt8] {
    SessionStoreKey.of(digest, prefix: prefix + Array("refresh:".utf8))
  }

  // MARK: Scripts, of one key each

  /// Puts a session at the end of an index, and takes out the first ones that are too many.
  private static let addScript = """
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[1], time[1] .. string.format('.%06d', time[2]), ARGV[1])
    if redis.call('TTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
    local over = redis.call('ZCARD', KEYS[1]) - ARGV[3]
    if over <= 0 then return {} end
    local first = redis.call('ZRANGE', KEYS[1], 0, over - 1)
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
    return first
    """

  /// The moment of the last use stays, which may have been moved on meanwhile. The numbers are those of SessionValue.
  private static let replaceScript = """
    local value = redis.call('GET', KEYS[1])
    if not value or string.sub(value, 10, 17) ~= ARGV[1] then return 0 end
    local left = redis.call('PTTL', KEYS[1])
    if left <= 0 then return 0 end
    redis.call('SET', KEYS[1], string.sub(value, 1, 9) .. ARGV[2], 'PX', left)
    return 1
    """

  private static let lockScript = """
    local holder = redis.call('GET', KEYS[1])
    if holder and holder ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
    """

  private static let unlockScript = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    return 0
    """

  private func run(
    _ script: String, _ key: [UInt8], _ arguments: [[UInt8]]
  ) async throws(SessionListUnavailable) -> StoreReply {
    try await ask([Self.text("EVAL"), Self.text(script), Self.text("1"), key] + arguments, key)
  }

  // MARK: Commands

  /// Throws for errors as well.
  private func ask(_ parts: [[UInt8]], _ key: [UInt8]) async throws(SessionListUnavailable) -> StoreReply {
    try await ask(parts, at: .key(key))
  }

  func ask(_ parts: [[UInt8]], at place: StorePlace) async throws(SessionListUnavailable) -> StoreReply {
    guard let reply = await environment.ask(parts, place) else { throw SessionListUnavailable() }
    if case .error = reply { throw SessionListUnavailable() }
    return reply
  }

  /// Nil for one that is over, and for what is no session.
  private func value(of digest: [UInt8]) async throws(SessionListUnavailable) -> SessionValue? {
    let place = SessionStoreKey.of(digest, prefix: prefix)
    guard case .bytes(let bytes) = try await ask([Self.text("GET"), place], place) else { return nil }
    return SessionValue(bytes.span)
  }

  private func digests(_ selection: SessionSelection) async throws(SessionListUnavailable) -> [[UInt8]] {
    let selections: [SessionSelection] =
      if case .subject(let subject) = selection {
        issuers.map { .owner(issuer: $0, subject: subject) }
      } else {
        [selection]
      }
    var found: [[UInt8]] = []
    for selection in selections {
      let index = key(of: selection)
      found += Self.digests(in: try await ask([Self.text("ZRANGE"), index, Self.text("0"), Self.text("-1")], index))
    }
    return found
  }

  private static func digests(in reply: StoreReply) -> [[UInt8]] {
    guard case .list(let members) = reply else { return [] }
    return members.compactMap { member in
      if case .bytes(let digest) = member, digest.count == 32 { digest } else { nil }
    }
  }

  // MARK: Keys

  /// The indices that a session is in.
  private static func selections(of value: SessionValue) -> [SessionSelection] {
    let owner = SessionSelection.owner(issuer: value.issuer, subject: value.subject)
    let provider = value.providerSession
    return provider.isEmpty ? [owner] : [owner, .providerSession(issuer: value.issuer, provider)]
  }

  /// Nobody can read in it whose sessions they are.
  private func key(of selection: SessionSelection) -> [UInt8] {
    let name: [UInt8] =
      switch selection {
      case .subject(let subject): [0] + subject
      case .owner(let issuer, let subject): [1] + Array(issuer.utf8) + [0] + subject
      case .providerSession(let issuer, let session): [2] + Array(issuer.utf8) + [0] + session
      }
    // Short, for each session has two of them: half of a digest is more than enough to keep owners apart.
    let digest = Array(SHA256.digest(name.span).prefix(16))
    return prefix + Array("of:".utf8) + Base64URL.encode(digest.span)
  }

  static func text(_ word: String) -> [UInt8] { Array(word.utf8) }
  private static func text(_ number: Int64) -> [UInt8] { Array("\(number)".utf8) }
}
