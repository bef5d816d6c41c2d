// Tokens that were taken back: a caller that was proved passes once it was looked for in its issuer's lists. A caller
// that is remembered is looked for again only when some list has changed, so that most requests compare two numbers.

import Configuration
import JSON
package import Tokens

/// What a worker knows of revoked tokens.
struct WorkerRevocations {
  /// By issuer of the newest configuration. Nil where nobody looks.
  fileprivate var known: [Revocations?]
  /// Another one whenever something of it has changed. 0 where no issuer has lists, and as new callers have it.
  fileprivate(set) var generation: UInt64

  /// - Parameter given: by issuer. Without one, what the file says of lists that are not there counts.
  init(_ snapshot: Snapshot, _ given: [Revocations?] = []) {
    let issuers = snapshot.configuration.issuers
    known = issuers.indices.map { index in
      guard let rules = issuers[index].revocation?.rules else { return nil }
      return (given.indices.contains(index) ? given[index] : nil) ?? Revocations(rules)
    }
    generation = known.contains { $0 != nil } ? Revocations.nextGeneration() : 0
  }
}

extension Worker {
  /// The lists of an issuer have changed. What is under way with a token that is revoked ends.
  package func install(_ fresh: Revocations, issuer: Int, at time: Time) {
    self.time = time
    guard revocations.known.indices.contains(issuer), revocations.known[issuer] != nil else { return }
    revocations.known[issuer] = fresh
    revocations.generation = Revocations.nextGeneration()
    forEachExchange { $0.reviewRevocation() }
  }
}

extension Exchange {
  /// Whether a caller is in no list. Where that is so, it is noted with the caller.
  /// - Parameter mayAsk: whether a list that is not here may still come.
  func finding(on caller: Caller, mayAsk: Bool) -> Revocations.Finding {
    let generation = worker.revocations.generation
    if caller.revocationGeneration == generation { return .good }
    let isCurrent = snapshot.generation == worker.snapshot.generation
    let issuer = isCurrent ? caller.issuer : caller.issuer.flatMap { worker.currentIssuer($0, of: snapshot) }
    if let issuer, worker.revocations.known.indices.contains(issuer), let known = worker.revocations.known[issuer] {
      let finding = known.finding(on: caller, mayAsk: mayAsk, now: worker.time.unixSeconds)
      if finding != .good { return finding }
    }
    caller.revocationGeneration = generation
    return .good
  }

  /// - Returns: nil where the caller may go on.
  func checkRevocation(of caller: Caller, mayAsk: Bool) -> StageOutcome? {
    switch finding(on: caller, mayAsk: mayAsk) {
    case .good: return nil
    case .refused(let refusal):
      issuer = caller.issuer
      answer.refusedSubject = caller.subjectBytes
      // The client is to begin another session, as behind any that has ended.
      return refuseToken(caller.isOfSession && refusal == .tokenRevoked ? .sessionExpired : refusal)
    case .listUnknown(let uri):
      issuer = caller.issuer
      guard let index = caller.issuer else { return refuseToken(.revocationUnavailable) }
      // The issuer is not to be asked about the token once more.
      if case .confirmed = caller.proof { self.caller = caller }
      if let refusal = ask(.statusList(issuer: index), about: uri.span) { return refuseToken(refusal) }
      return .wait
    }
  }

  /// A tunnel or a stream does not outlive what it was opened with.
  fileprivate func reviewRevocation() {
    guard let caller, tunnel != nil || isStream else { return }
    let refusal: TokenRefusal
    switch finding(on: caller, mayAsk: false) {
    case .good: return
    case .refused(let found): refusal = found
    case .listUnknown: refusal = .revocationUnavailable
    }
    if tunnel == nil { return refuse(.token(caller.isOfSession ? .sessionExpired : refusal)) }
    if refusal == .tokenRevoked { return endTunnel(caller.isOfSession ? .sessionEnded : .tokenRevoked) }
    endTunnel(.refused(.token(refusal)))
  }
}

extension Caller {
  var subjectBytes: [UInt8]? { subject.flatMap { claims.stringBytes(at: $0) } }
}
