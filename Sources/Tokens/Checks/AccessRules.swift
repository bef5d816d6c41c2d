// What a route requires of a caller: scopes and claims. Checked on every request, also when the caller is remembered
// (T30), since one caller uses many routes.

import Bytes
import JSON

/// `scopes:` and `claims:` of one route, prepared.
package struct AccessRules: Sendable {
  private let scopes: [[UInt8]]
  private let isAnyScopeEnough: Bool
  private let claims: [ClaimRequirement]

  package init(scopes: ScopeRequirement, claims: [ClaimRequirement]) {
    self.scopes = scopes.names.map { Array($0.utf8) }
    isAnyScopeEnough = scopes.isAny
    self.claims = claims
  }

  /// nil when the caller may pass, else `scope_missing` or `claim_mismatch`.
  package func refusal(of caller: Caller) -> TokenRefusal? {
    if isAnyScopeEnough ? !caller.hasScope(among: scopes) : !caller.hasScopes(scopes) { return .scopeMissing }
    for claim in claims where !caller.satisfies(claim) { return .claimMismatch }
    return nil
  }
}
