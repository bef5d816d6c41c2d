// What other gateways call things. An operator who brings such a word gets the name that it has here, or the answer
// that there is none.

/// Words of other gateways that mean the same, with what to write instead.
struct ForeignWord: Sendable {
  /// As the others write them. Case, `-` and `_` do not matter.
  var words: [String]
  /// The tables where an operator is likely to write them. Empty for all.
  var sections: [String]
  /// The key that the advice names, with its table: `limits.body_size`. Nil where there is none.
  var key: String?
  /// What to write, or how things are instead.
  var advice: String

  /// What a table is answered that does not have a key, or nil.
  static func answer(to key: String, in table: SettingTable) -> String? {
    // `defaults` has the keys of routes.
    let section = table.path == "defaults" ? route : table.path
    guard let record = byWord[folded(key)]?.first(where: { $0.sections.isEmpty || $0.sections.contains(section) })
    else { return nil }
    return "\(table.title) has no key \(key.quoted)\(record.key == nil ? ", nor another for it" : ""): \(record.advice)"
  }

  private static let byWord: [String: [ForeignWord]] = {
    var result: [String: [ForeignWord]] = [:]
    for record in all { for word in record.words { result[folded(word), default: []].append(record) } }
    return result
  }()

  private static func folded(_ word: String) -> String { word.lowercased().filter { $0 != "-" && $0 != "_" } }

  private static func ours(
    _ key: String, _ advice: String, in sections: [String] = [], _ words: String...
  ) -> ForeignWord {
    ForeignWord(words: words, sections: sections, key: key, advice: advice)
  }

  private static func nothing(_ reason: String, in sections: [String] = [], _ words: String...) -> ForeignWord {
    ForeignWord(words: words, sections: sections, key: nil, advice: reason)
  }

  static let all = [file, matching, authentication, forwarding, upstreams, connections].flatMap(\.self)
}

// MARK: The file and its listeners

extension ForeignWord {
  private static let root = ""
  private static let listener = "listeners[]"
  private static let listenerTLS = "listeners[].tls"
  private static let route = "routes[]"
  private static let auth = "routes[].auth"
  private static let rewrite = "routes[].rewrite"
  private static let issuer = "issuers{}"
  private static let upstream = "upstreams{}"
  private static let upstreamTLS = "upstreams{}.tls"
  private static let server = "upstreams{}.servers[]"
  private static let limits = "limits"

