// Who calls? The token's outcome for this route, from memory where the token was seen before.

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Exchange {
  func authenticate() -> StageOutcome {
    guard let route, !route.isPublic else { return .next }
    switch findToken(route) {
    case .missing:
      if route.isTokenOptional {
        countAuthentication(.anonymous)
        return route.tokenRateLimits.isEmpty ? .next : checkRateLimits(route.tokenRateLimits)
      }
      return refuseToken(.tokenMissing)
    case .malformed, .empty: return refuseToken(.tokenMalformed)
    case .ambiguous: return refuseToken(.tokenAmbiguous)
    case .found(let place):
      tokenPlace = place
      return verifyToken(route)
    }
  }

  private func verifyToken(_ route: CompiledRoute) -> StageOutcome {
    let found: VerifiedToken?
    let outcome: TokenVerifier.Outcome?
    switch tokenPlace {
    case .none: return refuseToken(.tokenMissing)
    case .field(let range), .cookie(let range):
      (found, outcome) = check(head.bytes.span.extracting(range), route.tokenIssuers, route.identity)
    case .query(let range):
      (found, outcome) = check(target.bytes.span.extracting(range), route.tokenIssuers, route.identity)
    }
    if let found { return authorize(found, route) }
    switch outcome {
    case .verified(let token):
      return authorize(token, route)
    case .refused(let refusal, let issuer):
      self.issuer = issuer
      return refuseToken(refusal)
    case .keysUnavailable(let issuer):
      self.issuer = issuer
      return refuseToken(.keysUnavailable)
    case .keyUnknown(let issuer):
      self.issuer = issuer
      if !hasWaitedForKeys, worker.keyWaiters.isFull(issuer: issuer) { return refuseToken(.keysUnavailable) }
      if !hasWaitedForKeys, worker.keyWaiters.wait(self, issuer: issuer) {
        hasWaitedForKeys = true
        return .wait
      }
      return refuseToken(.keyUnknown)
    case nil: return refuseToken(.tokenMalformed)
    }
  }

  /// Looks the token up, then verifies it: exactly one of the results is there.
  private func check(
    _ bytes: Span<UInt8>, _ issuers: [Int], _ identity: IdentityRules
  ) -> (VerifiedToken?, TokenVerifier.Outcome?) {
    let now = worker.time.unixSeconds
    if let known = worker.tokenCache.lookUp(bytes, candidates: issuers, keySets: worker.keySets, now: now) {
      worker.counters.countTokenCache(isHit: true)
      return (known, nil)
    }
    worker.counters.countTokenCache(isHit: false)
    let begin = worker.steadyClock()
    let outcome = worker.verifier.verify(
      bytes, candidates: issuers, issuers: snapshot.issuerRules, keySets: worker.keySets, now: now)
    // Only what was verified is remembered, so that no flood of bad tokens can push a good one out (T31).
    if case .verified(let token) = outcome {
      keepIdentityFields(of: token, identity)
      worker.tokenCache.insert(token, now: now)
      worker.counters.countVerification(token.algorithm, nanoseconds: UInt64(clamping: worker.steadyClock() &- begin))
    }
    return (nil, outcome)
  }

  /// Scopes and claims belong to the route, so they are checked on a remembered token as on a fresh one (T30).
  private func authorize(_ token: VerifiedToken, _ route: CompiledRoute) -> StageOutcome {
    self.token = token
    issuer = token.issuer
    if let refusal = route.access.refusal(of: token) { return refuseToken(refusal) }
    countAuthentication(.accepted)
    return route.tokenRateLimits.isEmpty ? .next : checkRateLimits(route.tokenRateLimits)
  }

  private func refuseToken(_ refusal: TokenRefusal) -> StageOutcome {
    countAuthentication(.refused(refusal))
    return .refuse(.token(refusal))
  }
}
