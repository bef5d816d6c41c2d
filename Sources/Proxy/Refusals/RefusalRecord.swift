// All that is known of one reason for a refusal: what the client gets, and what docs/REFUSALS.md says about it.

/// One reason. The switches that make these have no `default`: a new reason does not compile before it has its record.
package struct RefusalRecord: Sendable {
  /// As the client gets it, or as the log has it where nobody can be answered any more.
  package let status: Int
  package let grpcStatus: GRPCStatus
  let challenge: Challenge
  let extraField: ExtraField?
  /// When the gateway gives this reason: Markdown for docs/REFUSALS.md.
  package let sentence: StaticString
  /// What an operator or the client's author does about it: Markdown as well.
  package let advice: StaticString

  init(
    _ status: Int, _ grpcStatus: GRPCStatus, challenge: Challenge = .none, with extraField: ExtraField? = nil,
    _ sentence: StaticString, advice: StaticString
  ) {
    self.status = status
    self.grpcStatus = grpcStatus
    self.challenge = challenge
    self.extraField = extraField
    self.sentence = sentence
    self.advice = advice
  }
}

/// What `WWW-Authenticate` asks for (RFC 6750 §3).
enum Challenge: Sendable {
  case none
  /// Bearer without an error: nothing was shown.
  case bearer
  case invalidToken
  case insufficientScope
  /// Names the scopes that the route requires.
  case insufficientScopeOfRoute
  /// Names the ways to sign in that the route takes (RFC 9470 §3).
  case insufficientAuthenticationOfRoute
  /// The token is good, and it is not proved that its sender may use it (RFC 9449 §7.2).
  case boundToken
  /// The proof is not (RFC 9449 §7.1).
  case invalidProof
  /// A proof with a nonce is asked for (RFC 9449 §9).
  case proofNonce
}

/// A header that belongs to the reason. Its value is written with the answer.
enum ExtraField: Sendable {
  /// `Retry-After: 1`.
  case retrySoon
  /// `Retry-After` by when the issuer is asked for its keys again.
  case retryWithKeys
  /// `Retry-After` of the route's `maintenance`.
  case retryAfterMaintenance
  /// `Allow` with the methods of the path's routes.
  case allow
  case webSocketVersion
  /// `Allow: GET, POST`.
  case allowGraphQL
  /// `Allow: POST`.
  case allowPost
}

/// What is said about an error that no client is answered for.
package struct ErrorRecord: Sendable {
  /// When it is counted: Markdown for docs/REFUSALS.md.
  package let sentence: StaticString
  package let advice: StaticString

  init(_ sentence: StaticString, advice: StaticString) {
    self.sentence = sentence
    self.advice = advice
  }
}
