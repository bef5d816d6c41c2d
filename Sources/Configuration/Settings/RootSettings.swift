// The keys at the top of the file, and those of its smallest sections.

extension GatewayConfiguration {
  static let settings = Settings<GatewayConfiguration>(
    "", title: "the file", blank: GatewayConfiguration(), rules: ["patternProperties": ["^x-": [:]]],
    finish: { file, section in section.reading.finish(&file, section) },
    [
      Setting(
        "include", ValueType.includedFiles.form,
        "Other files of this format, whose sections are added to those here. `routes.d/*.conf` is each that matches.",
        read: Inherited.isFilledIn),
      Setting(
        "workers", \.workers, .workers, "Event-loop threads. `auto` is one a core that the process may use."),
      Setting(
        "state_directory", \.stateDirectory, .stateFolder,
        "Where the last good key sets (public keys only) survive a restart. A folder or file that others may write, or "
          + "that belongs to neither the gateway's user nor root, is not used."),
      Setting(
        "listeners", \.listeners, .listeners, "Where clients connect.",
        required: "write listeners: [{ address: 0.0.0.0:8080 }]"),
      Setting(
        "trusted_proxies", .trustedProxies, "Peers that are trusted to report their clients' addresses.",
        defaultValue: { _ in .list([]) }, read: { node, reading, file in reading.trustedProxies(node, into: &file) }),
      Setting(
        "dns", .mapping(DNS.settings.table), "Who resolves the names of servers.", otherwise: "as the system does",
        read: { node, reading, file in DNS.settings.read(node, reading, into: &file) }),
      Setting("admin", \.admin, .admin, "Metrics, health and reload.", otherwise: "on loopback"),
      Setting(
        "access_log", \.accessLog, .accessLog, "One line a request.", otherwise: "JSON on standard output"),
      Setting(
        "log", \.log, .mapping(OwnLogRules.settings), "The gateway's own log, on standard error.",
        otherwise: "text, from `notice` on"),
      Setting("limits", \.limits, .mapping(Limits.settings), "What one client may take.", otherwise: "those below"),
      Setting(
        "traces", \.traces, .mapping(Traces.settings), "Spans of requests, for a collector of OpenTelemetry.",
        otherwise: "none"),
      Setting(
        "metrics", \.metrics, .mapping(CollectedMetrics.settings),
        "Metrics for a collector of OpenTelemetry. `/metrics` needs no such key.", otherwise: "none"),
      Setting(
        "logs", \.logs, .mapping(CollectedLogs.settings),
        "Access log records for a collector of OpenTelemetry, beside `access_log`.", otherwise: "none"),
      Setting(
        "request_id", \.requestID, .mapping(RequestIDRules.settings),
        "The id of each request. With it, every response has the id.", otherwise: "`X-Request-Id`, and in refusals only"
      ),
      Setting(
        "response_headers", \.responseHeaders, .mapping(HeaderRules.gatewaySettings),
        "Header fields of what the gateway answers where no route matches."),
      Setting(
        "compress", ValueType.compression.form,
        "Whether responses of upstreams are compressed. A route may set its own.",
        defaultValue: { _ in .boolean(false) },
        read: { node, reading, _ in
          reading.names.compress = ValueType.compression.read(node, reading, "'compress'") ?? nil
          return true
        }),
      Setting(
        "error_pages", \.errorPages, .errorPages,
        "Pages for what the gateway refuses. Those of a route come first.", otherwise: "none"),
      Setting(
        "maintenance", ValueType.maintenance.form, "Whether routes are closed. A route may set its own.",
        defaultValue: { _ in .boolean(false) },
        read: { node, reading, _ in
          reading.names.maintenance = ValueType.maintenance.read(node, reading, "'maintenance'") ?? nil
          return true
        }),
      Setting("issuers", \.issuers, .issuers, "Who signs tokens."),
      Setting("upstreams", \.upstreams, .upstreams, "The services behind the gateway."),
      Setting("redis", \.stores, .stores, "Redis, where a fleet of gateways keeps what all of them must know."),
      Setting(
        "secrets", \.secrets, .secrets,
        "What seals that others keep for the gateway. The first seals and all open, so that one can be replaced.",
        otherwise: "none"),
      Setting("assertions", \.assertions, .assertions, "What the gateway signs about callers, for services."),
      Setting("sessions", \.sessions, .sessions, "Cookies that take the place of a token."),
      Setting("api_keys", \.apiKeys, .apiKeySets, "Keys of programs that take the place of a token."),
      Setting("services", \.services, .services, "Others who are asked whether a request may pass."),
      Setting("rate_limits", \.rateLimits, .sharedRateLimits, "Rate limits that several routes share."),
      Setting(
        "defaults", ValueForm.mapping(Route.defaultSettings.table).withoutRequirements,
        "What routes inherit: every key of a route except those that match requests, `auth` and the actions.",
        read: Inherited.isFilledIn),
      Setting(
        "routes", \.routes, .routes, "Which requests go where, and who may pass.",
        required: "without one every request is answered 404"),
      Setting(
        "tests", \.tests, .tests,
        "Requests, and what is expected to become of each. `catraca check` goes through them, and so does each start and "
          + "each reload."),
    ])
}

