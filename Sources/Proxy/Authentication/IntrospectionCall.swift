// One question to an issuer about a token, and what its answer means.

import Bytes
import Configuration
import JSON
import Tokens

final class IntrospectionCall: SideRequest {
  private let question: Question
  private let rules: CompiledIntrospection
  private let issuer: Int
  private let generation: UInt64
  /// Whom the checks here have found. Nil where only the issuer can tell.
  private let checked: Caller?
  private let begunAt: Int64
  private var isBegun = false
  private var isEnded = false
  /// Gets the answer in place of requests. Nil where these wait for it.
  private let reply: ((Answer) -> Void)?

  init(
    _ question: Question, _ rules: CompiledIntrospection, issuer: Int, generation: UInt64, confirming checked: Caller?,
    _ worker: Worker, reply: ((Answer) -> Void)? = nil
  ) {
    self.reply = reply
    self.question = question
    self.rules = rules
    self.issuer = issuer
    self.generation = generation
    self.checked = checked
    begunAt = worker.time.nanoseconds
    super.init(worker: worker, end: worker.time.nanoseconds &+ rules.timeout)
  }

  /// - Parameter asker: the first of those who wait. Nil for a question of the control plane.
  /// - Returns: false where nobody answers, which nobody is told then.
  func begin(_ asked: (head: [UInt8], body: [UInt8]), to pool: UpstreamPool, for asker: Exchange?) -> Bool {
    send(asked.head, body: asked.body, to: pool, for: asker)
    isBegun = true
    return !isEnded
  }

  override func ended(_ result: SideResult) {
    isEnded = true
    let isCurrent = generation == worker.snapshot.generation
    if isCurrent { worker.introspections.end(issuer) }
    let (answer, counted, failure) = reading(of: result)
    if let change = worker.circuits.noteOutcome(of: rules.issuerName, failure: failure, at: worker.time.nanoseconds) {
      worker.commands.append(.reportUpstream(rules.upstreamName, change))
    }
    if let reply { return reply(answer) }
    worker.counters.countIntrospection(
      issuer: rules.counterID, counted, nanoseconds: UInt64(clamping: worker.time.nanoseconds &- begunAt))
    if counted == .inactive, isCurrent, rules.refusalNanoseconds > 0 {
      worker.introspections.refusals.insert(
        question.digest, of: issuer, until: worker.time.nanoseconds &+ rules.refusalNanoseconds)
    }
    if isBegun { worker.conclude(question, answer, confirming: checked) }
  }

  /// - Returns: what those who wait are told, what is counted, and why there is no answer.
  private func reading(of result: SideResult) -> (Answer, IntrospectionResult, failure: String) {
    let unavailable = Answer.refused(.introspectionUnavailable)
    switch result {
    case .failed(let reason): return (unavailable, .unavailable, reason.rawValue)
    case .answered(let said):
      if said.status != 200 { return (unavailable, .unavailable, "status \(said.status)") }
      guard let claims = rules.signedAnswerRules.map({ signedClaims(in: said.body, $0) }) ?? plainClaims(in: said.body)
      else {
        return (
          unavailable, .unavailable,
          rules.signedAnswerRules == nil ? "not an answer of RFC 7662" : "not a signed answer of RFC 9701"
        )
      }
      guard let active = claims.member(Self.active, of: claims.root).flatMap({ claims.boolean(at: $0) }) else {
        return (unavailable, .unavailable, "not an answer of RFC 7662")
      }
      if !active { return (.refused(.tokenInactive), .inactive, "") }
      return (.statement(Statement(claims: claims, freshUntil: freshUntil(claims))), .active, "")
    }
  }

  private func plainClaims(in body: [UInt8]) -> JSONDocument? {
    guard let claims = try? JSONDocument(body), claims.kind(claims.root) == .object else { return nil }
    return claims
  }

  /// The claims in an answer that a key of the issuer has signed, for this client (RFC 9701 §5).
  private func signedClaims(in body: [UInt8], _ answerRules: IssuerRules) -> JSONDocument? {
    let keys =
      generation == worker.snapshot.generation && worker.keySets.indices.contains(issuer) ? worker.keySets[issuer] : nil
    switch worker.verifier.verify(
      body.span, candidates: [0], issuers: [answerRules], keySets: [keys], now: worker.time.unixSeconds)
    {
    case .caller(let speaker):
      let said = speaker.claims
      guard let node = said.member(Self.introspection, of: said.root), said.kind(node) == .object else { return nil }
      return try? JSONDocument(Array(said.bytes[said.rawRange(of: node)]))
    case .ask(.keySet):
      // For the next answer.
      worker.commands.append(.ask(Question(.keySet(issuer: issuer), generation: generation), credential: []))
      return nil
    case .ask, .confirm, .refused: return nil
    }
  }

