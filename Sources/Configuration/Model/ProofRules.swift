// `dpop:` of an issuer: for how long a proof counts, where it is remembered, and whether it must have a nonce of the
// gateway's (RFC 9449).

package struct ProofRules: Sendable, Equatable {
  /// How long ago a proof may have been made.
  package var windowSeconds: Int64 = 60
  package var isNonceDemanded = false
  /// Index into ``GatewayConfiguration/stores``: where the fleet remembers proofs. Nil remembers them in this process.
  package var store: Int?
}

extension ProofRules {
  static let settings = Settings<ProofRules>(
    "issuers{}.dpop", title: "'dpop'", example: "dpop: { window: 60s }", blank: ProofRules(),
    [
      Setting(
        "window", \.windowSeconds, .seconds(from: .seconds(1), to: .minutes(10)),
        "How long ago a proof may have been made, besides `leeway`. So long it is remembered, too. Nonces change as often."
      ),
      Setting(
        "nonce", \.isNonceDemanded, .boolean,
        "Whether a proof must have a nonce of the gateway's, so that none can be made in advance. Requires `secrets`."),
      Setting(
        "store", \.store, .storeName,
        "The name of a `redis` store where all gateways remember proofs together, so that each counts once in the fleet.",
        otherwise: "this process remembers"),
    ])
}
