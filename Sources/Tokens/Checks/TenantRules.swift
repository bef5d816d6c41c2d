// The tenants of an issuer: `iss` names one that is listed, and the claim that its place is called by names the same.

import Bytes
package import JSON

/// A ``TenantPolicy``, prepared for the checks.
struct TenantRules: Sendable {
  private let prefix: [UInt8]
  private let suffix: [UInt8]
  private let claim: ClaimPath
  private let names: Set<[UInt8]>

  init(_ policy: TenantPolicy) {
    prefix = Array(policy.prefix.utf8)
    suffix = Array(policy.suffix.utf8)
    claim = ClaimPath(policy.claim)
    names = Set(policy.names.map { Array($0.utf8) })
  }

  /// - Parameter issuer: the node of `iss`, a string.
  func hold(_ claims: JSONDocument, issuer: JSONDocument.Index) -> Bool {
    guard let text = claims.stringBytes(at: issuer), text.count > prefix.count + suffix.count,
      text.starts(with: prefix), text.suffix(suffix.count).elementsEqual(suffix)
    else { return false }
    let name = Array(text[prefix.count..<text.count - suffix.count])
    guard names.contains(name), let node = claims.claim(claim), claims.kind(node) == .string else { return false }
    return claims.stringEquals(node, name.span)
  }
}

extension IssuerRules {
  /// The node of `iss` where it says which tenant a caller belongs to. Nil where all belong to the issuer itself.
  package func tenant(of caller: Caller) -> JSONDocument.Index? {
    tenants == nil ? nil : caller.claims.member(IssuerCheck.iss, of: caller.claims.root)
  }

  /// Whether a caller of this issuer is still of a tenant that is listed.
  package func isListed(_ caller: Caller) -> Bool {
    guard let tenants else { return true }
    return tenant(of: caller).map { tenants.hold(caller.claims, issuer: $0) } ?? false
  }
}
