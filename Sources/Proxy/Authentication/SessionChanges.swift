// Sessions that begin and end: what a worker has asked of their store, and the requests that wait for it.

import Bytes
import Configuration
import Cryptography
import HTTPWire
import Tokens

/// What a worker needs for sessions.
struct WorkerSessions {
  let digest = PreparedDigest()
  /// Of the request that is looked at.
  private(set) var key = SessionKey()
  var changes = SessionChanges()

  /// Makes the key of a cookie's value. False for one that no session has.
  @inline(__always)
  mutating func take(_ cookie: Span<UInt8>) -> Bool { key.take(cookie, digest) }
}

struct SessionChanges {
  private var askers: [UInt64: Exchange] = [:]
  private var lastID: UInt64 = 0

  /// LIMIT: so many changes are under way. Further ones are refused with 503.
  static let countMax = 4096

  /// Asks for a change, and lets the exchange wait for it, as long as for an answer. False when there are too many.
  /// - Parameter cookie: the value of a new session's.
  mutating func ask(_ change: SessionChange, cookie: [UInt8] = [], for exchange: Exchange) -> Bool {
    if askers.count >= Self.countMax { return false }
    lastID &+= 1
    askers[lastID] = exchange
    exchange.worker.commands.append(.changeSession(change, id: lastID))
    let end = exchange.worker.time.nanoseconds &+ Questions.waitNanoseconds
    exchange.wait = .sessionChange(lastID, value: cookie, until: end)
    if let downstream = exchange.downstream { downstream.deadline = min(downstream.deadline, end) }
    return true
  }

  mutating func take(_ id: UInt64) -> Exchange? { askers.removeValue(forKey: id) }

  /// An exchange no longer waits.
  mutating func remove(_ id: UInt64) { askers[id] = nil }
}

extension Worker {
  /// A session is over, or says something else from now on: the next request asks the store, and what is under way of
  /// it ends.
  package func forgetSession(_ digest: [UInt8], at time: Time) {
    self.time = time
    guard let key = SessionKey(digest: digest) else { return }
    tokenCache.forget(key)
    forEachExchange { $0.sessionEnded(key) }
  }

  /// What ``Command/changeSession(_:id:)`` asked for is done, or was not possible.
  package func sessionChanged(_ id: UInt64, isDone: Bool, at time: Time) {
    self.time = time
    sessions.changes.take(id)?.sessionChanged(isDone: isDone)
  }
}

extension Exchange {
  /// What the path of a session's `exchange` is for.
  func perform(_ action: SessionAction, _ index: Int) -> StageOutcome {
    guard let caller, snapshot.sessions.indices.contains(index) else { return .refuse(.token(.tokenMissing)) }
    let session = snapshot.sessions[index]
    let isAsked =
      switch action {
      case .show: false
      case .begin: begin(session, for: caller)
      case .end: caller.sessionDigest.map { worker.sessions.changes.ask(.end(digest: $0), for: self) } ?? false
      }
    if action == .show { return .answer(session.description(of: caller)) }
    return isAsked ? .wait : .refuse(.token(.sessionStoreUnavailable))
  }

  /// A new session has a new cookie, whatever the browser has sent: nobody can have chosen it (T106).
  private func begin(_ session: CompiledSession, for caller: Caller) -> Bool {
    var key = SessionKey()
    guard let secret = RandomBytes.make(32), snapshot.configuration.issuers.indices.contains(caller.issuer) else {
      return false
    }
    var replaced: [UInt8]?
    let name = session.cookieName
    if case .found(let range) = request.head.search(cookie: name.span),
      key.take(request.head.bytes.span.extracting(range), worker.sessions.digest)
    {
      replaced = key.digest
    }
    let cookie = Base64URL.encode(secret.span)
    guard key.take(cookie.span, worker.sessions.digest) else { return false }
    let record = SessionRecord(
      session.name, of: caller, issuer: snapshot.configuration.issuers[caller.issuer].name,
      lifetimeSeconds: session.lifetimeSeconds, idleSeconds: session.idleSeconds)
    return worker.sessions.changes.ask(
      .begin(record, digest: key.digest, replaced: replaced), cookie: cookie, for: self)
  }

  /// Goes on with what has come of a change.
  func conclude(isDone: Bool, cookie: [UInt8]) -> StageOutcome {
    guard isDone, case .session(let action, let index) = route?.action, snapshot.sessions.indices.contains(index),
      let caller
    else { return .refuse(.token(.sessionStoreUnavailable)) }
    let session = snapshot.sessions[index]
    if action == .begin {
      answer.addedLines.append(session.beginningLine(cookie))
      return .answer(session.description(of: caller))
    }
    answer.addedLines.append(session.endingLine)
    return .answer(GatewayAnswer(status: 204, fieldLines: Array("Cache-Control: no-store\r\n".utf8)))
  }
}