  /// Never past the token's end, whatever says when that is.
  private func freshUntil(_ claims: JSONDocument) -> Int64 {
    let now = worker.time.unixSeconds
    var end = now + rules.cacheSeconds
    if let exp = claims.member(Self.exp, of: claims.root) { end = min(end, claims.integer(at: exp) ?? now) }
    if let node = claims.member(Self.expiresIn, of: claims.root) {
      end = min(end, now + max(0, min(claims.integer(at: node) ?? 0, rules.cacheSeconds)))
    }
    return end
  }

  private static let active = Array("active".utf8)
  private static let introspection = Array("token_introspection".utf8)
  private static let exp = Array("exp".utf8)
  private static let expiresIn = Array("expires_in".utf8)
}

extension Exchange {
  /// LIMIT: so many issuers of a route are asked about one token.
  static let askedIssuerCountMax = 4

  private func askedIssuers(of route: CompiledRoute) -> [Int] {
    Array(
      route.token.issuers.lazy.filter { self.snapshot.issuerRules[$0].isAskedForOpaqueTokens }
        .prefix(Self.askedIssuerCountMax))
  }

  /// Asks the issuers of the route whose the token is, one after the other, until one of them knows it.
  /// - Parameter last: who was asked before. Nil at the beginning.
  func askIssuers(after last: Int?) -> StageOutcome {
    guard let route else { return refuseToken(.tokenMissing) }
    let issuers = askedIssuers(of: route)
    var next = last.flatMap { issuers.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
    while next < issuers.count {
      issuer = issuers[next]
      guard let refusal = askIssuer(issuers[next]) else { return .wait }
      if refusal == .introspectionUnavailable { request.isIssuerSilent = true }
      next += 1
    }
    // One that does not answer might have known it.
    return refuseToken(request.isIssuerSilent ? .introspectionUnavailable : .tokenInactive)
  }

  /// Goes on to the next issuer when one does not know the token, or does not answer.
  /// - Returns: nil where the verdict is the last word.
  func askNextIssuer(after verdict: Verdict) -> StageOutcome? {
    guard case .refused(let refusal, let issuer?, _) = verdict,
      refusal == .tokenInactive || refusal == .introspectionUnavailable, let route,
      !Credential.isCompact(request.token), askedIssuers(of: route).count > 1
    else { return nil }
    if refusal == .introspectionUnavailable { request.isIssuerSilent = true }
    return askIssuers(after: issuer)
  }

  /// Asks one issuer whose the request's token is.
  /// - Parameter checked: whom the checks here have found, so that the issuer has to confirm it only.
  /// - Returns: why the request does not wait for an answer.
  func askIssuer(_ issuer: Int, confirming checked: Caller? = nil) -> TokenRefusal? {
    guard let rules = snapshot.introspection(of: issuer) else {
      if snapshot.configuration.issuers[issuer].introspection != nil { return .introspectionUnavailable }
      // In a rehearsal somebody else answers.
      let token = request.token.copied()
      return ask(.introspection(issuer: issuer), about: token.span)
    }
    let question = Question(.introspection(issuer: issuer), generation: snapshot.generation, credential: request.token)
    let worker = worker
    let isCurrent = snapshot.generation == worker.snapshot.generation
    if isCurrent, worker.introspections.refusals.has(question.digest, of: issuer, at: worker.time.nanoseconds) {
      return .tokenInactive
    }
    let generation = snapshot.generation
    guard let pool = worker.pool(at: rules.upstream, of: snapshot) else { return .introspectionUnavailable }
    var isFirst = false
    let refusal = worker.questions.ask(question, Span(), for: self, within: rules.timeout) { _ in
      isFirst =
        worker.circuits.mayAsk(rules.issuerName, rules.timeout, at: worker.time.nanoseconds)
        && (!isCurrent || worker.introspections.begin(issuer, max: rules.concurrency))
      return isFirst
    }
    guard refusal == nil, isFirst else { return refusal }
    if let asked = rules.question(about: request.token, now: worker.time.unixSeconds) {
      let call = IntrospectionCall(
        question, rules, issuer: issuer, generation: generation, confirming: checked, worker)
      if call.begin(asked, to: pool, for: self) { return nil }
    } else if isCurrent {
      worker.introspections.end(issuer)
    }
    _ = worker.questions.take(question)
    wait = nil
    return .introspectionUnavailable
  }
}