  private static let file: [ForeignWord] = [
    ours("include", "write include: routes.d/*.conf", in: [root], "import", "includes", "conf_dir", "config_dir"),
    ours(
      "defaults", "write defaults: { timeout: 30s } at the top of the file", in: [root, route], "globals", "global",
      "common", "default", "route_defaults", "base", "inherit"),
    nothing("the file needs no version", in: [root], "version", "_format_version", "apiVersion"),
    nothing(
      "listeners, upstreams and routes are at the top of the file", in: [root], "http", "server", "servers", "stream",
      "events",
      "static_resources", "spec", "config", "gateway"),
    ours("workers", "write workers: auto", in: [root], "worker_processes", "threads", "concurrency", "processes"),
    ours(
      "limits.connections", "write connections: 10000 in 'limits'", in: [root], "worker_connections",
      "max_connections", "maxConnections"),
    ours(
      "listeners", "write listeners: [{ address: 0.0.0.0:8080 }]", in: [root], "listen", "entryPoints", "bind", "port",
      "proxy_listen", "frontend", "frontends", "listen_address"),
    ours("listeners[].address", "write address: 0.0.0.0:8080", in: [listener], "listen", "bind", "port", "host"),
    ours(
      "listeners[].tls",
      "write tls: { certificates: [{ certificate: api.crt, key: api.key }] }", in: [root, listener],
      "ssl_certificate", "ssl_certificate_key", "certificate", "certificates", "cert", "key", "ssl", "certFile",
      "keyFile", "https"),
    ours(
      "listeners[].tls.certificates", "write certificates: [{ certificate: api.crt, key: api.key }]",
      in: [listenerTLS], "ssl_certificate", "cert", "key", "certFile", "keyFile", "crt"),
    ours(
      "listeners[].tls.minimum_version", "write minimum_version: \"1.2\" in a listener's 'tls'",
      in: [root, listener, listenerTLS],
      "ssl_protocols",
      "minVersion", "tls_min_version", "protocols", "versions"),
    nothing(
      "the gateway chooses among safe cipher suites, and 'compatibility: old' adds those with CBC", "ssl_ciphers",
      "ciphers", "cipherSuites", "cipher_suites"),
    nothing(
      "certificates are files, and are read again when they change", "acme", "certResolver",
      "certificatesResolvers", "letsencrypt", "auto_https", "lets_encrypt"),
    nothing("HTTP/3 is not supported", in: [root, listener], "http3", "quic", "h3"),
    nothing("every listener accepts HTTP/2", in: [root, listener], "http2", "h2", "h2c", "protocol"),
    ours(
      "trusted_proxies", "write trusted_proxies: [10.0.0.0/8]", in: [root, listener, route],
      "set_real_ip_from", "real_ip_header", "trusted_ips", "trustedIPs", "forwardedHeaders", "real_ip_recursive",
      "xff_num_trusted_hops", "use_remote_address", "trust_proxy"),
    ours(
      "request_id", "write request_id: { header: X-Request-Id } at the top of the file", in: [root, route],
      "correlation_id", "generate_request_id", "preserve_external_request_id", "always_set_request_id_in_response"),
    ours("dns", "write dns: { servers: [10.0.0.53:53] }", "resolver", "resolvers", "nameserver", "nameservers"),
    ours(
      "access_log", "write access_log: { path: stdout }", in: [root], "accessLog", "accesslogs", "log_format",
      "request_log"),
    ours("admin.metrics", "write metrics in 'admin'", in: [root], "prometheus", "stats", "telemetry"),
    ours("admin", "write admin: 127.0.0.1:9901", in: [root], "api", "dashboard", "ping", "status", "admin_listen"),
    ours(
      "upstreams", "write upstreams: { app: { servers: [host:port] } }", in: [root], "backends", "clusters",
      "targets", "backend", "service"),
    ours(
      "routes", "write routes: [{ path: /orders/*, auth: login, upstream: app }]", in: [root], "routers",
      "virtual_hosts", "locations", "location", "rules", "apis", "paths"),
    ours(
      "issuers", "write issuers: { login: { issuer: https://…, audiences: […] } }", in: [root], "providers",
      "jwt_authn", "jwt", "oidc", "oauth2", "consumers", "auth", "authentication", "jwt_providers"),
  ]
}

// MARK: Which requests

extension ForeignWord {
  private static let matching: [ForeignWord] = [
    ours(
      "routes[].path", "write path: /orders/* for everything below /orders, and host: NAME for a host", in: [route],
      "rule", "match", "prefix", "PathPrefix", "location", "uris", "uri", "url", "pattern", "context_path",
      "path_prefix", "predicates"),
    nothing(
      "a path has {name} for one segment, and '/*' at its end for everything below", in: [route], "regex", "safe_regex",
      "path_regex",
      "PathRegexp", "regexp"),
    ours(
      "routes[].host", "a route has one host. Write a route for each, with host: api.example.com", in: [route],
      "hosts", "server_name", "domains", "domain", "hostname", "hostnames", "server_names", "vhost"),
    ours("routes[].methods", "write methods: [GET, HEAD]", in: [route], "limit_except", "verbs", "http_methods"),
    nothing(
      "the most specific route is used, whatever the order", in: [route], "priority", "order", "weight",
      "regex_priority"),
    ours(
      "routes[].listeners", "write listeners: [NAME], the 'name' of each", in: [route], "entryPoints", "protocols",
      "snis", "schemes", "gateways"),
    ours(
      "routes[].clients", "write clients: [10.0.0.0/8, \"!10.0.0.5\"] in a route", in: [root, route, listener], "allow",
      "deny", "ip_allow", "ip_deny", "ip_whitelist", "ip_restriction", "allowlist", "denylist", "ipAllowList",
      "ipWhiteList", "whitelist", "blacklist", "source_ranges", "remote_ip"),
  ]
}

// MARK: Who may pass

