// The cookie of a session as a credential: found where there is no token, asked about once and then remembered, as
// tokens are. Sessions end everywhere at once.

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Exchange {
  /// The first session of the route whose cookie is there decides. Nil when there is none.
  func findSession(of route: CompiledRoute) -> StageOutcome? {
    for index in route.token.sessions {
      let name = snapshot.sessions[index].cookieName
      switch request.head.search(cookie: name.span) {
      case .missing, .empty: continue
      case .ambiguous: return refuseToken(.tokenAmbiguous)
      case .found(let range):
        request.tokenPosition = .session(index)
        let isSecure = downstream?.client.security != nil
        // A handshake was checked already, by the rules for those.
        if !request.handshake.isRequested, !request.head.mayUseSession(on: route, isSecure: isSecure) {
          guard route.token.isShadow else { return .refuse(.gateway(.originNotAllowed)) }
          answer.shadowRefusal = .gateway(.originNotAllowed)
          return pass(as: .otherOrigin)
        }
        return obey(check(index, cookie: range), route, mayAsk: .all)
      }
    }
    return nil
  }

  private func check(_ index: Int, cookie: Range<Int>) -> Verdict {
    guard worker.sessions.take(request.head.bytes.span.extracting(cookie)) else {
      return .refused(.sessionExpired, issuer: nil)
    }
    // The caches are those of the newest configuration.
    if snapshot.generation == worker.snapshot.generation,
      let known = worker.tokenCache.lookUp(worker.sessions.key, now: worker.time.unixSeconds),
      case .answer(.session(index), _) = known.proof
    {
      worker.counters.countTokenCache(isHit: true)
      if let trace = tracing.trace { trace.isTokenRemembered = true }
      return .caller(known)
    }
    worker.counters.countTokenCache(isHit: false)
    return .ask(.session(index))
  }

  /// Asks the store about the session whose cookie was found just now. It hears the session's name as well: the cookie
  /// of another one does not count.
  /// - Returns: why the request does not wait.
  func askForSession(_ index: Int) -> TokenRefusal? {
    let question = Question(.session(index), generation: snapshot.generation, session: worker.sessions.key)
    let session = snapshot.sessions[index]
    guard let place = session.store else { return worker.questions.ask(question, session.name.utf8.span, for: self) }
    guard let store = worker.store(at: place, of: snapshot) else { return .sessionStoreUnavailable }
    let worker = worker
    // Where the tokens are of no use, a session goes on without the secret that has sealed them.
    let keys = session.usesTokens ? snapshot.sessionKeys : nil
    return worker.questions.ask(question, Span(), for: self) { question in
      worker.sessions.looks.begin(SessionLook(question, of: session, keys, in: store))
    }
  }

  /// What the store's statement makes of the cookie, for all requests that asked about it.
  func verdict(on statement: SessionStatement, to question: Question) -> Verdict {
    guard let route, case .session(let index) = question.source, snapshot.sessions.indices.contains(index),
      let key = SessionKey(digest: question.digest)
    else { return .refused(.sessionExpired, issuer: nil) }
    let session = snapshot.sessions[index]
    let issuer = snapshot.configuration.issuers.firstIndex { $0.name == statement.issuer }
    let verdict = statement.verdict(
      on: key, of: index, issuer: issuer, issuers: snapshot.issuerRules, provided: session.provided(statement.tokens),
      rememberedFor: session.cacheSeconds, now: worker.time.unixSeconds)
    if case .caller(let caller) = verdict { remember(caller, route) }
    return verdict
  }

  /// The client need not send the cookie again.
  func takeCookieBack() {
    guard case .session(let index) = request.tokenPosition, snapshot.sessions.indices.contains(index) else { return }
    answer.addedLines.append(snapshot.sessions[index].endingLine)
  }

  /// A session is over: what is under way with it ends, unless its end is near in any case.
  func sessionEnded(_ key: SessionKey) {
    guard let caller, caller.isOfSession, caller.isOf(key) else { return }
    if tunnel != nil { return endTunnel(.sessionEnded) }
    if isStream { refuse(.token(.sessionExpired)) }
  }
}
