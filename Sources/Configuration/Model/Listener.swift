// Where clients come in. What cannot go together cannot be held here: no client certificates without an authority.

package struct Listener: Sendable, Hashable {
  package var address: Address
  /// Counts the listeners of one address, which can only be several where the system chooses the port.
  package var ordinal = 0
  /// Permission bits of a Unix socket's file; nil for an address of the network.
  package var mode: UInt16?
  /// Whether each connection begins with a PROXY header, v1 or v2. Only ``GatewayConfiguration/trustedProxies`` may send
  /// one; whoever reaches a Unix socket is trusted.
  package var hasProxyProtocol = false
  package var tls: ListenerTLS?

  package init(address: Address) {
    self.address = address
    if case .unix = address { mode = 0o660 }
  }
}

/// What makes a listener the same one across reloads.
package struct ListenerKey: Sendable, Hashable {
  package let address: Address
  package let ordinal: Int
}

extension Listener {
  package var key: ListenerKey { ListenerKey(address: address, ordinal: ordinal) }
}

/// `tls:` of a listener.
package struct ListenerTLS: Sendable, Hashable {
  /// At least one. The first serves whoever asks for no name, or for one that none has.
  package var certificates: [CertificateFiles]
  package var minimumVersion = TLSVersion.tls12
  /// At least one, in the gateway's order of preference.
  package var applicationProtocols: [ApplicationProtocol] = [.http2, .http1]
  package var clientCertificates = ClientCertificates.none
  /// A PEM file with the revocation lists (CRLs) of the authorities of client certificates.
  package var clientRevocations: String?
  /// Keys of session tickets that a fleet shares; nil makes own ones.
  package var ticketKeys: String?
  /// From the connection to the end of the handshake.
  package var handshakeTimeout = Duration.seconds(10)

  package init(certificates: [CertificateFiles]) { self.certificates = certificates }
}

/// A certificate with its chain, its key, and an OCSP response to staple (listeners only). Paths are absolute, or relative
/// to the configuration file's folder (already resolved).
package struct CertificateFiles: Sendable, Hashable {
  package var certificate: String
  package var key: String
  package var ocsp: String?

  package init(certificate: String, key: String, ocsp: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.ocsp = ocsp
  }
}

/// The raw values are those of the file.
package enum TLSVersion: String, Sendable, CaseIterable {
  case tls12 = "1.2"
  case tls13 = "1.3"
}

/// Names of ALPN (RFC 7301).
package enum ApplicationProtocol: String, Sendable, CaseIterable {
  case http2 = "h2"
  case http1 = "http/1.1"
}

/// Whether clients are asked for a certificate. One that is shown must come from the authority in any case.
package enum ClientCertificates: Sendable, Hashable {
  case none
  case optional(authority: String)
  case required(authority: String)
}
