// Every key of the format as one record. Checks for unknown keys, suggestions, the schema's test and the documents'
// test all work from these tables, so that a key exists in all of these places or in none.

/// One key of one mapping of the file.
package struct Setting: Sendable {
  package enum Support: Sendable, Equatable {
    case supported
    /// Part of the format, refused by this version.
    case later
  }

  package var name: String
  package var support: Support
  package var isRequired: Bool
  /// As an operator writes it; nil when there is none, or when it is no plain value.
  package var defaultText: String?

  init(_ name: String, default defaultText: String? = nil, isRequired: Bool = false, support: Support = .supported) {
    self.name = name
    self.support = support
    self.isRequired = isRequired
    self.defaultText = defaultText
  }

  static func later(_ name: String) -> Setting { Setting(name, support: .later) }
}

/// The keys of one mapping of the file.
package struct SettingTable: Sendable {
  /// Where it stands: `routes[].auth`; `[]` for each of a list, `{}` for each value of a mapping with free names.
  package var path: String
  /// For messages: `a route`.
  package var title: String
  package var settings: [Setting]

  func setting(_ name: String) -> Setting? { settings.first { $0.name == name } }

  /// The key that was probably meant.
  func nearest(to name: String) -> String? { nearestName(to: name, among: settings.map(\.name)) }
}

extension SettingTable {
  /// In the order of the documents.
  package static let all: [SettingTable] = [
    root, trustedProxies, listener, listenerTLS, certificate, dns, admin, accessLog, limits, issuer, upstream, server,
    sticky,
    upstreamTLS, healthCheck, eject, queue, adaptive, retry, rateLimit, route, split, auth, routeRateLimit, cors,
    compress, errorPage, maintenance,
    identity, rewrite, requestHeaders, responseHeaders, respond, redirect, webSocket, mirror,
  ]

  static let root = SettingTable(
    path: "", title: "the file",
    settings: [
      Setting("workers", default: "auto"), Setting("state_directory"), Setting("listeners", isRequired: true),
      Setting("trusted_proxies", default: "[]"), Setting("dns"), Setting("admin"), Setting("access_log"),
      Setting("limits"), Setting("compress", default: "false"), Setting("error_pages"),
      Setting("maintenance", default: "false"),
      Setting("issuers"), Setting("upstreams"), Setting("rate_limits"), Setting("routes", isRequired: true),
    ])

  static let trustedProxies = SettingTable(
    path: "trusted_proxies", title: "'trusted_proxies'",
    settings: [Setting("from", isRequired: true), Setting("fields", default: "[]")])

  static let listener = SettingTable(
    path: "listeners[]", title: "a listener",
    settings: [
      Setting("address", isRequired: true), Setting("mode"), Setting("proxy_protocol", default: "false"),
      Setting("tls"),
    ])

  static let listenerTLS = SettingTable(
    path: "listeners[].tls", title: "a listener's 'tls'",
    settings: [
      Setting("certificates", isRequired: true), Setting("minimum_version", default: "1.2"),
      Setting("alpn", default: "[h2, http/1.1]"), Setting("client_certificates", default: "none"),
      Setting("client_ca"), Setting("client_crl"), Setting("ticket_keys"), Setting("handshake_timeout", default: "10s"),
    ])

  static let certificate = SettingTable(
    path: "listeners[].tls.certificates[]", title: "a certificate",
    settings: [Setting("certificate", isRequired: true), Setting("key", isRequired: true), Setting("ocsp")])

  static let dns = SettingTable(path: "dns", title: "'dns'", settings: [Setting("servers", isRequired: true)])

  static let admin = SettingTable(
    path: "admin", title: "'admin'",
    settings: [
      Setting("address", default: "127.0.0.1:9901"), Setting("metrics"), Setting("hosts", default: "[]"),
      Setting("token"),
    ])

  static let accessLog = SettingTable(
    path: "access_log", title: "'access_log'",
    settings: [Setting("path", default: "stdout"), Setting("format", default: "json")])

