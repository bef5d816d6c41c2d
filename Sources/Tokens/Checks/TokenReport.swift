// What each check of a token has seen, for who asks why it passes or does not. The checks are those of
// `TokenVerifier.verify`, which says how far it came. What they saw is read again from the token.

import JSON

/// The checks of a token, in their order.
package enum TokenStep: Int, Sendable, CaseIterable {
  case form, issuer, type, algorithm, keys, key, signature, times, audience, subject, requiredClaims, revocation

  /// For people and for JSON.
  package var name: String { self == .requiredClaims ? "required_claims" : "\(self)" }
}

/// One check, and both sides of it.
package struct TokenStepReport: Sendable, Equatable {
  package let step: TokenStep
  package let isPassed: Bool
  package let expected: String
  package let got: String
  /// What would let the token pass. Empty where nothing of the gateway's would.
  package let remedy: String
}

extension TokenVerifier {
  /// Checks a token as ``verify(_:candidates:issuers:keySets:now:)`` does.
  /// - Parameter revocations: the lists of revoked tokens, by issuer.
  /// - Returns: the checks that took place. The last of them has failed unless the token passes.
  package func report(
    on token: Span<UInt8>, candidates: [Int], issuers: [IssuerRules], keySets: [KeySet?],
    revocations: [Revocations?] = [], now: Int64
  ) -> (verdict: Verdict, steps: [TokenStepReport]) {
    let verdict = verify(token, candidates: candidates, issuers: issuers, keySets: keySets, now: now)
    let last = step
    var known = CompactFormCheck.KnownHeader()
    let parts = try? CompactFormCheck.parse(token, byteCountMax: tokenByteCountMax, known: &known)
    let (issuer, refusal): (Int?, TokenRefusal?) =
      switch verdict {
      case .caller(let caller): (caller.issuer, nil)
      case .refused(let refusal, let issuer, _): (issuer, refusal)
      case .confirm(let caller): (caller.issuer, nil)
      case .ask(.introspection(let issuer)): (issuer, nil)
      case .ask(let source): (source.issuer, .keyUnknown)
      }
    let circumstances = RefusalCircumstances(
      candidates: candidates, issuer: issuer, issuers: issuers, keySets: keySets, now: now)
    var steps: [TokenStepReport] = []
    for step in TokenStep.allCases where step.rawValue <= last.rawValue {
      if step == last, let refusal {
        let detail = detail(of: refusal, token, circumstances)
        steps.append(
          TokenStepReport(
            step: step, isPassed: false, expected: detail.expected,
            got: detail.got.isEmpty ? refusal.rawValue : detail.got,
            remedy: parts?.remedy(of: refusal, circumstances) ?? ""))
      } else {
        let (expected, got) = parts?.seen(by: step, circumstances) ?? ("", "")
        steps.append(TokenStepReport(step: step, isPassed: true, expected: expected, got: got, remedy: ""))
      }
    }
    if case .caller(let caller) = verdict, let issuer = caller.issuer, revocations.indices.contains(issuer),
      let known = revocations[issuer]
    {
      steps.append(TokenStepReport(known.finding(on: caller, mayAsk: false, now: now)))
    }
    return (verdict, steps)
  }
}

extension TokenStepReport {
  fileprivate init(_ finding: Revocations.Finding) {
    let got =
      switch finding {
      case .good: "in no list"
      case .refused(let refusal): refusal.rawValue
      case .listUnknown: TokenRefusal.revocationUnavailable.rawValue
      }
    self.init(
      step: .revocation, isPassed: finding == .good, expected: finding == .good ? "" : "a token that is in no list",
      got: got, remedy: "")
  }
}

extension UnverifiedToken {
  /// Both sides of a check that has passed.
  fileprivate func seen(by step: TokenStep, _ circumstances: RefusalCircumstances) -> (expected: String, got: String) {
    let rules = circumstances.rules
    return switch step {
    case .form: ("a JWT of three parts", "three parts")
    case .issuer: ("", payload.shown("iss") ?? "")
    case .type: (rules?.tokenTypes.map(shownList) ?? "", header.shown("typ") ?? "no typ")
    case .algorithm: ("", header.shown("alg") ?? "")
    case .keys: ("", "\(circumstances.keys.count) \(circumstances.keys.count == 1 ? "key" : "keys") of the issuer")
    case .key: ("", header.shown("kid").map { "kid \($0)" } ?? "no kid")
    case .signature: ("", "valid")
    case .times:
      (
        "leeway \(rules?.leewaySeconds ?? 0)s",
        ["exp", "nbf", "iat"].filter { payload.member($0, of: payload.root) != nil }
          .map { payload.age($0, at: circumstances.now) }.joined(separator: ", ")
      )
    case .audience: (shownList(rules?.audiences ?? []), payload.shown("aud") ?? "no aud")
    case .subject: ("", payload.shown("sub") ?? "no sub")
    case .requiredClaims:
      (shownList((rules?.requiredClaims ?? []).map { Array($0.description.utf8) }), "all of them")
    case .revocation: ("", "")
    }
  }

  /// The leeway with which a token's times would have been good.
  fileprivate func remedy(of refusal: TokenRefusal, _ circumstances: RefusalCircumstances) -> String? {
    func date(_ name: String) -> Int64? { payload.member(name, of: payload.root).flatMap { payload.integer(at: $0) } }
    let leeway: Int64?
    switch refusal {
    case .tokenExpired:
      leeway = date("exp").map { circumstances.now.subtractingReportingOverflow($0).partialValue &+ 1 }
    case .tokenNotYetValid:
      leeway = ["nbf", "iat"].compactMap(date).map { $0.subtractingReportingOverflow(circumstances.now).partialValue }
        .max()
    default: return nil
    }
    guard let leeway, leeway > 0 else { return nil }
    // LIMIT: no file may have more.
    return leeway <= 300
      ? "a leeway of \(leeway)s would let it pass" : "no leeway that a file may have would let it pass"
  }
}