/// `trusted_proxies:`, whose two keys are properties of the configuration.
enum TrustedProxies {
  static let settings = Settings<GatewayConfiguration>(
    "trusted_proxies", title: "'trusted_proxies'", example: "trusted_proxies: [10.0.0.0/8]",
    blank: GatewayConfiguration(),
    [
      Setting(
        "from", \.trustedProxies, .peers, "The peers. A bare list is short for it.",
        required: "write from: [10.0.0.0/8]"),
      Setting(
        "fields", \.trustedFields, .trustedFields,
        "What they write besides `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `Forwarded`."),
    ])
}

/// `dns:`, whose key is a property of the configuration.
enum DNS {
  static let settings = Settings<GatewayConfiguration>(
    "dns", title: "'dns'", example: "dns: { servers: [10.0.0.53:53] }", blank: GatewayConfiguration(),
    [
      Setting(
        "servers", \.dnsServers, .dnsServers, "Asked in this order, over UDP, and over TCP for what does not fit.",
        required: "write servers: [10.0.0.53:53]")
    ])
}

extension SettingTable {
  /// In the order of the documents.
  package static let all: [SettingTable] = [
    GatewayConfiguration.settings.table, TrustedProxies.settings.table, Listener.settings.table,
    ListenerTLS.settings.table, StrictTransport.settings.table, CertificateFiles.settings.table, DNS.settings.table,
    Admin.settings.table,
    AccessLog.settings.table, OwnLogRules.settings.table, Traces.settings.table, RequestIDRules.settings.table,
    HeaderRules.gatewaySettings.table, Limits.settings.table, Issuer.settings.table, Introspection.settings.table,
    Revocation.settings.table,
    Upstream.settings.table, Upstream.Server.settings.table, StickyCookie.settings.table, UpstreamTLS.settings.table,
    HealthCheck.settings.table, Ejection.settings.table, RequestQueue.settings.table, AdaptiveLimit.settings.table,
    Retry.settings.table, RedisStore.settings.table, UpstreamTLS.storeSettings.table,
    AssertionRules.settings.table, SessionRules.settings.table, SessionCookie.settings.table,
    SessionExchange.settings.table, SessionLogin.settings.table, LoginPaths.settings.table,
    APIKeySet.settings.table, APIKeyEntry.settings.table,
    ExternalService.settings.table, AnswerCache.settings.table,
    RateLimit.sharedSettings.table, Route.settings.table, Split.Share.settings.table,
    TokenRequirement.settings.table, TokenRequirement.scopeSettings.table, ChallengeRules.settings.table,
    ClaimPattern.settings.table, ServiceUse.settings.table,
    RateLimit.routeSettings.table, CORS.settings.table,
    CompressionRules.settings.table, Page.settings.table, Maintenance.settings.table, Identity.settings.table,
    IdentityAssertion.settings.table,
    Rewrite.settings.table, HeaderRules.requestSettings.table, HeaderRules.responseSettings.table,
    FixedResponse.settings.table, Redirect.settings.table, WebSocket.settings.table, GraphQLRules.settings.table,
    GraphQLIntrospection.settings.table, GraphQLOperationRule.settings.table, PersistedOperations.settings.table,
    Mirroring.settings.table,
    FileTest.settings.table, TestToken.settings.table, TestAPIKey.settings.table, TestSession.settings.table,
    TestCertificate.settings.table, TestExpectation.settings.table,
  ]
}
