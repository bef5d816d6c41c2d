// Sessions that are in a store: what a worker has asked of it, and what it does when the store reports that a session
// has changed. What is remembered is forgotten at once. What is under way goes on, until the store says that the
// session is over.

import Bytes
import Configuration
import Cryptography
import Redis
import Tokens

/// One session that is looked for.
final class SessionLook: StoreLook {
  /// Nil where no request waits, and only what is under way depends on it.
  let question: Question?
  let digest: [UInt8]
  let store: Store
  /// The name of the rules that the session is to be of.
  private let name: String
  /// Nil where the tokens are of no use.
  private let keys: SealingKeys?
  /// Whether what the store says is compared with what it said before, for it is asked with each request.
  private let isCompared: Bool
  /// Whether the store is to report a change from now on. It does so already of what can be compared.
  private let isTracked: Bool
  /// The session has changed since the store was asked, or may have.
  var isDoubted = false
  private var isAnswered = false

  init(_ question: Question, of session: CompiledSession, _ keys: SealingKeys?, in store: Store) {
    self.question = question
    digest = question.digest
    name = session.name
    self.keys = keys
    self.store = store
    isCompared = session.cacheSeconds == 0
    // In a cluster another server may have it by now.
    isTracked = !isCompared || store.cluster != nil || !store.worker.hasComparable(digest)
  }

  /// Whether it is still there.
  init(_ digest: [UInt8], of name: String, in store: Store) {
    question = nil
    self.digest = digest
    self.name = name
    keys = nil
    self.store = store
    isCompared = false
    isTracked = true
  }

  var key: [UInt8] { SessionStoreKey.of(digest, prefix: store.prefix) }

  /// - Returns: false where nobody would answer.
  func begin() -> Bool {
    let key = key
    var command = ByteQueue()
    command.beginCommand(partCount: 2)
    command.append(part: "GET")
    command.append(part: key.span)
    return store.ask(command.span, about: key.span, for: self, isTracked: isTracked) != nil
  }

  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    // What comes of a use that was noted is of no matter.
    if isAnswered { return }
    isAnswered = true
    if isCompared, let known = sameCaller(in: reply) { return store.worker.concluded(self, known) }
    store.worker.concluded(self, finding(in: reply))
  }

  /// Who was read from the same bytes before. Nil where the store says something else, which forgets that caller.
  private func sameCaller(in reply: borrowing Reply) -> Caller? {
    let worker = store.worker
    guard let question, question.generation == worker.snapshot.generation, let key = SessionKey(digest: digest) else {
      return nil
    }
    if isDoubted || reply.kind(reply.root) != .text {
      worker.tokenCache.forget(key)
      return nil
    }
    guard let known = worker.tokenCache.lookUp(key, stored: reply.text(reply.root), now: worker.time.unixSeconds),
      case .answer(question.source, _) = known.proof
    else { return nil }
    return known
  }

  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {
    if isAnswered { return }
    isAnswered = true
    store.worker.concluded(self, .refused(.sessionStoreUnavailable))
  }

  private func finding(in reply: borrowing Reply) -> Answer {
    let now = store.worker.time.unixSeconds
    switch reply.kind(reply.root) {
    case .null: return .refused(.sessionExpired)
    case .text: break
    case .error where !reply.text(reply.root).text().hasPrefix("WRONGTYPE"): return .refused(.sessionStoreUnavailable)
    default: return unreadable
    }
    guard let value = SessionValue(reply.text(reply.root)) else { return unreadable }
    if value.session != name { return .refused(.sessionExpired) }
    if question == nil {
      return .session(SessionStatement(issuer: value.issuer, claims: [], endsAt: value.endsAt))
    }
    var tokens: [UInt8] = []
    if let keys, !value.sealedTokens.isEmpty {
      let digest = digest
      guard let opened = keys.open(value.sealedTokens.span, context: digest.span) else { return unreadable }
      tokens = opened
    }
    var freshSeconds = value.secondsUntilUse(at: now)
    if value.isUseDue(at: now), value.secondsLeft(at: now) > 0 {
      noteUse(of: value, at: now)
      // The store reports this change, too.
      freshSeconds = 0
    }
    return .session(
      SessionStatement(
        issuer: value.issuer, claims: value.claims, endsAt: value.endsAt, tokens: tokens,
        freshSeconds: isDoubted ? 0 : freshSeconds,
        stored: isCompared && isTracked ? reply.text(reply.root).copied() : []))
  }

  private var unreadable: Answer {
    store.reportUnreadable()
    return .refused(.sessionExpired)
  }

  /// Moves the idle end on, unless another gateway has done so meanwhile.
  private func noteUse(of value: SessionValue, at now: Int64) {
    let key = key
    var command = ByteQueue()
    command.beginCommand(partCount: 7)
    command.append(part: "EVAL")
    command.append(part: Self.useScript)
    command.append(part: 1)
    command.append(part: key.span)
    command.append(part: SessionValue.encoded(value.usedAt).span)
    command.append(part: SessionValue.encoded(now).span)
    command.append(part: value.secondsLeft(at: now) * 1000)
    _ = store.ask(command.span, about: key.span, for: self)
  }

  /// The bytes are those of ``SessionValue/useRange``.
  private static let useScript: StaticString = """
    if redis.call('GETRANGE', KEYS[1], 1, 8) ~= ARGV[1] then return 0 end
    redis.call('SETRANGE', KEYS[1], 1, ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return 1
    """
}

