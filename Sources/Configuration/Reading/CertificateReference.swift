// Files with certificates and keys that a configuration names. The reader opens none of them. A caller that knows
// certificates checks whether they exist, fit together and have not expired. Its findings are reported at the position
// of the path.

package import Tokens

/// A path in a configuration file, relative to that file's folder until it was resolved.
package struct LocatedPath: Sendable, Hashable {
  package var path: String
  package var position: SourcePosition

  package init(path: String, position: SourcePosition) {
    self.path = path
    self.position = position
  }
}

/// Files that are looked at together.
package enum CertificateReference: Sendable, Hashable {
  /// What a listener shows to clients: a chain, its key, and an OCSP response (DER) to staple.
  case server(certificate: LocatedPath, key: LocatedPath, ocsp: LocatedPath?)
  /// What the gateway shows to an upstream.
  case client(certificate: LocatedPath, key: LocatedPath)
  /// Whom the certificates of clients must come from.
  case clientAuthority(LocatedPath)
  /// Which certificates of clients their authorities have withdrawn.
  case clientRevocations(LocatedPath)
  /// Whom the certificates of an upstream's servers must come from.
  case upstreamAuthority(LocatedPath)
  /// Keys of session tickets.
  case ticketKeys(LocatedPath)
  /// What the gateway signs with as the client of a provider.
  case signingKey(LocatedPath)
  /// A folder of keys that assertions are signed with, or one of them.
  /// - isMade: the gateway makes those that are missing.
  case assertionKeys(LocatedPath, SignatureAlgorithm, isMade: Bool)

  package var files: [LocatedPath] {
    switch self {
    case .server(let certificate, let key, let ocsp): [certificate, key] + (ocsp.map { [$0] } ?? [])
    case .client(let certificate, let key): [certificate, key]
    case .clientAuthority(let file), .clientRevocations(let file), .upstreamAuthority(let file), .ticketKeys(let file),
      .signingKey(let file), .assertionKeys(let file, _, _):
      [file]
    }
  }
}

/// What such a look found. It becomes a ``Diagnostic`` of the file that names the path.
package struct CertificateFinding: Sendable, Hashable {
  package var severity: Diagnostic.Severity
  package var position: SourcePosition
  package var message: String

  package init(_ severity: Diagnostic.Severity, at position: SourcePosition, _ message: String) {
    self.severity = severity
    self.position = position
    self.message = message
  }
}
