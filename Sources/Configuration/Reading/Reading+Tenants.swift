// `tenants:` of an issuer, and the bearer token for the fetch of its keys.

import Tokens

extension Reading {
  /// Whether an issuer is written as a form that others are made of, rightly or not.
  func standsForMany(_ policy: IssuerPolicy) -> Bool {
    policy.tenants != nil || policy.issuer.contains { "{}*".contains($0) }
  }

  /// Takes `issuer` apart where it stands for many.
  func finishTenants(_ issuer: inout Issuer, _ section: Section) {
    guard let node = section["issuer"], !section.refused.contains("tenants") else { return }
    let text = issuer.policy.issuer
    guard issuer.policy.tenants != nil else {
      if standsForMany(issuer.policy) {
        error(
          node.position,
          "'iss' is compared with \(text.quoted) as it is written: for many tenants write {tid} where the tenant's name is, "
            + "and tenants: [NAME]")
      }
      return
    }
    let parts = text.split(separator: "{", omittingEmptySubsequences: false)
    let ends = parts.last?.split(separator: "}", omittingEmptySubsequences: false) ?? []
    guard parts.count == 2, ends.count == 2, let prefix = parts.first, let claim = ends.first, let suffix = ends.last,
      !prefix.contains("}"), !prefix.contains("*"), !suffix.contains("*"), !claim.isEmpty
    else {
      error(
        node.position,
        "with 'tenants', the issuer must contain one claim in braces, where the tenant's name is: "
          + "write issuer: https://login.example.com/{tid}/v2.0")
      return
    }
    if claim == "tenantid" {
      error(node.position, "the claim of Entra's tenants is 'tid': write {tid} in place of {tenantid}")
      return
    }
    if claimPath(String(claim), at: node.position) == nil { return }
    issuer.policy.tenants?.prefix = String(prefix)
    issuer.policy.tenants?.claim = String(claim)
    issuer.policy.tenants?.suffix = String(suffix)
    if !section.has("jwks") {
      error(
        section.keyPosition("tenants"), "'tenants' requires 'jwks': write the URL of the keys that all tenants share")
    }
  }

  /// A token is for a fetch, and for nobody in between.
  func checkToken(of issuer: Issuer, _ section: Section) {
    guard section.has("token"), !section.refused.contains("jwks") else { return }
    let text: String
    switch issuer.keys {
    case .url(let url), .discovery(issuer: let url): text = url
    case .inline, .file, .absent:
      if section["jwks"] != nil {
        error(section.keyPosition("token"), "no keys are fetched, so no 'token' is sent: remove it")
      }
      return
    }
    if issuer.isInsecureAllowed, case .success(let url) = WebURL.parse(text), !url.isSecure, !url.isLoopback {
      warn(
        section.keyPosition("token"),
        "over plain http anybody in between can read the token and use it: write https:// for the keys")
    }
  }

  fileprivate func tokenFile(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    guard text.hasPrefix("file:"), text != "file:" else {
      error(node.position, "\(what) must be a file that is read for each fetch: write token: file:/run/secrets/token")
      return nil
    }
    let path = resolve(path: String(text.dropFirst("file:".count)), at: node.position)
    if let bytes = contents(ofResolved: path, at: node.position, isWatched: false), BearerToken(bytes) == nil {
      error(node.position, "the file \(path.quoted) does not hold one token, of visible characters of ASCII")
    }
    return path
  }
}

extension ValueType where Value == String {
  static let tokenFile = ValueType(.text("`file:/path`")) { node, reading, what in reading.tokenFile(node, what) }
}

extension ValueType where Value == [String] {
  static let tenants = ValueType.names("list of names", item: "a tenant") { name in
    name.contains { "{}*/".contains($0) }
      ? "\(name.quoted) is not the name of a tenant, which is compared as it is" : nil
  }
}