/// The looks of a review that are under way, and what they have found.
struct SessionReview {
  private var count = 0
  private var over: Set<[UInt8]> = []

  /// LIMIT: so many sessions are looked for in one review. The others follow with the next.
  static let countMax = 1024

  mutating func began() { count += 1 }

  /// - Returns: those that are over, once the last look has its answer.
  mutating func ended(_ digest: [UInt8], isOver: Bool) -> Set<[UInt8]> {
    count -= 1
    if isOver { over.insert(digest) }
    if count > 0 { return [] }
    defer { over = [] }
    return over
  }
}

extension Worker {
  /// The store has reported that a session has changed, or is over.
  func doubtSession(_ digest: [UInt8]) {
    guard let key = SessionKey(digest: digest) else { return }
    tokenCache.forget(key)
    sessions.looks.doubt(digest)
  }

  /// What the store would have reported may be lost.
  func doubtSessions(of store: Store) {
    sessions.looks.doubt(store)
    // The caches are those of the newest configuration.
    let name = store.configuration.name
    let snapshot = snapshot
    tokenCache.forgetSessions { index in
      guard snapshot.sessions.indices.contains(index), let place = snapshot.sessions[index].store else { return false }
      return snapshot.configuration.stores[place].name == name
    }
  }

  /// A look has its answer.
  func concluded(_ look: SessionLook, _ answer: Answer) {
    sessions.looks.end(look)
    if let question = look.question {
      // A stream that begins with this answer hears of the change all the same.
      if look.isDoubted { sessions.looks.doubt(look.digest) }
      return conclude(question, answer)
    }
    var isOver = false
    switch answer {
    case .refused(.sessionExpired): isOver = true
    case .refused: sessions.looks.doubtLater(look.digest, at: time.nanoseconds)
    default: break
    }
    let over = sessions.review.ended(look.digest, isOver: isOver)
    if over.isEmpty { return }
    forEachExchange { exchange in
      if let digest = exchange.streamOfSession, over.contains(digest), let key = SessionKey(digest: digest) {
        exchange.sessionEnded(key)
      }
    }
  }

  /// The store says of a session what it said before.
  func concluded(_ look: SessionLook, _ known: Caller) {
    sessions.looks.end(look)
    guard let question = look.question else { return }
    for exchange in questions.take(question).askers { exchange.answered(.caller(known)) }
  }

  /// Whether what the store says of a session can be compared with what it said before.
  func hasComparable(_ digest: [UInt8]) -> Bool { SessionKey(digest: digest).map(tokenCache.isComparable) ?? false }

  /// Looks for the doubted sessions of what is under way.
  func reviewSessions() {
    let doubted = sessions.looks.takeDoubted()
    var due: [[UInt8]: (name: String, store: Store)] = [:]
    forEachExchange { exchange in
      guard let digest = exchange.streamOfSession, case .answer(.session(let index), _)? = exchange.caller?.proof,
        exchange.snapshot.sessions.indices.contains(index)
      else { return }
      let session = exchange.snapshot.sessions[index]
      guard let place = session.store, let store = store(at: place, of: exchange.snapshot) else { return }
      if doubted.digests.contains(digest) || doubted.stores.contains(store.configuration.name) {
        due[digest] = (session.name, store)
      }
    }
    var count = 0
    for (digest, place) in due {
      count += 1
      if count <= SessionReview.countMax,
        sessions.looks.begin(SessionLook(digest, of: place.name, in: place.store))
      {
        sessions.review.began()
      } else {
        sessions.looks.doubtLater(digest, at: time.nanoseconds)
      }
    }
  }
}

extension Exchange {
  /// The digest of the session that a stream or a tunnel depends on.
  fileprivate var streamOfSession: [UInt8]? { tunnel != nil || isStream ? caller?.sessionDigest : nil }
}
