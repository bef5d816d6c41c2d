// What an operator wants of the tokens of one issuer. Made by the configuration, obeyed by the checks.

/// The rules for the tokens of one issuer. Times in whole seconds (RFC 7519 NumericDate).
package struct IssuerPolicy: Sendable, Equatable {
  /// Must equal `iss`, byte by byte (RFC 7519 §4.1.1).
  package var issuer: String
  /// One of them must be in `aud`; empty (only if the file writes `[]`) means that `aud` is not looked at.
  package var audiences: [String]
  /// Checked before any arithmetic (RFC 8725 §3.1). HS only when the file names it.
  package var algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
  /// Allowed `typ` values in lower case without `application/`; nil takes any but those known to be other things
  /// (RFC 8725 §3.11): `logout+jwt`, `dpop+jwt`, `secevent+jwt`, `id_token+jwt`… and none at all is then allowed.
  package var tokenTypes: [String]?
  package var leewaySeconds: Int64 = 30
  /// Bound on now - iat; `iat` is then required.
  package var maxAgeSeconds: Int64?
  package var requiredClaims: [String] = ["exp"]
  /// Whether a token that is not a JWT is the issuer's to explain (RFC 7662). No setting says so yet.
  package var isAskedForOpaqueTokens = false

  package init(issuer: String, audiences: [String]) {
    self.issuer = issuer
    self.audiences = audiences
  }
}

/// A claim's place: `org.tier` is the member `tier` of the member `org`. A claim whose own name holds dots is found too:
/// at every level the longest run of parts that names a member wins.
package struct ClaimPath: Sendable, Hashable, CustomStringConvertible {
  package let parts: [String]
  /// The whole path in UTF-8. A run of parts is a run of these bytes.
  let bytes: [UInt8]
  /// Where each part begins, and one more: the length plus 1.
  let starts: [Int]

  package init(_ text: String) {
    parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let bytes = Array(text.utf8)
    self.bytes = bytes
    starts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: ".") }.map { $0 + 1 } + [bytes.count + 1]
  }

  package var description: String { parts.joined(separator: ".") }
}

/// `claims:` of a route: the claim must equal one of the values, or be a list that contains one.
package struct ClaimRequirement: Sendable, Equatable {
  package enum Value: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
  }

  package var claim: ClaimPath
  package var values: [Value]

  package init(claim: ClaimPath, values: [Value]) {
    self.claim = claim
    self.values = values
  }
}
