// An issuer's policy, prepared for the checks: texts as bytes, lists as sets.

/// Made once from an ``IssuerPolicy``, when a configuration is loaded.
package final class IssuerRules: Sendable {
  let issuer: [UInt8]
  /// Nil where there is one issuer only.
  let tenants: TenantRules?
  let audiences: [[UInt8]]
  let algorithms: AlgorithmSet
  /// Lower case, without `application/`. Nil takes all but those known to be other things.
  let tokenTypes: [[UInt8]]?
  let purpose: [UInt8]?
  package let leewaySeconds: Int64
  let maxAgeSeconds: Int64?
  let requiredClaims: [ClaimPath]
  package let isAskedForOpaqueTokens: Bool
  package let jwtQuestion: JWTQuestion?
  package let proofWindowSeconds: Int64
  package let isProofNonceDemanded: Bool

  package init(_ policy: IssuerPolicy) {
    issuer = Array(policy.issuer.utf8)
    tenants = policy.tenants.map(TenantRules.init)
    audiences = policy.audiences.map { Array($0.utf8) }
    algorithms = AlgorithmSet(policy.algorithms)
    tokenTypes = policy.tokenTypes?.map { TypeCheck.normalized(Array($0.utf8)) }
    purpose = policy.purpose.map { Array($0.utf8) }
    // Negative settings would turn a bound round.
    leewaySeconds = max(0, policy.leewaySeconds)
    maxAgeSeconds = policy.maxAgeSeconds.map { max(0, $0) }
    requiredClaims = policy.requiredClaims.map { ClaimPath($0) }
    isAskedForOpaqueTokens = policy.isAskedForOpaqueTokens
    jwtQuestion = policy.jwtQuestion
    proofWindowSeconds = max(0, policy.proofWindowSeconds)
    isProofNonceDemanded = policy.isProofNonceDemanded
  }
}
