// `introspection:` of an issuer: the issuer is asked whose a token is (RFC 7662).

import Tokens

package struct Introspection: Sendable, Equatable {
  /// An http or https URL. Empty until the issuer's discovery document has named it.
  package var endpoint: String
  /// Whether the file leaves that to the document.
  package var isEndpointDiscovered = false
  /// An index into ``GatewayConfiguration/upstreams``: one of its own, which the file does not name.
  package var upstream = 0
  package var clientID: String
  package var client: Client
  /// Which tokens it is asked about.
  package var tokens = TokenChoice.opaque
  /// Whether answers are JWTs, which the issuer has signed for the client (RFC 9701).
  package var isSigned = false
  /// How long an answer may serve further requests, never past the token's end.
  package var cache = Duration.seconds(60)
  /// How long it is remembered that a token is none.
  package var refusals = Duration.seconds(5)
  package var timeout = Duration.seconds(1)
  /// Questions that a worker has under way.
  package var concurrency = 64

  /// How the gateway proves that it is the client.
  package enum Client: Sendable, Equatable {
    case secret(String)
    /// It signs a statement (RFC 7523).
    case key(PrivateKey)
    /// It shows a certificate (RFC 8705).
    case certificate(CertificateFiles)
  }

  /// The raw values are those of the file.
  package enum TokenChoice: String, Sendable, CaseIterable {
    /// What is no JWT.
    case opaque
    case all
  }

  package init(endpoint: String = "", clientID: String = "", client: Client = .secret("")) {
    self.endpoint = endpoint
    self.clientID = clientID
    self.client = client
  }

  /// Path and query.
  package var target: String {
    guard let url = ForeignURL(endpoint) else { return "/" }
    let query = endpoint.firstIndex(of: "?").map { String(endpoint[$0...]) } ?? ""
    return (url.path.isEmpty ? "/" : url.path) + query
  }

  /// As `Host` has it.
  package var authority: String {
    guard let url = ForeignURL(endpoint), let server = Self.server(of: endpoint) else { return "localhost" }
    return server.port == (url.isSecure ? 443 : 80) ? url.host : "\(url.host):\(server.port)"
  }

  /// Where a URL leads. Nil for what is none.
  package static func server(of url: String) -> Address? {
    guard let url = ForeignURL(url), let port = UInt16(url.port), !url.host.isEmpty else { return nil }
    let host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
    return Address(host: host, port: port)
  }
}

/// A private key in PEM, with the file that it came from.
package struct PrivateKey: Sendable, Equatable, CustomReflectable {
  package var path: String
  package var pem: [UInt8]

  package init(path: String, pem: [UInt8]) {
    self.path = path
    self.pem = pem
  }

  /// The file, and nothing of the key.
  package var customMirror: Mirror { Mirror(self, children: ["path": path]) }
}

extension Introspection {
  static let settings = Settings<Introspection>(
    "issuers{}.introspection", title: "'introspection'",
    example: "introspection: { client_id: gateway, client_secret: file:/path }",
    blank: Introspection(), rules: ["dependentRequired": ["certificate": ["key"], "key": ["certificate"]]],
    finish: { introspection, section in section.reading.finish(&introspection, section) },
    clientSettings + questionSettings)

  private static let clientSettings: [Setting<Introspection>] = [
    Setting(
      "endpoint", \.endpoint, .line("URL"), "Where the issuer is asked, by POST.",
      otherwise: "`introspection_endpoint` of the issuer's discovery document"),
    Setting(
      "client_id", \.clientID, .line(), "The gateway's name at the issuer.", required: "write client_id: NAME"),
    Setting(
      "client_secret", .secret,
      "Its secret, which goes into `Authorization` (`client_secret_basic`). Write `file:/path` for a secret.",
      otherwise: "`private_key`, or `certificate` and `key`",
      store: { introspection, secret in introspection.client = .secret(secret) }),
    Setting(
      "private_key", .clientKey,
      "In place of a secret, the key with which the gateway signs a statement of a minute for each question "
        + "(`private_key_jwt`). The issuer has the public half, under its RFC 7638 thumbprint.", otherwise: "none",
      store: { introspection, key in introspection.client = .key(key) }),
    Setting(
      "certificate", .path("PEM file"),
      "In place of a secret, what the gateway shows for itself, with its chain (`tls_client_auth`). Only together with "
        + "`key`.", otherwise: "none",
      store: { introspection, path in
        introspection.client = .certificate(CertificateFiles(certificate: path, key: ""))
      }),
    Setting(
      "key", .path("PEM file"), "The private key of `certificate`.", otherwise: "none",
      store: { introspection, path in
        guard case .certificate(var files) = introspection.client else { return }
        files.key = path
        introspection.client = .certificate(files)
      }),
  ]

  private static let questionSettings: [Setting<Introspection>] = [
    Setting(
      "for", \.tokens, .choice,
      "`opaque` asks about tokens that are not JWTs. `all` asks about JWTs too, once all checks here have passed."),
    Setting(
      "signed", \.isSigned, .boolean,
      "Takes answers only as JWTs that a key of the issuer has signed for this client (RFC 9701)."),
    Setting(
      "cache", \.cache, .wholeSeconds(from: .zero, to: .hours(1)),
      "How long an answer serves further requests with the token, never past its `exp`. `0s` asks each time."),
    Setting(
      "refusals", \.refusals, .wholeSeconds(from: .zero, to: .minutes(5)),
      "How long it is remembered that a token is not active."),
    Setting(
      "timeout", \.timeout, .duration(from: .milliseconds(100), to: .seconds(10)),
      "How long the issuer may take. It is looked at ten times a second."),
    Setting(
      "concurrency", \.concurrency, .integer(1...4096), "Questions under way in each worker. Further ones get 503."),
  ]
}

extension Issuer {
  /// The servers of the end point, as an upstream that no route names. Until the end point is known, those of the
  /// issuer itself.
  var introspectionUpstream: Upstream? {
    guard let introspection else { return nil }
    let place = introspection.endpoint.isEmpty ? policy.issuer : introspection.endpoint
    guard let url = ForeignURL(place), let server = Introspection.server(of: place) else { return nil }
    var upstream = Upstream(name: "introspection of \(name)", servers: [Upstream.Server(address: server)])
    if url.isSecure {
      var tls = UpstreamTLS()
      tls.certificateAuthority = certificateAuthority
      if case .certificate(let files) = introspection.client { tls.certificate = files }
      upstream.tls = tls
    }
    upstream.host = .server
    return upstream
  }
}

extension GatewayConfiguration {
  /// The end point of an issuer's introspection has become known.
  /// - Returns: false where it cannot be the issuer's.
  package mutating func take(introspectionEndpoint url: String, ofIssuer name: String) -> Bool {
    guard let index = issuers.firstIndex(where: { $0.name == name }), let introspection = issuers[index].introspection,
      let own = ForeignURL(issuers[index].policy.issuer), let found = ForeignURL(url),
      own.isSecure == found.isSecure, let server = Introspection.server(of: url),
      upstreams.indices.contains(introspection.upstream)
    else { return false }
    issuers[index].introspection?.endpoint = url
    upstreams[introspection.upstream].servers = [Upstream.Server(address: server)]
    return true
  }
}
