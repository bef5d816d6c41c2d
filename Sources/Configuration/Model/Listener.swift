// Where clients come in. What cannot go together cannot be held here: no client certificates without an authority.

package struct Listener: Sendable, Hashable {
  package var address: Address
  /// For ``Route/listeners``.
  package var name: String?
  /// Counts the listeners of one address, which can only be several where the system chooses the port.
  package var ordinal = 0
  /// Permission bits of a Unix socket's file. Nil for an address of the network.
  package var mode: UInt16?
  /// Whether each connection begins with a PROXY header, v1 or v2. Only ``GatewayConfiguration/trustedProxies`` may
  /// send one. Peers on a Unix socket are trusted.
  package var hasProxyProtocol = false
  package var tls: ListenerTLS?
  /// Where every request is redirected to. Nil takes requests.
  package var redirect: HTTPSRedirect?

  static let modeDefault: UInt16 = 0o660

  package init(address: Address) {
    self.address = address
    if case .unix = address { mode = Self.modeDefault }
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

/// `redirect:` of a listener, to the same host and path over HTTPS.
package struct HTTPSRedirect: Sendable, Hashable {
  package static let portDefault = 443

  /// Nil until all listeners are known.
  package var port: Int?
}

/// What browsers are told in Strict-Transport-Security (RFC 6797).
package struct StrictTransport: Sendable, Hashable {
  package var maxAge: Int64
  package var includesSubdomains = false
  package var isPreloaded = false

  /// The value of the field.
  package var text: String {
    "max-age=\(maxAge)" + (includesSubdomains ? "; includeSubDomains" : "") + (isPreloaded ? "; preload" : "")
  }
}

/// `tls:` of a listener.
package struct ListenerTLS: Sendable, Hashable {
  /// At least one. The first serves clients that ask for no name, or for one that none has.
  package var certificates: [CertificateFiles]
  package var minimumVersion = TLSVersion.tls12
  package var compatibility = TLSCompatibility.intermediate
  /// At least one, in the gateway's order of preference.
  package var applicationProtocols: [ApplicationProtocol] = [.http2, .http1]
  package var clientCertificates = ClientCertificates.none
  /// A PEM file with the revocation lists (CRLs) of the authorities of client certificates.
  package var clientRevocations: String?
  /// Keys of session tickets that a fleet shares. Nil makes own ones.
  package var ticketKeys: String?
  /// From the connection to the end of the handshake.
  package var handshakeTimeout = Duration.seconds(10)
  package var strictTransport: StrictTransport?

  package init(certificates: [CertificateFiles]) { self.certificates = certificates }
}

/// A certificate with its chain, its key, and an OCSP response to staple (listeners only). Paths are absolute, or
/// relative to the configuration file's folder (already resolved).
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

/// Which clients of TLS 1.2 are served. The names are Mozilla's. The raw values are those of the file.
package enum TLSCompatibility: String, Sendable, CaseIterable {
  case intermediate
  /// Also those without authenticated encryption.
  case old
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

  /// The same with another authority.
  func of(authority: String) -> ClientCertificates {
    switch self {
    case .none: .none
    case .optional: .optional(authority: authority)
    case .required: .required(authority: authority)
    }
  }
}

// MARK: Settings

extension Listener {
  static let settings = Settings<Listener>(
    "listeners[]", title: "a listener", example: "- address: 0.0.0.0:8080",
    blank: Listener(address: Address(host: "", port: 0)),
    [
      Setting(
        "address", \.address, .listenAddress("IP address and port, or `unix:/path`"),
        "Port 0 takes a free one. `0.0.0.0` is every IPv4 address, `[::]` every IPv6 one: write both for both.",
        required: "write address: 0.0.0.0:8080"),
      Setting("name", \.name, .listenerName, "What routes call it in `listeners`."),
      Setting(
        "mode", \.mode, .socketMode, "Who may connect to a `unix:` socket, as chmod has it.",
        otherwise: "`0660` for a socket"),
      Setting(
        "proxy_protocol", \.hasProxyProtocol, .boolean,
        "`true`: every connection begins with a PROXY header, v1 or v2, from `trusted_proxies` only."),
      Setting("tls", \.tls, .mapping(ListenerTLS.settings), "TLS on this listener."),
      Setting(
        "redirect", \.redirect, .httpsRedirect,
        "Answers requests with 308 to the same host and path over HTTPS. The port is that of the only listener with "
          + "`tls`, otherwise 443."),
    ])
}

extension ListenerTLS {
  static let settings = Settings<ListenerTLS>(
    "listeners[].tls", title: "a listener's 'tls'",
    example: "tls: { certificates: [{ certificate: api.crt, key: api.key }] }", blank: ListenerTLS(certificates: []),
    finish: { tls, section in section.reading.finish(&tls, section) },
    [
      Setting(
        "certificates", \.certificates, .certificates,
        "Chosen by the name that the client asks for and the signatures that it knows. The first is the default.",
        required: "write certificates: [{ certificate: api.crt, key: api.key }]"),
      Setting("minimum_version", \.minimumVersion, .tlsVersion, "The oldest version of TLS that is spoken."),
      Setting(
        "compatibility", \.compatibility, .choice,
        "`old` also serves clients of TLS 1.2 that know no cipher suites but those with CBC. They are weaker."),
      Setting(
        "alpn", \.applicationProtocols, .alpn, "The protocols that are offered, in this order of preference."),
      Setting(
        "client_certificates", \.clientCertificates, .clientCertificates,
        "Whether clients are asked for a certificate. A bad one is refused in any case."),
      Setting(
        "client_ca", .path("PEM file"),
        "The authorities that client certificates must come from. Required unless none are asked for.",
        store: { tls, path in tls.clientCertificates = tls.clientCertificates.of(authority: path) }),
      Setting(
        "client_crl", \.clientRevocations, .path("PEM file"),
        "Revocation lists (CRLs) of every authority in the chains of client certificates. A certificate on them is "
          + "refused. Every certificate is refused while a list is missing or its next update is overdue."),
      Setting(
        "ticket_keys", \.ticketKeys, .file("file") { .ticketKeys($0) },
        "The keys of session tickets, so that a session is resumed on any gateway of a fleet.",
        otherwise: "each process makes its own"),
      Setting(
        "handshake_timeout", \.handshakeTimeout, .duration(from: .milliseconds(100), to: .minutes(10)),
        "For the handshake. Then the connection is closed."),
      Setting(
        "hsts", \.strictTransport, .strictTransport,
        "Adds `Strict-Transport-Security` to every response. A duration is short for `max_age`."),
    ])
}

extension StrictTransport {
  static let settings = Settings<StrictTransport>(
    "listeners[].tls.hsts", title: "'hsts'", example: "hsts: { max_age: 365d, include_subdomains: true }",
    blank: StrictTransport(maxAge: 0),
    finish: { strict, section in section.reading.finish(&strict, section) },
    [
      Setting(
        "max_age", \.maxAge, .seconds(from: .zero, to: .days(3650)),
        "How long browsers use HTTPS only for the host. `0s` ends it.", required: "write max_age: 365d"),
      Setting("include_subdomains", \.includesSubdomains, .boolean, "`true`: for all names below the host as well."),
      Setting(
        "preload", \.isPreloaded, .boolean,
        "`true` asks for a place in the browsers' own lists. It requires `include_subdomains` and a year."),
    ])
}

extension CertificateFiles {
  static let settings = Settings<CertificateFiles>(
    "listeners[].tls.certificates[]", title: "a certificate", example: "{ certificate: api.crt, key: api.key }",
    blank: CertificateFiles(certificate: "", key: ""),
    [
      Setting(
        "certificate", \.certificate, .path("PEM file"), "The certificate, then its chain.",
        required: "write certificate: api.crt, a PEM file with the chain"),
      Setting(
        "key", \.key, .path("PEM file"), "The certificate's private key.",
        required: "write key: api.key, a PEM file"),
      Setting("ocsp", \.ocsp, .path("DER file"), "An OCSP response, to be stapled."),
    ])
}
