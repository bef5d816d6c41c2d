// Who calls? From memory where the credential was seen before, else by a check, or by asking who knows.

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Exchange {
  func authenticate() -> StageOutcome {
    guard let route, !route.isPublic else { return .next }
    switch request.findToken(in: route.token.sources) {
    case .missing:
      if !route.token.keyPlaces.isEmpty, let outcome = findAPIKey(of: route) { return outcome }
      if !route.token.sessions.isEmpty, let outcome = findSession(of: route) { return outcome }
      if route.token.isOptional {
        if route.token.isShadow { return pass(as: .anonymous) }
        countAuthentication(.anonymous)
        return route.tokenRateLimits.isEmpty ? .next : checkRateLimits(route.tokenRateLimits)
      }
      // The token may come with the first message.
      if request.handshake.isRequested, examinesMessages {
        countAuthentication(.anonymous)
        return .next
      }
      if request.hasOtherScheme(route.token) { return refuseToken(.schemeNotBearer) }
      return refuseToken(route.token.refusalOfNothing)
    case .malformed: return refuseToken(.tokenMalformed)
    case .ambiguous: return refuseToken(.tokenAmbiguous)
    case .found(let position):
      request.tokenPosition = position
      return check(route, mayAsk: .all)
    }
  }

  private func check(_ route: CompiledRoute, mayAsk: Questioning) -> StageOutcome {
    obey(check(request.token, route), route, mayAsk: mayAsk)
  }

  /// What a request may still ask for. Nothing is asked for twice.
  enum Questioning {
    case all
    /// Who the caller is was answered. Whether the token was taken back may be asked.
    case lists
    case nothing
  }

  func obey(_ verdict: Verdict, _ route: CompiledRoute, mayAsk: Questioning) -> StageOutcome {
    switch verdict {
    case .caller(let caller):
      if caller.revocationGeneration != worker.revocations.generation,
        let outcome = checkRevocation(of: caller, mayAsk: mayAsk != .nothing)
      {
        return outcome
      }
      return authorize(caller, route)
    case .confirm(let caller):
      issuer = caller.issuer
      guard let issuer else { return refuseToken(.issuerUnknown) }
      if let refusal = askIssuer(issuer, confirming: caller) { return refuseToken(refusal) }
      return .wait
    case .refused(let refusal, let issuer, let subject):
      self.issuer = issuer
      answer.refusedSubject = subject
      return refuseToken(refusal)
    case .ask(let source):
      issuer = source.issuer
      return mayAsk == .all ? ask(source) : refuseToken(source.refusalOfSilence)
    }
  }

  /// Looks the caller up, then checks the credential.
  func check(_ bytes: Span<UInt8>, _ route: CompiledRoute) -> Verdict {
    let now = worker.time.unixSeconds
    let isCurrent = snapshot.generation == worker.snapshot.generation
    if isCurrent,
      let known = worker.tokenCache.lookUp(
        bytes, candidates: route.token.issuers, keySets: worker.keySets, now: now)
    {
      worker.counters.countTokenCache(isHit: true)
      if let trace = tracing.trace { trace.isTokenRemembered = true }
      return .caller(known)
    }
    worker.counters.countTokenCache(isHit: false)
    let credential = Credential(
      bytes, issuers: route.token.issuers, rules: snapshot.issuerRules, byteCountMax: worker.verifier.tokenByteCountMax)
    if case .opaque(let source) = credential { return .ask(source) }
    let begin = worker.steadyClock()
    let verdict = worker.verifier.verify(
      bytes, candidates: route.token.issuers, issuers: snapshot.issuerRules,
      keySets: isCurrent ? worker.keySets : worker.keySets(for: snapshot), now: now)
    let verified: Caller
    switch verdict {
    case .caller(let caller):
      remember(caller, route)
      verified = caller
    case .confirm(let caller): verified = caller
    case .ask, .refused: return verdict
    }
    if case .signature(_, let algorithm) = verified.proof {
      worker.counters.countVerification(algorithm, nanoseconds: UInt64(clamping: worker.steadyClock() &- begin))
    }
    return verdict
  }

  /// Only what was proved is remembered, so that no flood of bad tokens can push a good one out (T31).
  func remember(_ caller: Caller, _ route: CompiledRoute) {
    // The issuer's index means nothing to later requests when a reload came between.
    guard snapshot.generation == worker.snapshot.generation else { return }
    // What is asked for each time is of no use to later requests.
    if worker.time.unixSeconds >= caller.keptUntil { return }
    route.identity.keepFields(of: caller)
    worker.tokenCache.insert(caller, now: worker.time.unixSeconds)
  }

  /// Scopes and claims belong to the route, so they are checked on a remembered caller as on a fresh one (T30).
  private func authorize(_ caller: Caller, _ route: CompiledRoute) -> StageOutcome {
    issuer = caller.issuer
    if caller.isBound || request.isProofScheme || route.token.proof != .none {
      if let outcome = checkSender(of: caller, route) { return outcome }
    }
    return admit(caller, route)
  }

  /// Who sent the credential may use it.
  func admit(_ caller: Caller, _ route: CompiledRoute) -> StageOutcome {
    self.caller = caller
    if !route.token.audiences.isEmpty, !route.token.audiences.allSatisfy({ $0.allows(caller) }) {
      return refuseToken(.audienceMismatch)
    }
    if let refusal = route.token.access.refusal(of: caller) { return refuseAccess(refusal, of: caller, route) }
    if route.token.isInShadow(caller.issuer) { return pass(as: .accepted(caller.kind)) }
    countAuthentication(.accepted(caller.kind))
    return route.tokenRateLimits.isEmpty ? .next : checkRateLimits(route.tokenRateLimits)
  }

  func refuseToken(_ refusal: TokenRefusal) -> StageOutcome {
    if let route, route.token.isInShadow(issuer) {
      answer.shadowRefusal = .token(refusal)
      notice(refusal)
      return pass(as: .refused(refusal))
    }
    if refusal == .sessionExpired { takeCookieBack() }
    countAuthentication(.refused(refusal))
    if refusal == .sessionExpired || refusal == .sessionMissing, let route {
      // Who signs out has nothing to lose.
      if case .session(.signOut, _) = route.action { return .next }
      if let place = signInPlace(route) { return .answer(sendAway(to: place)) }
    }
    notice(refusal)
    return .refuse(.token(refusal))
  }

  /// In shadow: the request goes on as if nobody had looked at its credential. What counts callers counts nobody here.
  func pass(as result: AuthenticationResult) -> StageOutcome {
    caller = nil
    // Of a route that enforces, services believe a token that goes on.
    if route?.token.isShadow == false { request.tokenPosition = .none }
    worker.counters.countShadow(route: route?.counterID, issuer: issuer.map { snapshot.issuerCounterIDs[$0] }, result)
    return .next
  }

  // MARK: Questions

  /// Waits for an answer, unless the worker has too much to ask already.
  private func ask(_ source: Question.Source) -> StageOutcome {
    let refusal: TokenRefusal?
    switch source {
    case .keySet, .statusList: refusal = ask(source, about: Span())
    case .introspection(let issuer):
      // About a JWT, nobody is asked but the one that it names.
      if !Credential.isCompact(request.token) { return askIssuers(after: nil) }
      refusal = askIssuer(issuer)
    case .session(let index): refusal = askForSession(index)
    case .apiKey(let set): refusal = askForAPIKey(set)
    }
    if let refusal { return refuseToken(refusal) }
    return .wait
  }

  /// - Returns: why the request does not wait for an answer.
  func ask(_ source: Question.Source, about credential: Span<UInt8>) -> TokenRefusal? {
    let question = Question(source, generation: snapshot.generation, credential: credential)
    return worker.questions.ask(question, credential, for: self)
  }

  /// What the source's statement makes of the credential, for all requests that asked about it.
  /// - Parameter checked: whom the checks here have found already.
  func verdict(on statement: Statement, from source: Question.Source, confirming checked: Caller?) -> Verdict {
    guard let route else { return .refused(.tokenMissing, issuer: nil) }
    let now = worker.time.unixSeconds
    let verdict =
      if let checked {
        statement.verdict(confirming: checked, issuers: snapshot.issuerRules, now: now)
      } else {
        statement.verdict(on: request.token, from: source, issuers: snapshot.issuerRules, now: now)
      }
    if case .caller(let caller) = verdict { remember(caller, route) }
    return verdict
  }

  /// Goes on with the answer, as routed and limited before the question.
  /// - Parameter verdict: nil when keys have changed and the token is to be checked once more.
  func conclude(_ verdict: Verdict?) -> StageOutcome {
    guard let route else { return refuseToken(.tokenMissing) }
    if case .caller(let caller) = verdict { issuer = caller.issuer }
    if let outcome = outcomeOfReload(route) { return outcome }
    guard let verdict else {
      // Whom the issuer has confirmed already was only to be looked for in a list.
      if let confirmed = caller { return obey(.caller(confirmed), route, mayAsk: .nothing) }
      return check(route, mayAsk: .nothing)
    }
    if let outcome = askNextIssuer(after: verdict) { return outcome }
    return obey(verdict, route, mayAsk: .lists)
  }

  /// What a reload while the request waited means for it. Nil where it may go on.
  func outcomeOfReload(_ route: CompiledRoute) -> StageOutcome? {
    // A reload may have taken the issuer away meanwhile.
    if let issuer, worker.currentIssuer(issuer, of: snapshot) == nil { return refuseToken(.issuerUnknown) }
    // A tunnel outlives its request. The configuration of now has to open it, so the client asks again.
    if request.handshake.isRequested, snapshot.generation != worker.snapshot.generation {
      return route.token.isInShadow(issuer) ? .refuse(.gateway(.routeWithdrawn)) : refuseToken(.keysUnavailable)
    }
    return nil
  }

  // MARK: Keys of later

  /// A configuration or a key set took over.
  func review(_ fresh: Snapshot) {
    if tunnel != nil { return reviewTunnel(fresh) }
    if isStream, let caller, !worker.isKept(caller, of: snapshot, by: fresh) { refuse(.token(.keyUnknown)) }
  }

  /// Whether nobody can say when it ends: an answer of unknown length, or a call of gRPC, whose client may be the one
  /// that streams. What announces its length is let through to its end.
  var isStream: Bool { answer.isOpenEnded || delivery.stream != nil && request.head.isGRPC }
}
