// What a route wants of a good token: scopes and claims. Checked on every request, also when the token was seen before
// (T30), since one token serves many routes.

import Bytes
import JSON

/// `scopes:` and `claims:` of one route, prepared.
package struct AccessRules: Sendable {
  let scopes: [[UInt8]]
  let claims: [ClaimRequirement]

  package init(scopes: [String], claims: [ClaimRequirement]) {
    self.scopes = scopes.map { Array($0.utf8) }
    self.claims = claims
  }

  /// nil when the token may pass, else `scope_missing` or `claim_mismatch`.
  package func refusal(of token: VerifiedToken) -> TokenRefusal? {
    if !token.hasScopes(scopes) { return .scopeMissing }
    for claim in claims where !token.satisfies(claim) { return .claimMismatch }
    return nil
  }
}
