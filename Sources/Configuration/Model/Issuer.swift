// Who may sign tokens, where its keys come from, and what a token of it must say.

package import Tokens

package struct Issuer: Sendable, Equatable {
  /// The name in the file, in metrics and in logs; never `public`.
  package var name: String
  /// What the checker of tokens needs to know.
  package var policy: IssuerPolicy
  package var keys: KeySource
  /// `refresh:` 1 s or more.
  package var refresh = Duration.seconds(600)
  /// How long the last good keys serve while the issuer is down.
  package var stale = Duration.seconds(24 * 3600)
  /// PEM file with the trust anchors for the fetch; nil is the system's store.
  package var certificateAuthority: String?
  /// Whether an http:// key URL on a host that is not loopback is allowed.
  package var isInsecureAllowed = false

  package init(name: String, policy: IssuerPolicy, keys: KeySource) {
    self.name = name
    self.policy = policy
    self.keys = keys
  }
}

package enum KeySource: Sendable, Equatable {
  /// A key set written into the file, as JSON text.
  case inline([UInt8])
  /// A file, picked up when it changes. Absolute, or relative to the configuration file's folder (already resolved).
  case file(String)
  /// An http(s) URL of a key set, taken as it stands.
  case url(String)
  /// Discovery documents of this issuer URL: OpenID, then RFC 8414.
  case discovery(issuer: String)
}
