// Every metric that the gateway shows: one table of names, types and help, which is public contract.

/// One family of samples.
enum MetricFamily: String, CaseIterable {
  case requests = "catraca_requests_total"
  case requestDuration = "catraca_request_duration_seconds"
  case upstreamDuration = "catraca_upstream_duration_seconds"
  case upstreamRetries = "catraca_upstream_retries_total"
  case refusedRetries = "catraca_upstream_retries_refused_total"
  case mirrored = "catraca_mirrored_total"
  case rateLimited = "catraca_rate_limited_total"
  case rateLimitedDryRun = "catraca_rate_limited_dry_run_total"
  case rateLimitEvictions = "catraca_rate_limit_evictions_total"
  case errors = "catraca_errors_total"
  case accessLogDropped = "catraca_access_log_dropped_total"
  case ownLogDropped = "catraca_log_dropped_total"
  case upstreamHealthy = "catraca_upstream_healthy"
  case upstreamChecks = "catraca_upstream_checks_total"
  case upstreamEjections = "catraca_upstream_ejections_total"
  case upstreamPanic = "catraca_upstream_panic"
  case upstreamActive = "catraca_upstream_requests_active"
  case upstreamQueued = "catraca_upstream_queued"
  case upstreamLimit = "catraca_upstream_requests_limit"
  case upstreamRejected = "catraca_upstream_rejected_total"
  case nameResolution = "catraca_dns_total"
  case authentications = "catraca_auth_total"
  case tokenCache = "catraca_token_cache_total"
  case tokenVerification = "catraca_token_verify_seconds"
  case connections = "catraca_connections"
  case upstreamConnections = "catraca_upstream_connections"
  case memory = "catraca_memory_bytes"
  case memoryLimit = "catraca_memory_limit_bytes"
  case handshakes = "catraca_tls_handshakes_total"
  case certificateExpiry = "catraca_tls_certificate_expiry_seconds"
  case keySetRefreshes = "catraca_jwks_refresh_total"
  case keySetAge = "catraca_jwks_age_seconds"
  case keySetKeys = "catraca_jwks_keys"
  case reloads = "catraca_config_reloads_total"
  case lastReload = "catraca_config_last_reload_successful"
  case buildInfo = "catraca_build_info"

  enum Kind: String {
    case counter, gauge, histogram
  }

  var kind: Kind {
    switch self {
    case .requestDuration, .upstreamDuration, .tokenVerification: .histogram
    case .connections, .certificateExpiry, .upstreamConnections, .keySetAge, .keySetKeys, .buildInfo,
      .lastReload, .memory, .memoryLimit, .upstreamHealthy, .upstreamPanic, .upstreamActive, .upstreamQueued,
      .upstreamLimit:
      .gauge
    default: .counter
    }
  }

  var help: String {
    switch self {
    case .requests: "Finished requests by route (empty: none matched), method and status code."
    case .requestDuration: "From a request's head to the end of its response."
    case .upstreamDuration: "From a request's first byte sent upstream to the response's head."
    case .upstreamRetries: "Requests sent again over another connection."
    case .upstreamHealthy: "1 for a server that requests may go to, 0 for one that health checks or ejection removed."
    case .upstreamChecks: "Active checks of servers by outcome."
    case .upstreamEjections: "How often failures ejected a server."
    case .upstreamPanic: "1 while so few servers are healthy that requests go to all of them."
    case .upstreamActive: "Requests that are at an upstream's servers now."
    case .upstreamQueued: "Requests that wait for a permit at an upstream."
    case .upstreamLimit: "How many requests an upstream may have at once, where that is limited."
    case .nameResolution: "Look-ups of the names of an upstream's servers, by outcome."
    case .upstreamRejected: "Requests that were refused before they were sent to a server, by reason."
    case .refusedRetries: "Requests not sent again because the upstream's retry budget was used up."
    case .mirrored: "Copies of requests for a mirror, by route and result."
    case .rateLimited: "Requests that a rate limit refused, by route."
    case .rateLimitedDryRun: "Requests that a rate limit with dry_run would have refused, by route."
    case .rateLimitEvictions: "Callers' buckets that rate limits evicted because 'keys' was too small, by route."
    case .errors: "Connections and exchanges that ended in an error, by reason."
    case .accessLogDropped: "Access log lines that the log's destination did not accept in time."
    case .ownLogDropped: "Lines of the gateway's own log that standard error did not accept in time."
    case .authentications: "Decisions about tokens by issuer (empty: none known), result code and route."
    case .tokenCache: "Look-ups of tokens among those verified before."
    case .tokenVerification: "Time to verify a token's signature."
    case .connections: "Open client connections."
    case .upstreamConnections: "Open connections to upstream servers."
    case .memory: "What waits in all connections together, in memory."
    case .memoryLimit: "The limit of catraca_memory_bytes, limits.memory."
    case .handshakes: "TLS handshakes of clients by outcome: ok, resumed, or why they failed."
    case .certificateExpiry: "When a listener's certificate expires, in seconds since 1970."
    case .keySetRefreshes: "Fetches of key sets by outcome."
    case .keySetAge: "Time since the key set was last fetched successfully."
    case .keySetKeys: "Usable keys in the key set."
    case .reloads: "Reloads of the configuration by outcome."
    case .lastReload: "1 unless the last attempt to reload the configuration failed."
    case .buildInfo: "Always 1. The version is in the label."
    }
  }
}