  static let limits = SettingTable(
    path: "limits", title: "'limits'",
    settings: [
      Setting("header_size", default: "32KiB"), Setting("headers", default: "100"),
      Setting("body_size", default: "10MiB"), Setting("connections", default: "10000"),
      Setting("connections_per_client", default: "0"), Setting("ipv6_prefix", default: "64"),
      Setting("streams", default: "100"), Setting("memory"), Setting("token_cache"),
      Setting("header_timeout", default: "10s"), Setting("body_timeout", default: "30s"),
      Setting("body_rate", default: "0B"),
      Setting("idle_timeout", default: "75s"), Setting("drain_timeout", default: "30s"),
      Setting("half_close", default: "false"),
    ])

  // These three may stand on a route, too.
  static let compress = SettingTable(
    path: "compress", title: "'compress'",
    settings: [
      Setting("algorithms", default: "[br, gzip]"), Setting("types"), Setting("minimum_size", default: "1KiB"),
      Setting("gzip_level", default: "5"), Setting("brotli_level", default: "4"),
    ])

  static let errorPage = SettingTable(
    path: "error_pages{}", title: "an error page",
    settings: [Setting("body", isRequired: true), Setting("content_type")])

  static let maintenance = SettingTable(
    path: "maintenance", title: "'maintenance'",
    settings: [
      Setting("body"), Setting("content_type"), Setting("retry_after", default: "120s"),
      Setting("allow", default: "[]"),
    ])

  static let issuer = SettingTable(
    path: "issuers{}", title: "an issuer",
    settings: [
      Setting("issuer", isRequired: true), Setting("discovery"), Setting("jwks"),
      Setting("audiences", isRequired: true), Setting("algorithms"), Setting("token_types"),
      Setting("leeway", default: "30s"), Setting("max_age"), Setting("required_claims", default: "[exp]"),
      Setting("refresh", default: "10m"), Setting("stale", default: "24h"), Setting("ca"),
      Setting("insecure", default: "false"), .later("revocation"),
    ])

  static let upstream = SettingTable(
    path: "upstreams{}", title: "an upstream",
    settings: [
      Setting("servers", isRequired: true), Setting("balance", default: "round_robin"), Setting("hash_on"),
      Setting("sticky"), Setting("slow_start"),
      Setting("protocol", default: "http1"), Setting("tls"), Setting("health_check"), Setting("eject"),
      Setting("panic_threshold", default: "50%"),
      Setting("connect_timeout", default: "2s"), Setting("response_timeout", default: "30s"),
      Setting("read_timeout"), Setting("idle_connections", default: "256"), Setting("retry"), Setting("max_requests"),
      Setting("max_requests_per_server"), Setting("queue"), Setting("adaptive"),
    ])

  static let server = SettingTable(
    path: "upstreams{}.servers[]", title: "a server",
    settings: [Setting("address", isRequired: true), Setting("weight", default: "1")])

  static let sticky = SettingTable(
    path: "upstreams{}.sticky", title: "'sticky'",
    settings: [Setting("cookie", isRequired: true), Setting("max_age"), Setting("secret")])

  static let upstreamTLS = SettingTable(
    path: "upstreams{}.tls", title: "an upstream's 'tls'",
    settings: [
      Setting("server_name"), Setting("ca"), Setting("certificate"), Setting("key"), Setting("verify", default: "true"),
    ])

  static let healthCheck = SettingTable(
    path: "upstreams{}.health_check", title: "'health_check'",
    settings: [
      Setting("type", default: "http"), Setting("path", default: "/"), Setting("host"), Setting("port"),
      Setting("status", default: "[200-399]"), Setting("body"), Setting("service"),
      Setting("interval", default: "5s"), Setting("timeout", default: "1s"), Setting("healthy_after", default: "2"),
      Setting("unhealthy_after", default: "3"),
    ])

  static let eject = SettingTable(
    path: "upstreams{}.eject", title: "'eject'",
    settings: [
      Setting("errors", default: "5"), Setting("for", default: "10s"), Setting("max_for", default: "5m"),
      Setting("max_share", default: "50%"), Setting("on", default: "[connect_failure, timeout, reset, malformed]"),
    ])

  static let queue = SettingTable(
    path: "upstreams{}.queue", title: "'queue'",
    settings: [Setting("length", default: "100"), Setting("timeout", default: "1s")])

  static let adaptive = SettingTable(
    path: "upstreams{}.adaptive", title: "'adaptive'",
    settings: [
      Setting("minimum", default: "10"), Setting("maximum", default: "1000"), Setting("tolerance", default: "150%"),
    ])

