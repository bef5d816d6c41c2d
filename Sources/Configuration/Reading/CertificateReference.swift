// Files with certificates and keys that a configuration names. The reader opens none of them. A caller that knows
// certificates checks whether they exist, fit together and have not expired. Its findings are reported at the position
// of the path.

/// A path in the file, absolute or relative to the file's folder (already resolved).
package struct PlacedPath: Sendable, Hashable {
  package var path: String
  package var place: Place

  package init(path: String, place: Place) {
    self.path = path
    self.place = place
  }
}

/// Files that are looked at together.
package enum CertificateReference: Sendable, Hashable {
  /// What a listener shows to clients: a chain, its key, and an OCSP response (DER) to staple.
  case server(certificate: PlacedPath, key: PlacedPath, ocsp: PlacedPath?)
  /// What the gateway shows to an upstream.
  case client(certificate: PlacedPath, key: PlacedPath)
  /// Whom the certificates of clients must come from.
  case clientAuthority(PlacedPath)
  /// Which certificates of clients their authorities have withdrawn.
  case clientRevocations(PlacedPath)
  /// Whom the certificates of an upstream's servers must come from.
  case upstreamAuthority(PlacedPath)
  /// Keys of session tickets.
  case ticketKeys(PlacedPath)

  package var files: [PlacedPath] {
    switch self {
    case .server(let certificate, let key, let ocsp): [certificate, key] + (ocsp.map { [$0] } ?? [])
    case .client(let certificate, let key): [certificate, key]
    case .clientAuthority(let file), .clientRevocations(let file), .upstreamAuthority(let file), .ticketKeys(let file):
      [file]
    }
  }
}

/// What such a look found. It becomes a ``Diagnostic`` of the file that names the path.
package struct CertificateFinding: Sendable, Hashable {
  package var severity: Diagnostic.Severity
  package var place: Place
  package var message: String

  package init(_ severity: Diagnostic.Severity, at place: Place, _ message: String) {
    self.severity = severity
    self.place = place
    self.message = message
  }
}