extension ForeignWord {
  private static let authentication: [ForeignWord] = [
    ours(
      "routes[].authorize",
      "write authorize: { service: NAME }, and at the top of the file services: { NAME: { upstream: NAME, path: /auth } }",
      in: [route], "auth_request", "forward_auth", "forwardAuth", "ext_authz", "extAuthz", "auth_url",
      "external_auth"),
    ours(
      "routes[].auth", "write auth: NAME-OF-AN-ISSUER", in: [route], "auth_jwt", "jwt", "authentication", "security",
      "oidc", "authorizer"),
    ours(
      "routes[].auth", "there are no passwords of people. Write auth: NAME-OF-AN-ISSUER",
      in: [route, auth], "basic", "auth_basic", "basic_auth", "basicAuth", "users", "htpasswd", "auth_basic_user_file",
      "password", "ldap", "hmac_auth", "digest",
      "digestAuth"),
    ours(
      "routes[].auth.api_keys", "write api_keys: [NAME] in 'auth', and the keys under 'api_keys' of the file",
      in: [route, auth], "api_key", "key_auth", "apikey", "keyAuth"),
    ours(
      "routes[].auth.claims", "write claims: { roles: [admin] } in 'auth'", in: [route, auth], "roles",
      "role", "groups", "group", "permissions", "allowed_groups", "required_roles", "allowed_roles"),
    ours("routes[].auth.scopes", "write scopes: [a, b] in 'auth'", in: [route], "scope"),
    ours("routes[].auth.issuers", "write issuers: [login]", in: [auth], "provider", "providers"),
    ours(
      "routes[].auth.optional", "write optional: true in 'auth'", in: [route, auth], "allow_missing",
      "anonymous", "pass_through", "allow_anonymous"),
    ours(
      "routes[].auth.tokens_from", "write tokens_from: [authorization, \"cookie:session\"] in 'auth'",
      in: [route, auth, issuer], "from_headers", "from_cookies", "from_params", "cookie_names",
      "header_names", "uri_param_names", "token_header", "cookie_name"),
    ours(
      "routes[].identity.forward_token", "write forward_token: true in a route's 'identity'",
      "pass_access_token", "pass_authorization_header", "forwardAuthorizationHeader"),
    ours(
      "routes[].identity.payload", "write payload: X-Jwt-Payload in a route's 'identity'",
      "forward_payload_header", "payload_header"),
    ours(
      "routes[].identity.headers", "write headers: { X-User-Id: sub } in a route's 'identity'",
      "claim_to_headers", "auth_request_set", "claims_to_headers", "set_xauthrequest", "pass_user_headers"),
    ours("issuers{}.leeway", "write leeway: 30s in an issuer", "clock_skew", "clock_skew_seconds", "skew"),
    ours("issuers{}.audiences", "write audiences: [name-of-this-api]", in: [issuer], "aud"),
    ours("issuers{}.issuer", "write issuer: https://…", in: [issuer], "iss", "url", "issuer_url", "authority"),
    ours(
      "issuers{}.algorithms", "write algorithms: [RS256]", in: [issuer], "alg", "algs", "algorithm",
      "signing_algorithms"),
    ours(
      "issuers{}.jwks", "write jwks: URL, file or key set", in: [issuer], "remote_jwks", "local_jwks", "keys",
      "public_key", "rsa_public_key", "signing_key", "certs_url"),
    ours(
      "issuers{}.jwks",
      "write jwks: { keys: [{ kty: oct, secret: file:/run/secrets/hs256 }] }, and algorithms: [HS256]", in: [issuer],
      "secret", "secret_key", "shared_secret", "jwt_secret"),
    ours(
      "issuers{}.tenants", "write issuer: https://…/{tid}/v2.0 and tenants: [NAME]", in: [issuer], "tenant",
      "tenant_id",
      "allowed_tenants", "issuer_pattern"),
    ours(
      "issuers{}.required_claims", "write required_claims: [exp]", in: [issuer], "claims_to_verify",
      "verify_claims", "require_expiration"),
    ours(
      "issuers{}.issuer",
      "the gateway verifies tokens, and no one signs in through it. Write issuer: https://… in 'issuers'",
      in: [root, route, issuer, auth], "oidc_issuer_url", "client_id", "client_secret",
      "redirect_url", "redirect_uri", "cookie_secret", "login_url", "session_secret"),
  ]
}

// MARK: What is forwarded

