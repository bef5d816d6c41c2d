// Opaque tokens: the issuer is asked whose each of them is. Requests with one token wait for one call, see
// ``Questions``. Whom the issuer knows is remembered beside the callers of other tokens, and what it does not know in a
// small table of its own, so that no flood of bad tokens pushes a good one out (T102).

import Bytes
import Configuration
import JSON
import Tokens

/// What an issuer said of a token, for `catraca_introspection_total`.
package enum IntrospectionResult: Int, Sendable, CaseIterable {
  case active, inactive, unavailable

  package var label: String {
    switch self {
    case .active: "active"
    case .inactive: "inactive"
    case .unavailable: "unavailable"
    }
  }
}

/// What a worker remembers and has under way.
struct Introspections {
  private struct Name: Hashable {
    let digest: [UInt8]
    let issuer: Int

    func hash(into hasher: inout Hasher) { hasher.combine(digest: digest) }
  }

  /// Tokens that are not active, and until when that counts.
  private var refusals: [Name: Int64] = [:]
  /// Calls under way, by the index of the issuer.
  private var callCounts: [Int: Int] = [:]

  /// LIMIT: so many tokens that are none are remembered. Then all of them are forgotten.
  static let refusalCountMax = 1024

  func isRefused(_ question: Question, issuer: Int, at now: Int64) -> Bool {
    if refusals.isEmpty { return false }
    return refusals[Name(digest: question.digest, issuer: issuer)].map { now < $0 } ?? false
  }

  mutating func refuse(_ question: Question, issuer: Int, until end: Int64) {
    if refusals.count >= Self.refusalCountMax { refusals = [:] }
    refusals[Name(digest: question.digest, issuer: issuer)] = end
  }

  /// LIMIT: `concurrency` of the issuer.
  mutating func begin(_ issuer: Int, max: Int) -> Bool {
    if callCounts[issuer, default: 0] >= max { return false }
    callCounts[issuer, default: 0] += 1
    return true
  }

  mutating func end(_ issuer: Int) { callCounts[issuer, default: 1] -= 1 }

  /// Another configuration has other issuers. Calls under way end as those of nobody.
  mutating func forget() { self = Introspections() }
}

/// One question of one token.
final class IntrospectionCall: SideRequest {
  private let question: Question
  private let rules: CompiledIntrospection
  private let issuer: Int
  private let generation: UInt64
  private let begunAt: Int64
  private var isBegun = false
  private var isEnded = false

  init(_ question: Question, _ rules: CompiledIntrospection, issuer: Int, generation: UInt64, _ worker: Worker) {
    self.question = question
    self.rules = rules
    self.issuer = issuer
    self.generation = generation
    begunAt = worker.time.nanoseconds
    super.init(worker: worker, end: worker.time.nanoseconds &+ rules.timeout)
  }

  /// - Returns: false where nobody answers, which nobody is told then.
  func begin(_ asked: (head: [UInt8], body: [UInt8]), to pool: UpstreamPool) -> Bool {
    send(asked.head, body: asked.body, to: pool)
    isBegun = true
    return !isEnded
  }

  override func ended(_ result: SideResult) {
    isEnded = true
    if generation == worker.snapshot.generation { worker.introspections.end(issuer) }
    let (answer, counted, failure) = reading(of: result)
    worker.counters.countIntrospection(
      issuer: rules.counterID, counted, nanoseconds: UInt64(clamping: worker.time.nanoseconds &- begunAt))
    if let change = worker.circuits.noteOutcome(of: rules.issuerName, failure: failure, at: worker.time.nanoseconds) {
      worker.commands.append(.reportUpstream(rules.upstreamName, change))
    }
    if counted == .inactive, generation == worker.snapshot.generation, rules.refusalNanoseconds > 0 {
      worker.introspections.refuse(question, issuer: issuer, until: worker.time.nanoseconds &+ rules.refusalNanoseconds)
    }
    if isBegun { worker.conclude(question, answer) }
  }

  /// - Returns: what those who wait are told, what is counted, and why there is no answer.
  private func reading(of result: SideResult) -> (Answer, IntrospectionResult, failure: String) {
    let unavailable = Answer.refused(.introspectionUnavailable)
    switch result {
    case .failed(let reason): return (unavailable, .unavailable, reason.rawValue)
    case .answered(let said):
      if said.status != 200 { return (unavailable, .unavailable, "status \(said.status)") }
      guard let claims = try? JSONDocument(said.body), claims.kind(claims.root) == .object,
        let active = claims.member(Self.active, of: claims.root).flatMap({ claims.boolean(at: $0) })
      else { return (unavailable, .unavailable, "not an answer of RFC 7662") }
      if !active { return (.refused(.tokenInactive), .inactive, "") }
      return (.statement(Statement(claims: claims, freshUntil: freshUntil(claims))), .active, "")
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
  private static let exp = Array("exp".utf8)
  private static let expiresIn = Array("expires_in".utf8)
}

extension Exchange {
  /// Asks the issuer whose the request's token is.
  /// - Returns: why the request does not wait for an answer.
  func askIssuer(_ issuer: Int) -> TokenRefusal? {
    guard let rules = snapshot.introspection(of: issuer) else { return .introspectionUnavailable }
    let question = Question(.introspection(issuer: issuer), generation: snapshot.generation, credential: request.token)
    let worker = worker
    let isCurrent = snapshot.generation == worker.snapshot.generation
    if isCurrent, worker.introspections.isRefused(question, issuer: issuer, at: worker.time.nanoseconds) {
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
    let call = IntrospectionCall(question, rules, issuer: issuer, generation: generation, worker)
    if call.begin(rules.question(about: request.token), to: pool) { return nil }
    _ = worker.questions.take(question)
    wait = nil
    return .introspectionUnavailable
  }
}