  static let retry = SettingTable(
    path: "upstreams{}.retry", title: "'retry'",
    settings: [
      Setting("attempts", default: "2"), Setting("on", default: "[connect_failure, reset_before_response]"),
      Setting("budget", default: "20%"), Setting("backoff", default: "100ms"),
    ])

  static let route = SettingTable(
    path: "routes[]", title: "a route",
    settings: [
      Setting("name"), Setting("host"), Setting("path", isRequired: true), Setting("methods"), Setting("headers"),
      Setting("auth", isRequired: true), Setting("unprotected"), Setting("identity"), Setting("cors"),
      Setting("rate_limit"),
      Setting("rewrite"),
      Setting("request_headers"), Setting("response_headers"), Setting("upstream"), Setting("upstreams"),
      Setting("split_on"), Setting("respond"), Setting("redirect"), Setting("timeout"), Setting("read_timeout"),
      Setting("deadline_header"), Setting("body_size"), Setting("compress"), Setting("error_pages"),
      Setting("maintenance"), Setting("websocket", default: "false"), Setting("mirror"),
    ])

  static let split = SettingTable(
    path: "routes[].upstreams[]", title: "an upstream of a route",
    settings: [Setting("name", isRequired: true), Setting("weight", default: "1")])

  static let auth = SettingTable(
    path: "routes[].auth", title: "'auth'",
    settings: [
      Setting("issuers", isRequired: true), Setting("scopes"), Setting("claims"),
      Setting("tokens_from", default: "[authorization]"), Setting("optional", default: "false"),
    ])

  private static let rateLimitSettings = [
    Setting("requests", isRequired: true), Setting("per", isRequired: true), Setting("burst"),
    Setting("by", default: "client_ip"), Setting("keys", default: "100000"), Setting("dry_run", default: "false"),
    Setting("fields", default: "true"),
  ]

  static let rateLimit = SettingTable(
    path: "rate_limits{}", title: "a rate limit", settings: rateLimitSettings)

  static let routeRateLimit = SettingTable(
    path: "routes[].rate_limit", title: "'rate_limit'", settings: rateLimitSettings)

  static let cors = SettingTable(
    path: "routes[].cors", title: "'cors'",
    settings: [
      Setting("origins", isRequired: true), Setting("methods"),
      Setting("headers", default: "[Authorization, Content-Type]"), Setting("expose_headers"),
      Setting("credentials", default: "false"), Setting("max_age", default: "10m"),
      Setting("private_network", default: "false"),
    ])

  static let identity = SettingTable(
    path: "routes[].identity", title: "'identity'",
    settings: [
      Setting("headers"), Setting("strip"), Setting("forward_token", default: "false"), Setting("payload"),
    ])

  static let rewrite = SettingTable(
    path: "routes[].rewrite", title: "'rewrite'",
    settings: [Setting("strip_prefix"), Setting("add_prefix"), Setting("path")])

  static let requestHeaders = SettingTable(
    path: "routes[].request_headers", title: "'request_headers'",
    settings: [Setting("set"), Setting("add"), Setting("remove")])

  static let responseHeaders = SettingTable(
    path: "routes[].response_headers", title: "'response_headers'",
    settings: [Setting("set"), Setting("add"), Setting("remove")])

  static let respond = SettingTable(
    path: "routes[].respond", title: "'respond'",
    settings: [
      Setting("status", isRequired: true), Setting("body"),
      Setting("content_type", default: "text/plain; charset=utf-8"),
    ])

  static let redirect = SettingTable(
    path: "routes[].redirect", title: "'redirect'",
    settings: [Setting("to", isRequired: true), Setting("status", default: "308")])

  static let webSocket = SettingTable(
    path: "routes[].websocket", title: "'websocket'",
    settings: [Setting("expiry_grace", default: "0s"), Setting("idle_timeout", default: "5m")])
}

extension SettingTable {
  static let mirror = SettingTable(
    path: "routes[].mirror", title: "'mirror'",
    settings: [Setting("upstream", isRequired: true), Setting("percent", default: "100")])
}

/// Keys of the format that this version refuses: they are marked in the tables above.
enum LaterValues {
  /// The one sentence for all of them.
  static func message(_ name: String) -> String { "\(name.quoted) is not supported yet by this version" }
}