extension ForeignWord {
  private static let forwarding: [ForeignWord] = [
    ours(
      "routes[].upstream", "write upstream: NAME, and its servers in 'upstreams'", in: [route], "proxy_pass", "backend",
      "backends", "service", "services", "cluster", "upstream_url", "reverse_proxy", "target", "targets", "to",
      "backend_url", "destination", "forward_to", "servers", "loadBalancer"),
    ours(
      "routes[].rewrite.strip_prefix", "write rewrite: { strip_prefix: /orders }", in: [route], "strip_path",
      "stripPrefix", "handle_path", "stripPrefixRegex", "strip_uri", "strip_prefix", "uri_strip_prefix"),
    ours(
      "routes[].rewrite.add_prefix", "write rewrite: { add_prefix: /v2 }", in: [route], "add_prefix", "addPrefix",
      "prefix_rewrite"),
    ours(
      "routes[].rewrite.responses", "write rewrite: { strip_prefix: /orders, responses: true }", in: [route, rewrite],
      "proxy_redirect", "proxy_cookie_path", "ProxyPassReverse", "ProxyPassReverseCookiePath"),
    ours(
      "routes[].rewrite.path", "write path: /new", in: [rewrite], "to", "replace", "replacement", "uri",
      "regex", "replace_path"),
    ours(
      "routes[].rewrite.path", "write rewrite: { path: /new }", in: [route], "replacePath", "replacePathRegex",
      "regex_rewrite", "path_rewrite", "url_rewrite", "rewrite_target"),
    ours(
      "upstreams{}.host", "write host: client, server or a name in an upstream", in: [root, route, upstream, rewrite],
      "preserve_host", "passHostHeader", "host_rewrite", "host_rewrite_literal", "host_header", "auto_host_rewrite",
      "change_origin", "changeOrigin"),
    ours(
      "routes[].request_headers.set", "write request_headers: { set: { X-Env: prod } }", in: [root, route, upstream],
      "proxy_set_header", "header_up", "request_headers_to_add", "customRequestHeaders", "set_headers",
      "request_header", "upstream_headers"),
    ours(
      "routes[].response_headers.set", "write response_headers: { set: { X-Env: prod } }", in: [root, route],
      "add_header", "header_down", "response_headers_to_add", "customResponseHeaders", "response_header",
      "more_set_headers"),
    ours(
      "routes[].redirect", "write redirect: { to: /new }", in: [route], "return", "redirectScheme", "redirectRegex",
      "rewrite_redirect"),
    ours(
      "routes[].respond", "write respond: { status: 200, body: ok }", in: [route], "direct_response", "response",
      "fixed_response", "static_response"),
    nothing(
      "send such paths to an upstream", in: [root, route], "root", "alias", "try_files", "file_server", "static",
      "index"),
    ours(
      "routes[].rewrite",
      "write what they do as keys of a route, such as auth, cors, rate_limit and rewrite", "middlewares", "middleware",
      "plugins", "plugin", "filters", "http_filters", "handlers"),
    ours(
      "limits.body_size", "write body_size: 10MiB in 'limits' or in a route", "client_max_body_size",
      "max_body_size", "maxRequestBodyBytes", "request_body_max_size", "max_request_bytes", "buffering",
      "allowed_payload_size", "client_body_buffer_size", "max_request_body_size"),
    ours(
      "rate_limits", "write rate_limit: { requests: 100, per: 1s } in a route, or 'rate_limits' for several",
      in: [root, route],
      "ratelimit", "limit_req", "limit_req_zone", "rate_limiting", "throttle", "throttling", "rate"),
    ours("compress", "write compress: true", in: [root, route], "gzip", "brotli", "encode", "compression", "deflate"),
    ours(
      "error_pages", "write error_pages: { 404: file:pages/404.html }", in: [root, route], "error_page", "errors",
      "handle_errors"),
    nothing(
      "responses are not cached", in: [root, route, upstream], "cache", "proxy_cache", "proxy_cache_path", "caching"),
    nothing(
      "bodies are forwarded as they arrive", in: [root, route, upstream], "proxy_buffering",
      "proxy_request_buffering", "proxy_buffers", "proxy_buffer_size", "request_buffering", "response_buffering",
      "flush_interval"),
  ]
}

// MARK: Servers and time

