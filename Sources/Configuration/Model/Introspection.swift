// `introspection:` of an issuer: the issuer is asked whose a token is that is not a JWT (RFC 7662).

package struct Introspection: Sendable, Equatable {
  /// An http or https URL.
  package var endpoint: String
  /// An index into ``GatewayConfiguration/upstreams``: one of its own, which the file does not name.
  package var upstream = 0
  package var clientID: String
  package var clientSecret: String
  /// How long an answer may serve further requests, never past the token's end.
  package var cache = Duration.seconds(60)
  /// How long it is remembered that a token is none.
  package var refusals = Duration.seconds(5)
  package var timeout = Duration.seconds(1)
  /// Questions that a worker has under way.
  package var concurrency = 64

  package init(endpoint: String = "", clientID: String = "", clientSecret: String = "") {
    self.endpoint = endpoint
    self.clientID = clientID
    self.clientSecret = clientSecret
  }

  /// Path and query.
  package var target: String {
    guard let url = ForeignURL(endpoint) else { return "/" }
    let query = endpoint.firstIndex(of: "?").map { String(endpoint[$0...]) } ?? ""
    return (url.path.isEmpty ? "/" : url.path) + query
  }
}

extension Introspection {
  static let settings = Settings<Introspection>(
    "issuers{}.introspection", title: "'introspection'",
    example: "introspection: { endpoint: https://…, client_id: gateway, client_secret: file:/path }",
    blank: Introspection(),
    [
      Setting(
        "endpoint", \.endpoint, .line("URL"), "Where the issuer is asked, by POST.",
        required: "write endpoint: https://login.example.com/introspect"),
      Setting(
        "client_id", \.clientID, .line(), "The gateway's name at the issuer.", required: "write client_id: NAME"),
      Setting(
        "client_secret", \.clientSecret, .secret,
        "Its secret, which goes into `Authorization` (`client_secret_basic`). Write `file:/path` for a secret.",
        required: "write client_secret: file:/path"),
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
    ])
}

extension Issuer {
  /// The servers of the end point, as an upstream that no route names.
  var introspectionUpstream: Upstream? {
    guard let introspection, let url = ForeignURL(introspection.endpoint), let port = UInt16(url.port) else {
      return nil
    }
    let host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
    var upstream = Upstream(
      name: "introspection of \(name)", servers: [Upstream.Server(address: Address(host: host, port: port))])
    if url.isSecure {
      var tls = UpstreamTLS()
      tls.certificateAuthority = certificateAuthority
      upstream.tls = tls
    }
    upstream.host = .server
    return upstream
  }
}
