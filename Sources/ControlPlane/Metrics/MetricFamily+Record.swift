// What each metric says: its type, unit and labels, one sentence, and when it is there. The page and docs/METRICS.md
// are made from these records.

package struct MetricRecord: Sendable {
  package enum Kind: String, Sendable {
    case counter, gauge, histogram
  }

  /// In the name as well, as Prometheus' conventions require.
  package enum Unit: String, Sendable {
    case none = ""
    case bytes
    case seconds
    /// The name ends in `_timestamp_seconds`, or as client libraries have it.
    case timestamp = "seconds since 1970"

    /// As the name ends.
    var base: String { self == .timestamp ? Unit.seconds.rawValue : rawValue }
  }

  package let kind: Kind
  package let unit: Unit
  /// Without `le`, which every histogram has.
  package let labels: [StaticString]
  package let sentence: StaticString
  /// What must be or have been for a sample to appear. Nil for a metric that is always there.
  package let condition: StaticString?

  init(
    _ kind: Kind, in unit: Unit = .none, by labels: [StaticString] = [], _ sentence: StaticString,
    when condition: StaticString? = nil
  ) {
    self.kind = kind
    self.unit = unit
    self.labels = labels
    self.sentence = sentence
    self.condition = condition
  }
}

extension MetricFamily {
  package var record: MetricRecord {
    switch self {
    case .requests:
      .init(
        .counter, by: ["route", "method", "code"],
        "Finished requests by route (empty: none matched), method and status code.", when: "a request has ended")
    case .requestDuration:
      .init(
        .histogram, in: .seconds, by: ["route"], "From a request's head to the end of its response.",
        when: "a request of the route has ended")
    case .activeRequests:
      .init(.gauge, by: ["listener"], "Requests that are under way, WebSockets included.")
    case .requestBytes:
      .init(
        .counter, in: .bytes, by: ["route"], "Bytes of requests' bodies, counted when a request ends.",
        when: "a request or response of the route had a body")
    case .responseBytes:
      .init(
        .counter, in: .bytes, by: ["route"],
        "Bytes of responses' bodies as they were sent to clients, counted when a request ends.",
        when: "a request or response of the route had a body")
    case .upstreamDuration:
      .init(
        .histogram, in: .seconds, by: ["upstream"], "From a request's first byte sent upstream to the response's head.",
        when: "the upstream has answered")
    case .upstreamRetries:
      .init(.counter, by: ["upstream"], "Requests sent again over another connection.", when: "there are upstreams")
    case .refusedRetries:
      .init(
        .counter, by: ["upstream"], "Requests not sent again because the upstream's retry budget was used up.",
        when: "there are upstreams")
    case .mirrored:
      .init(
        .counter, by: ["route", "result"], "Copies of requests for a mirror, by route and result.",
        when: "a copy was sent or dropped")
    case .operations:
      .init(
        .counter, by: ["route", "operation", "type"],
        "Operations of GraphQL by route, type and name. Names that the file does not have are counted as `other`.",
        when: "a route with `graphql` had one")
    case .rateLimited:
      .init(
        .counter, by: ["route"], "Requests that a rate limit refused, by route.", when: "one of the route was refused")
    case .rateLimitedDryRun:
      .init(
        .counter, by: ["route"], "Requests that a rate limit with dry_run would have refused, by route.",
        when: "one of the route would have been refused")
    case .rateLimitEvictions:
      .init(
        .counter, by: ["route"], "Callers' buckets that rate limits evicted because 'keys' was too small, by route.",
        when: "one was evicted")
    case .errors:
      .init(
        .counter, by: ["reason"], "Connections and exchanges that ended in an error, by reason.",
        when: "there was an error of that reason")
    case .accessLogDropped:
      .init(.counter, "Access log lines that the log's destination did not accept in time.")
    case .ownLogDropped:
      .init(.counter, "Lines of the gateway's own log that standard error did not accept in time.")
    case .tracesSent: .init(.counter, "Spans that the collector of traces accepted.")
    case .tracesDropped:
      .init(
        .counter, by: ["reason"],
        "Spans that did not get to the collector: queue_full, rejected, unavailable, answer_invalid or stopped.")
    case .logsSent: .init(.counter, "Log records that the collector of logs accepted.")
    case .logsDropped:
      .init(
        .counter, by: ["reason"],
        "Log records that did not get to the collector: queue_full, rejected, unavailable, answer_invalid or stopped.")
    case .metricsSent: .init(.counter, "Messages with all metrics that the collector of metrics accepted.")
    case .metricsDropped:
      .init(
        .counter, by: ["reason"], "Messages with all metrics that did not get to the collector, by the same reasons.")
    case .upstreamHealthy:
      .init(
        .gauge, by: ["upstream", "server"],
        "1 for a server that requests may go to, 0 for one that health checks or ejection removed.",
        when: "there are upstreams")
    case .upstreamChecks:
      .init(
        .counter, by: ["upstream", "server", "result"], "Active checks of servers by outcome.",
        when: "the upstream has `health_check`")
    case .upstreamEjections:
      .init(
        .counter, by: ["upstream", "server"], "How often failures ejected a server.", when: "the upstream has `eject`")
    case .upstreamPanic:
      .init(
        .gauge, by: ["upstream"], "1 while so few servers are healthy that requests go to all of them.",
        when: "there are upstreams")
    case .upstreamActive:
      .init(
        .gauge, by: ["upstream"], "Requests that are at an upstream's servers now.", when: "there are upstreams")
    case .upstreamQueued:
      .init(
        .gauge, by: ["upstream"], "Requests that wait for a permit at an upstream.", when: "the upstream has `queue`")
    case .upstreamLimit:
      .init(
        .gauge, by: ["upstream"], "How many requests an upstream may have at once, where that is limited.",
        when: "the upstream has `max_requests`, `max_requests_per_server` or `adaptive`")
    case .upstreamRejected:
      .init(
        .counter, by: ["upstream", "reason"],
        "Requests that were refused before they were sent to a server, by reason.",
        when: "there are upstreams")
    case .storeUp:
      .init(
        .gauge, by: ["store", "server"], "1 if every worker has a connection to the Redis server.",
        when: "there are stores")
    case .storeActive:
      .init(.gauge, by: ["store"], "Commands that wait for a reply of Redis.", when: "there are stores")
    case .storeCommands:
      .init(
        .counter, by: ["store", "result"],
        """
        Commands for Redis: ok, late (no reply within `timeout`), lost (the connection went), refused (a replica, \
        full, loading, or forbidden), or unavailable (nobody was asked, because the server is down).
        """, when: "a store was asked")
    case .storeUnreadable:
      .init(
        .counter, by: ["store"],
        "Sessions and keys in Redis that no gateway has written so, or whose secret is missing.",
        when: "one was asked for")
    case .storeDuration:
      .init(
        .histogram, in: .seconds, by: ["store"], "Time from a command to the reply of Redis.",
        when: "a store has answered")
    case .sessions:
      .init(
        .gauge, by: ["session"], "Sessions that this process keeps. Redis counts those that it keeps itself.",
        when: "a session has `store: memory`")
    case .apiKeys: .init(.gauge, by: ["set"], "API keys of files that count, by set.", when: "the file has `api_keys`")
    case .nameResolution:
      .init(
        .counter, by: ["upstream", "result"], "Look-ups of the names of an upstream's servers, by outcome.",
        when: "a server is given by name")
    case .authentications:
      .init(
        .counter, by: ["auth_kind", "issuer", "result", "route"],
        """
        Decisions about credentials by the kind of what was accepted (empty: nothing), issuer (empty: none known), result \
        code and route.
        """, when: "a request met a route that is not public")
    case .shadowed:
      .init(
        .counter, by: ["auth_kind", "issuer", "result", "route"],
        "Decisions that rules with `mode: shadow` would have made, with the same labels.",
        when: "a request met such a rule")
    case .authorizations:
      .init(
        .counter, by: ["service", "result"],
        "Requests on routes with `authorize`: passed, remembered, refused, unavailable, or unasked (`on_failure: pass`).",
        when: "a request met such a route")
    case .shadowAuthorizations:
      .init(
        .counter, by: ["service", "result"],
        "What services said on routes with `authorize: { mode: shadow }`, with the same labels.",
        when: "a request met such a route")
    case .authorizationDuration:
      .init(
        .histogram, in: .seconds, by: ["service"], "From a call of a service to its end, whatever came of it.",
        when: "the service was asked")
    case .introspections:
      .init(
        .counter, by: ["issuer", "result"], "Questions about opaque tokens: active, inactive, or unavailable.",
        when: "the issuer was asked about a token")
    case .introspectionDuration:
      .init(
        .histogram, in: .seconds, by: ["issuer"], "From a question about an opaque token to its end.",
        when: "the issuer was asked about a token")
    case .tokenCache:
      .init(.counter, by: ["result"], "Look-ups of tokens among those verified before.")
    case .tokenVerification:
      .init(
        .histogram, in: .seconds, by: ["algorithm"], "Time to verify a token's signature.",
        when: "a signature was verified")
    case .connections:
      .init(.gauge, by: ["listener", "state"], "Open client connections.")
    case .upstreamConnections:
      .init(.gauge, by: ["upstream", "state"], "Open connections to upstream servers.", when: "there are upstreams")
    case .memory:
      .init(.gauge, in: .bytes, "What waits in all connections together, in memory.")
    case .memoryLimit:
      .init(.gauge, in: .bytes, "The limit of catraca_memory_bytes, limits.memory.")
    case .proofMemory:
      .init(
        .gauge, in: .bytes,
        "What the proofs (DPoP) take that were seen and are not too old, 8 bytes each. Estimated where there are many.")
    case .proofMemoryLimit:
      .init(.gauge, in: .bytes, "The limit of catraca_proof_memory_bytes, limits.replay_memory as a power of two.")
    case .handshakes:
      .init(
        .counter, by: ["result"], "TLS handshakes of clients by outcome: ok, resumed, or why they failed.",
        when: "a client has tried one")
    case .certificateExpiry:
      .init(
        .gauge, in: .timestamp, by: ["listener", "name", "key"],
        "When a listener's certificate expires, in seconds since 1970.", when: "a listener has `tls`")
    case .certificateExpiryOld:
      .init(
        .gauge, in: .timestamp, by: ["listener", "name", "key"],
        "The former name of catraca_tls_certificate_expiry_timestamp_seconds, which the next version leaves out.",
        when: "a listener has `tls`")
    case .keySetRefreshes:
      .init(
        .counter, by: ["issuer", "result"], "Fetches of key sets by outcome: success, or why they failed.",
        when: "the keys were asked for")
    case .keySetAge:
      .init(
        .gauge, in: .seconds, by: ["issuer"], "Time since the key set was last fetched successfully.",
        when: "the keys were fetched once")
    case .keySetKeys:
      .init(.gauge, by: ["issuer"], "Usable keys in the key set.", when: "there are issuers")
    case .revocationEntries:
      .init(
        .gauge, by: ["issuer", "list"], "Entries of the denylist, or tokens that the status lists may have.",
        when: "an issuer has `revocation`")
    case .revocationBytes:
      .init(
        .gauge, in: .bytes, by: ["issuer", "list"], "Memory that lists of revoked tokens take.",
        when: "an issuer has `revocation`")
    case .revocationAge:
      .init(
        .gauge, in: .seconds, by: ["issuer", "list"],
        "Time since the list was last known to be the newest: of status lists, the oldest.",
        when: "a list was read once")
    case .revocationGood:
      .init(
        .gauge, by: ["issuer", "list"], "1 while the lists count. Else what `unavailable` says does.",
        when: "an issuer has `revocation`")
    case .revocationRefreshes:
      .init(
        .counter, by: ["issuer", "list", "result"],
        "Looks at lists of revoked tokens that brought something new, or failed, and why.",
        when: "a list was asked for")
    case .reloads:
      .init(.counter, by: ["result"], "Reloads of the configuration by outcome.")
    case .lastReload:
      .init(.gauge, "1 unless the last attempt to reload the configuration failed.")
    case .lastReloadTime:
      .init(.gauge, in: .timestamp, "When the running configuration was read, in seconds since 1970.")
    case .buildInfo:
      .init(.gauge, by: ["version"], "Always 1. The version is in the label.")
    case .processTime:
      .init(
        .counter, in: .seconds, "Processor time that the process has used, user and system.", when: processCondition)
    case .openDescriptors:
      .init(.gauge, "File descriptors that the process has open.", when: processCondition)
    case .descriptorLimit:
      .init(.gauge, "File descriptors that the process may have open.", when: processCondition)
    case .virtualMemory:
      .init(.gauge, in: .bytes, "Virtual memory of the process.", when: processCondition)
    case .residentMemory:
      .init(.gauge, in: .bytes, "Resident memory of the process.", when: processCondition)
    case .startTime:
      .init(.gauge, in: .timestamp, "When the process started, in seconds since 1970.", when: processCondition)
    }
  }

  private var processCondition: StaticString { "the process can read `/proc`" }
}