extension ForeignWord {
  private static let upstreams: [ForeignWord] = [
    ours(
      "upstreams{}.servers", "write servers: [host:port]", in: [upstream], "url", "urls", "targets", "endpoints",
      "server",
      "address", "addresses", "hosts", "nodes", "load_assignment", "loadBalancer", "port"),
    ours("upstreams{}.servers[].address", "write address: host:port", in: [server], "url", "target", "host"),
    ours(
      "upstreams{}.balance", "write balance: round_robin, least_requests, random_two or hash", in: [upstream],
      "lb_policy", "least_conn", "ip_hash", "algorithm", "strategy", "policy", "load_balancing", "lb"),
    ours(
      "upstreams{}.retry", "write retry: { attempts: 2 } in an upstream", in: [root, route, upstream], "retries",
      "retry_policy", "proxy_next_upstream", "proxy_next_upstream_tries", "num_retries", "retry_on",
      "max_retries", "lb_try_duration", "tries"),
    ours(
      "upstreams{}.eject", "write eject: { errors: 5, for: 10s } in an upstream", in: [upstream, server],
      "max_fails", "fail_timeout", "outlier_detection", "passive_health_check", "unhealthy"),
    ours(
      "upstreams{}.max_requests", "write max_requests: 1024", in: [upstream], "circuit_breakers", "circuit_breaker",
      "max_conns", "max_pending_requests", "maxConn"),
    ours(
      "upstreams{}.health_check", "write health_check: { path: /healthz } in an upstream",
      in: [root, route, upstream], "healthchecks", "health_checks", "health_uri", "health", "active_health_check",
      "health_path"),
    ours(
      "upstreams{}.idle_connections", "write idle_connections: 256", in: [upstream], "keepalive",
      "max_idle_connections", "pool", "pool_size"),
    ours(
      "upstreams{}.connect_timeout", "write connect_timeout: 2s in an upstream", in: [root, route, upstream],
      "proxy_connect_timeout", "connection_timeout", "dial_timeout", "dialTimeout"),
    ours(
      "upstreams{}.response_timeout", "write response_timeout: 30s in an upstream", in: [root, route, upstream],
      "proxy_read_timeout", "response_header_timeout", "responseHeaderTimeout", "upstream_timeout"),
    nothing(
      "limits.body_timeout covers it", in: [root, route, upstream], "proxy_send_timeout", "write_timeout",
      "send_timeout"),
    ours(
      "upstreams{}.tls", "write tls: {} in an upstream", in: [upstream], "scheme", "ssl", "https", "proxy_ssl",
      "transport_socket", "serversTransport"),
    ours(
      "upstreams{}.tls.server_name", "write server_name: NAME", in: [upstreamTLS], "sni", "proxy_ssl_name"),
    ours(
      "upstreams{}.tls.verify", "write verify: false", in: [upstreamTLS], "insecureSkipVerify", "insecure",
      "skip_verify",
      "proxy_ssl_verify", "tls_insecure_skip_verify"),
    ours(
      "upstreams{}.tls.ca", "write ca: FILE", in: [upstreamTLS], "rootCAs", "trusted_ca", "ca_file",
      "proxy_ssl_trusted_certificate"),
    ours(
      "upstreams{}.protocol", "write protocol: http2", in: [upstream], "http2", "h2c", "grpc", "proxy_http_version",
      "version"),
    ours(
      "upstreams{}.sticky", "write sticky: { cookie: NAME } in an upstream", in: [route, upstream], "session_affinity",
      "sticky_session", "session_persistence", "affinity", "sticky_sessions"),
    nothing("every healthy server gets requests, by its weight", in: [server], "backup", "down"),
  ]

  private static let connections: [ForeignWord] = [
    ours(
      "limits.idle_timeout", "write idle_timeout: 75s in 'limits'", in: [root, limits, listener],
      "keepalive_timeout", "keep_alive", "keepalive", "idle", "idleTimeout", "keep_alive_timeout"),
    ours(
      "limits.header_timeout", "write header_timeout: 10s in 'limits'", "client_header_timeout",
      "read_header_timeout", "request_headers_timeout", "readHeaderTimeout"),
    ours("limits.body_timeout", "write body_timeout: 30s in 'limits'", "client_body_timeout", "request_timeout"),
    ours(
      "limits.header_size", "write header_size: 32KiB in 'limits'", "large_client_header_buffers",
      "client_header_buffer_size", "max_request_headers_kb", "max_header_size", "max_header_bytes"),
    ours(
      "limits.connections_per_client", "write connections_per_client: 100 in 'limits'", "limit_conn",
      "limit_conn_zone", "inFlightReq", "max_connections_per_ip"),
    ours(
      "limits.drain_timeout", "write drain_timeout: 30s in 'limits'", "graceful_timeout", "shutdown_timeout",
      "graceTimeOut", "worker_shutdown_timeout", "grace_period", "drain_time"),
    ours("limits.streams", "write streams: 100 in 'limits'", "http2_max_concurrent_streams", "max_concurrent_streams"),
    ours(
      "log.level", "write log: { level: info }", in: [root], "log_level", "error_log", "logging", "loglevel", "logger"),
  ]
}
