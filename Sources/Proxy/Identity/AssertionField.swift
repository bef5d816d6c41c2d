// The header with what the gateway signs about the caller: signed once for a caller and an audience, then remembered.

import Bytes
import Configuration
import Tokens

/// `identity.assertion` of a route, prepared. Routes of one signer and audience share the plan, and so what is signed.
struct AssertionField: Sendable {
  /// `X-Assertion: `.
  let prefix: [UInt8]
  let plan: AssertionPlan
  /// Into the snapshot's signers.
  let signer: Int
}

/// The plans of a configuration, each made once.
struct AssertionPlans {
  private let rules: [AssertionRules]
  private var plans: [Audience: AssertionPlan] = [:]

  private struct Audience: Hashable {
    let signer: Int
    let text: String
  }

  init(_ configuration: GatewayConfiguration) { rules = configuration.assertions }

  mutating func plan(_ signer: Int, audience: String) -> AssertionPlan? {
    guard rules.indices.contains(signer) else { return nil }
    let key = Audience(signer: signer, text: audience)
    if let known = plans[key] { return known }
    let rule = rules[signer]
    let plan = AssertionPlan(
      issuer: rule.issuer, audience: audience, lifetimeSeconds: rule.lifetime.components.seconds, claims: rule.claims)
    plans[key] = plan
    return plan
  }

  mutating func field(_ assertion: IdentityAssertion) -> AssertionField? {
    plan(assertion.signer, audience: assertion.audience).map {
      AssertionField(prefix: Array("\(assertion.header): ".utf8), plan: $0, signer: assertion.signer)
    }
  }
}

extension Exchange {
  /// What is remembered of the caller, or signed now. Nil when it cannot be signed.
  func assertion(_ plan: AssertionPlan, by signer: Int, of caller: Caller) -> Assertion? {
    guard snapshot.signers.indices.contains(signer), let signer = snapshot.signers[signer],
      let (assertion, isNew) = plan.assertion(of: caller, by: signer, now: worker.time.unixSeconds)
    else { return nil }
    if isNew { worker.tokenCache.weigh(caller, now: worker.time.unixSeconds) }
    return assertion
  }

  /// False when there is none, and the upstream would have to do without.
  func writeAssertion(_ field: AssertionField, of caller: Caller, into head: inout ByteQueue) -> Bool {
    guard let assertion = assertion(field.plan, by: field.signer, of: caller) else { return false }
    head.append(field.prefix)
    head.append(assertion.token)
    head.append("\r\n")
    return true
  }

  /// `respond: { key_set: … }`.
  func answer(withKeysOf index: Int) -> StageOutcome {
    guard snapshot.signers.indices.contains(index), let signer = snapshot.signers[index] else {
      return .refuse(.gateway(.assertionUnavailable))
    }
    let lines =
      "Content-Type: application/jwk-set+json\r\nCache-Control: public, max-age=\(AssertionSigner.keySetSeconds)\r\n"
    return .answer(GatewayAnswer(status: 200, fieldLines: Array(lines.utf8), body: signer.keySet, isOfRoute: true))
  }

  /// The pass of a session, for an API elsewhere (RFC 6749 §5.1).
  func pass(_ caller: Caller, of session: CompiledSession) -> StageOutcome {
    guard let pass = session.pass, let assertion = assertion(pass.plan, by: pass.signer, of: caller) else {
      return .refuse(.gateway(.assertionUnavailable))
    }
    var body = ByteQueue()
    // Its letters need no escapes.
    body.append("{\"access_token\":\"")
    body.append(assertion.token)
    body.append("\",\"token_type\":\"Bearer\",\"expires_in\":")
    body.append(decimal: UInt64(max(0, assertion.expiresAt &- worker.time.unixSeconds)))
    body.append("}\n")
    let lines = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
    return .answer(GatewayAnswer(status: 200, fieldLines: Array(lines.utf8), body: body.copied()))
  }
}
