// Sessions that begin and end: what a worker has asked of their store, and the requests that wait for it.

import Bytes
import Configuration
import Cryptography
import HTTPWire
import JSON
package import Tokens

/// What a worker needs for sessions.
struct WorkerSessions {
  let digest = PreparedDigest()
  /// Of the request that is looked at.
  private(set) var key = SessionKey()
  var changes = SessionChanges()
  /// Those of sessions that are in a store.
  var looks = StoreLooks<SessionLook>(countMax: .max)
  var review = SessionReview()

  /// Makes the key of a cookie's value. False for one that no session has.
  @inline(__always)
  mutating func take(_ cookie: Span<UInt8>) -> Bool { key.take(cookie, digest) }
}

/// What the answer to the client has once its session has begun or ended.
struct PendingSession {
  /// The value of a new session's cookie.
  var cookie: [UInt8] = []
  /// Where the browser goes. Nil where it stays.
  var location: String?
  /// Further values of Set-Cookie.
  var cookies: [String] = []
}

struct SessionChanges {
  private var askers: [UInt64: Exchange] = [:]
  private var lastID: UInt64 = 0

  /// LIMIT: so many changes are under way. Further ones are refused with 503.
  static let countMax = 4096
  /// LIMIT: a browser waits no longer for the provider.
  private static let loginNanoseconds: Int64 = 12_000_000_000

  /// Asks for a change, and lets the exchange wait for it, as long as for an answer. False when there are too many.
  /// - Parameter pending: what the answer has once that is done.
  mutating func ask(
    _ change: SessionChange, _ pending: PendingSession = PendingSession(), for exchange: Exchange
  ) -> Bool {
    guard let end = add(exchange, for: Questions.waitNanoseconds) else { return false }
    exchange.worker.commands.append(.changeSession(change, id: lastID))
    exchange.wait = .sessionChange(lastID, pending, until: end)
    return true
  }

  /// Asks how a login goes on, and lets the exchange wait for it. False when there are too many.
  mutating func ask(_ request: LoginRequest, for exchange: Exchange) -> Bool {
    guard let end = add(exchange, for: Self.loginNanoseconds) else { return false }
    exchange.worker.commands.append(.login(request, id: lastID))
    exchange.wait = .login(lastID, until: end)
    return true
  }

  private mutating func add(_ exchange: Exchange, for nanoseconds: Int64) -> Int64? {
    if askers.count >= Self.countMax { return nil }
    lastID &+= 1
    askers[lastID] = exchange
    let end = exchange.worker.time.nanoseconds &+ nanoseconds
    if let downstream = exchange.downstream { downstream.deadline = min(downstream.deadline, end) }
    return end
  }

  mutating func take(_ id: UInt64) -> Exchange? { askers.removeValue(forKey: id) }

  /// An exchange no longer waits.
  mutating func remove(_ id: UInt64) { askers[id] = nil }
}

extension Worker {
  /// A session says something else from now on: the next request asks the store.
  /// - Parameter isOver: whether what is under way of it ends.
  package func forgetSession(_ digest: [UInt8], isOver: Bool, at time: Time) {
    self.time = time
    guard let key = SessionKey(digest: digest) else { return }
    sessions.looks.doubt(digest)
    tokenCache.forget(key)
    if isOver { forEachExchange { $0.sessionEnded(key) } }
  }

  /// What ``Command/changeSession(_:id:)`` asked for is done, or was not possible.
  package func sessionChanged(_ id: UInt64, isDone: Bool, at time: Time) {
    self.time = time
    sessions.changes.take(id)?.sessionChanged(isDone: isDone)
  }

  /// What ``Command/login(_:id:)`` asked for has its answer.
  package func loginReplied(_ id: UInt64, _ reply: LoginReply, at time: Time) {
    self.time = time
    sessions.changes.take(id)?.loginReplied(reply)
  }
}

extension Exchange {
  /// What the paths of a session are for.
  func perform(_ action: SessionAction, _ index: Int) -> StageOutcome {
    guard snapshot.sessions.indices.contains(index) else { return .refuse(.gateway(.routeNotFound)) }
    switch action {
    case .signIn: return visit(.start, index)
    case .callback: return visit(.callback, index)
    case .signOut: return signOut(index)
    case .backChannel: return collectBody()
    case .begin, .show, .end, .pass: break
    }
    guard let caller else { return .refuse(.token(.tokenMissing)) }
    // Its cookie could be used by anybody who has it, and the token only by its sender (T101).
    if action == .begin, caller.isBound { return .refuse(.token(.tokenBound)) }
    if action == .pass { return pass(caller, of: snapshot.sessions[index]) }
    if action == .show { return .answer(snapshot.sessions[index].description(of: caller)) }
    let isAsked = action == .begin ? begin(index, for: caller) : end(caller, PendingSession())
    return isAsked ? .wait : .refuse(.token(.sessionStoreUnavailable))
  }

  private func begin(_ index: Int, for caller: Caller) -> Bool {
    guard let place = caller.issuer, snapshot.configuration.issuers.indices.contains(place) else { return false }
    let issuer = snapshot.configuration.issuers[place].name
    let session = snapshot.sessions[index]
    let record = SessionRecord(
      session.name, of: caller, issuer: issuer, lifetimeSeconds: session.lifetimeSeconds,
      idleSeconds: session.idleSeconds)
    return begin(index, record, PendingSession())
  }

  /// A new session has a new cookie, whatever the browser has sent: nobody can have chosen it (T106).
  func begin(_ index: Int, _ record: SessionRecord, _ pending: PendingSession) -> Bool {
    let session = snapshot.sessions[index]
    var key = SessionKey()
    guard let secret = RandomBytes.make(32) else { return false }
    var replaced: [UInt8]?
    let name = session.cookieName
    if case .found(let range) = request.head.search(cookie: name.span),
      key.take(request.head.bytes.span.extracting(range), worker.sessions.digest)
    {
      replaced = key.digest
    }
    var pending = pending
    pending.cookie = Base64URL.encode(secret.span)
    let cookie = pending.cookie
    guard key.take(cookie.span, worker.sessions.digest) else { return false }
    return worker.sessions.changes.ask(
      .begin(record, digest: key.digest, replaced: replaced), pending, for: self)
  }

  func end(_ caller: Caller, _ pending: PendingSession) -> Bool {
    guard let digest = caller.sessionDigest, case .answer(.session(let index), _) = caller.proof,
      snapshot.sessions.indices.contains(index)
    else { return false }
    let change = SessionChange.end(digest: digest, session: snapshot.sessions[index].name)
    return worker.sessions.changes.ask(change, pending, for: self)
  }

  /// Goes on with what has come of a change.
  func conclude(_ pending: PendingSession, isDone: Bool) -> StageOutcome {
    guard isDone, case .session(let action, let index) = route?.action, snapshot.sessions.indices.contains(index) else {
      return .refuse(.token(.sessionStoreUnavailable))
    }
    let session = snapshot.sessions[index]
    answer.addedLines.append(pending.cookie.isEmpty ? session.endingLine : session.beginningLine(pending.cookie))
    if let location = pending.location { return .answer(sendAway(to: location, pending.cookies)) }
    if action == .begin, let caller { return .answer(session.description(of: caller)) }
    return .answer(GatewayAnswer(status: 204, fieldLines: Array("Cache-Control: no-store\r\n".utf8)))
  }
}
