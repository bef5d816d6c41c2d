// Answers on their way to the requests that wait for them, and what a reload in between means for those.

import Configuration
import Tokens

extension Worker {
  /// - Parameter checked: whom the checks here have found, where the issuer only had to confirm it.
  func conclude(_ question: Question, _ answer: Answer, confirming checked: Caller? = nil) {
    switch answer {
    case .session(let statement): if awaitsRefresh(statement, question) { return }
    case .renewed: return askAgain(question)
    case .keys, .statusList, .statement, .apiKey, .refused: break
    }
    let (askers, hasNewKeys) = questions.take(question)
    guard let first = askers.first else { return }
    let verdict: Verdict? =
      switch answer {
      case .keys(let haveChanged):
        haveChanged || hasNewKeys
          ? nil : .refused(question.source.refusalOfSilence, issuer: question.source.issuer)
      case .statusList: nil
      case .statement(let statement): first.verdict(on: statement, from: question.source, confirming: checked)
      case .session(let statement): first.verdict(on: statement, to: question)
      case .apiKey(let record): first.verdict(on: record, to: question)
      case .renewed: .refused(.sessionStoreUnavailable, issuer: nil)
      case .refused(let refusal): .refused(refusal, issuer: question.source.issuer)
      }
    for exchange in askers { exchange.answered(verdict) }
  }

  /// The issuer of an earlier configuration in the newest one. Nil when it is there no more.
  func currentIssuer(_ issuer: Int, of snapshot: Snapshot) -> Int? {
    let issuers = snapshot.configuration.issuers
    guard issuers.indices.contains(issuer) else { return nil }
    if snapshot.generation == self.snapshot.generation { return issuer }
    return self.snapshot.configuration.issuers.firstIndex {
      $0.name == issuers[issuer].name && $0.policy.issuer == issuers[issuer].policy.issuer
    }
  }

  /// The newest keys of an earlier configuration's issuers, in its order.
  func keySets(for snapshot: Snapshot) -> [KeySet?] {
    snapshot.configuration.issuers.indices.map { issuer in
      currentIssuer(issuer, of: snapshot).flatMap { keySets.indices.contains($0) ? keySets[$0] : nil }
    }
  }

  /// The pool of an upstream of a request's configuration. Nil when a reload took it away.
  func pool(at index: Int, of snapshot: Snapshot) -> UpstreamPool? {
    if snapshot === self.snapshot { return pools.indices.contains(index) ? pools[index] : nil }
    let upstreams = snapshot.configuration.upstreams
    guard upstreams.indices.contains(index) else { return nil }
    return pools.first { $0.configuration.name == upstreams[index].name }
  }
}
