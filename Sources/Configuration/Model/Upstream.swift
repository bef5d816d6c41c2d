// A service behind the gateway.

package struct Upstream: Sendable, Equatable {
  package struct Server: Sendable, Hashable {
    package var address: Address
    /// 1...1000. Its share of the requests.
    package var weight: Int
    /// The host's name in the file, where ``address`` is one of the addresses that it leads to.
    package var name: String?

    package init(address: Address, weight: Int = 1, name: String? = nil) {
      self.address = address
      self.name = name
      self.weight = weight
    }

    /// The name or address that its certificate must be for.
    package var host: String { name ?? address.host }

    /// What a Host field says of it.
    package var authority: String {
      name.map { Address(host: $0, port: address.port).authority } ?? address.authority
    }

    var isUnixSocket: Bool { if case .unix = address { true } else { false } }

    /// What tells it from another server, whatever its weight.
    package var place: Server { Server(address: address, name: name) }
  }

  package var name: String
  package var servers: [Server]
  package var balance = Balance.roundRobin
  /// What tells callers apart. Never nil with ``Balance/hash``, always with the others.
  package var hashKey: RequestValue?
  package var sticky: StickyCookie?
  /// Over this time the share of a server that comes into rotation grows. Nil gives it the whole at once.
  package var slowStart: Duration?
  package var `protocol` = UpstreamProtocol.http1
  package var tls: UpstreamTLS?
  package var host = UpstreamHost.client
  package var connectTimeout = Duration.seconds(2)
  /// From the request's last byte to the response's head.
  package var responseTimeout = Duration.seconds(60)
  /// Between two reads of an answer. ``unlimitedDuration`` is `off`.
  package var readTimeout = Duration.seconds(60)
  /// Of an answer's head, in bytes, and its fields.
  package var headerSize = 64 * 1024
  package var headers = 200
  /// Idle connections kept, over all workers' own pools: each worker keeps at most this many.
  package var idleConnections = 256
  /// A connection that was not used for this long is closed. Most servers close theirs after 60 s or more.
  package var idleTimeout = Duration.seconds(55)
  /// How long a connection takes requests, and how many. Nil is no bound.
  package var connectionMaxAge: Duration?
  package var connectionMaxRequests: Int?
  package var healthCheck: HealthCheck?
  package var ejection: Ejection?
  /// In percent: when less of the servers are healthy, requests go to all of them. 0 never.
  package var panicThreshold = 50
  /// Requests at all servers at once, over all workers.
  package var maxRequests: Int?
  package var maxRequestsPerServer: Int?
  package var queue: RequestQueue?
  package var adaptiveLimit: AdaptiveLimit?

  /// nil: a connect that fails goes to another server, three at most, and nothing else is tried again.
  package var retry: Retry?

  package init(name: String, servers: [Server]) {
    self.name = name
    self.servers = servers
  }
}

/// `host:` of an upstream: what its servers receive as Host, or `:authority`.
package enum UpstreamHost: Sendable, Equatable {
  case client
  /// The authority of the server that the request goes to.
  case server
  case name(String)
}

/// `off` instead of a duration: some 95 years, so that adding it to a moment cannot overflow.
package let unlimitedDuration = Duration.seconds(3_000_000_000)

/// `retry:` of an upstream: which failures send a request once more, where that is safe.
package struct Retry: Sendable, Equatable {
  /// The raw values are those of the file. Statuses are a list of their own.
  package enum Condition: String, Sendable, CaseIterable {
    case connectFailure = "connect_failure"
    case resetBeforeResponse = "reset_before_response"
    case responseTimeout = "response_timeout"
    /// A gRPC call that is answered UNAVAILABLE, or whose connection breaks, before a message has come.
    case unavailable
  }

  /// How often one request may be sent again, 1...5.
  package var attempts = 2
  package var conditions: [Condition] = [.connectFailure, .resetBeforeResponse]
  /// 500...599.
  package var statuses: [Int] = []
  /// The share of an upstream's live requests, in percent, that may be on a retry.
  package var budget = 20
  /// The base of the wait before the same server is asked again.
  package var backoff = Duration.milliseconds(100)
  /// Bytes of a request's body that are kept until its answer begins. 0 keeps none.
  package var buffer = 0

  package init() {}
}

/// The raw values are those of the file.
package enum UpstreamProtocol: String, Sendable, CaseIterable {
  case http1, http2
}

/// `tls:` of an upstream.
package struct UpstreamTLS: Sendable, Hashable {
  /// In lower case: what is asked for (SNI) and verified. nil takes each server's own host: a name, or an IP address,
  /// which is verified and not asked for (RFC 6066 §3). Never nil where a server is a Unix socket and
  /// the peer is verified.
  package var serverName: String?
  /// PEM file with the trust anchors. Nil is the system's store.
  package var certificateAuthority: String?
  /// What the gateway shows for itself.
  package var certificate: CertificateFiles?
  package var isVerified = true

  package init() {}
}

// MARK: Settings

extension Upstream {
  static let settings = Settings<Upstream>(
    "upstreams{}", title: "an upstream", blank: Upstream(name: "", servers: []),
    finish: { upstream, section in section.reading.finish(&upstream, section) }, connectionSettings + requestSettings)

  private static let connectionSettings: [Setting<Upstream>] = [
    Setting(
      "servers", \.servers, .servers,
      "`host:port` or `unix:/path`, or a mapping with `address` and `weight`.",
      required: "write servers: [host:port]"),
    Setting("balance", \.balance, .choice, "How a server is chosen."),
    Setting(
      "hash_on", \.hashKey, .callerKey, "What `hash` looks at. Required with it, and not allowed without."),
    Setting(
      "sticky", \.sticky, .mapping(StickyCookie.settings),
      "A cookie of the gateway that leads a client back to the same server."),
    Setting(
      "slow_start", \.slowStart, .duration(from: .seconds(1), to: .hours(1)),
      "Over this time the share of a server that comes into rotation, or is new after a reload, grows from nothing to "
        + "the whole."),
    Setting(
      "protocol", \.protocol, .choice, "What the servers speak, with TLS and without. gRPC requires `http2`."),
    Setting("tls", \.tls, .mapping(UpstreamTLS.settings), "TLS to the servers. `{}` is TLS with the defaults."),
    Setting(
      "host", \.host, .upstreamHost,
      "What the servers receive as `Host`: the client's, the authority of the server that gets the request, or this "
        + "name."),
    Setting(
      "health_check", \.healthCheck, .mapping(HealthCheck.settings),
      "Checks that the gateway makes of each server. `{}` sends GET requests for `/`."),
    Setting(
      "eject", \.ejection, .mapping(Ejection.settings),
      "Servers that fail requests are left out for a while. `{}` takes the defaults."),
    Setting(
      "panic_threshold", \.panicThreshold, .percent(0...100),
      "If fewer servers than this are healthy, health is ignored and all servers receive requests. `0%` never does "
        + "so."),
  ]

  private static let requestSettings: [Setting<Upstream>] = [
    Setting(
      "connect_timeout", \.connectTimeout, .duration(from: .milliseconds(10), to: .minutes(1)),
      "For a connection to a server. A later one is answered 504."),
    Setting(
      "response_timeout", \.responseTimeout, .duration(from: .milliseconds(10), to: .hours(24)),
      "From the request's last byte to the head of the response. A later one is answered 504."),
    Setting(
      "read_timeout", \.readTimeout, .readTimeout,
      "Between two reads of a response. `off` is for streams that may be silent for long."),
    Setting(
      "header_size", \.headerSize, .size(from: .kibi(1), to: .mebi(1)),
      "The whole head of a response. A larger one is answered 502 `upstream_head_too_large`."),
    Setting(
      "headers", \.headers, .integer(10...1000),
      "Header fields of a response. More are answered 502 `upstream_head_too_large`."),
    Setting(
      "idle_connections", \.idleConnections, .integer(0...65_536),
      "Connections kept open for the next request, in each worker."),
    Setting(
      "idle_timeout", \.idleTimeout, .duration(from: .milliseconds(100), to: .hours(24)),
      "How long a kept connection may be unused. Less where the server's `Keep-Alive: timeout` says so."),
    Setting(
      "connection_max_age", \.connectionMaxAge, .duration(from: .seconds(1), to: .days(30)),
      "How long a connection takes new requests."),
    Setting(
      "connection_max_requests", \.connectionMaxRequests, .integer(1...1_000_000_000),
      "How many requests a connection takes."),
    Setting(
      "retry", \.retry, .mapping(Retry.settings), "Requests that are sent again after a failure, where that is safe.",
      otherwise: "a failed connect is tried on other servers, three at most"),
    Setting(
      "max_requests", \.maxRequests, .integer(1...1_000_000),
      "Requests at one time, over all workers. More are refused with `upstream_overloaded`."),
    Setting(
      "max_requests_per_server", \.maxRequestsPerServer, .integer(1...1_000_000),
      "The same at each server."),
    Setting(
      "queue", \.queue, .mapping(RequestQueue.settings),
      "Requests beyond a limit wait for a permit. `{}` takes the defaults."),
    Setting(
      "adaptive", \.adaptiveLimit, .mapping(AdaptiveLimit.settings),
      "A limit that follows from how long the servers take to answer. `{}` takes the defaults."),
  ]
}

extension Upstream.Server {
  static let settings = Settings<Upstream.Server>(
    "upstreams{}.servers[]", title: "a server", blank: Upstream.Server(address: Address(host: "", port: 0)),
    [
      Setting(
        "address", \.address, .serverAddress, "A name or an IP address with a port, or `unix:/path`.",
        required: "write { address: host:port, weight: 1 }"),
      Setting("weight", \.weight, .integer(1...1000), "Its share of the requests, against the others'."),
    ])
}

extension Retry {
  static let settings = Settings<Retry>(
    "upstreams{}.retry", title: "'retry'", example: "retry: { attempts: 2 }", blank: Retry(),
    [
      Setting("attempts", \.attempts, .integer(1...5), "How often one request may be sent again."),
      Setting(
        "on", .retryConditions,
        "After which failures: those two, `response_timeout`, `unavailable` (gRPC), and statuses from 500 to 599.",
        defaultValue: { .list($0.conditions.map(\.rawValue)) },
        read: { node, reading, retry in reading.conditions(node, of: &retry) }),
      Setting(
        "budget", \.budget, .percent(0...100),
        "The share of the upstream's live requests that may be on a retry, in each worker. Three always may."),
      Setting(
        "backoff", \.backoff, .duration(from: .milliseconds(1), to: .seconds(10)),
        "The wait before a server is asked again that already failed this request."),
      Setting(
        "buffer", \.buffer, .size(from: 0, to: 1 << 20),
        "A request's body up to this size is kept until the response begins, so that it can be sent again."),
    ])
}

extension UpstreamTLS {
  static let settings = settings("upstreams{}.tls", title: "an upstream's 'tls'")
  static let storeSettings = settings("redis{}.tls", title: "a store's 'tls'")

  private static func settings(_ path: String, title: String) -> Settings<UpstreamTLS> {
    Settings<UpstreamTLS>(
      path, title: title, example: "tls: {}, or tls: { ca: internal-ca.crt }",
      blank: UpstreamTLS(), rules: ["dependentRequired": ["certificate": ["key"], "key": ["certificate"]]],
      finish: { tls, section in section.reading.finish(&tls, section) },
      [
        Setting(
          "server_name", \.serverName, .serverName,
          "The name that the gateway sends (SNI) and verifies. Required for a `unix:` server, which has none.",
          otherwise: "each server's own name or address"),
        Setting(
          "ca", \.certificateAuthority, .file("PEM file") { .upstreamAuthority($0) },
          "The authorities that the servers' certificates must come from.", otherwise: "the system's trust store"),
        Setting(
          "certificate", .path("PEM file"),
          "What the gateway shows for itself, with its chain. Only together with `key`.",
          store: { tls, path in tls.certificate = CertificateFiles(certificate: path, key: "") }),
        Setting(
          "key", .path("PEM file"), "The private key of `certificate`.",
          store: { tls, path in tls.certificate?.key = path }),
        Setting(
          "verify", \.isVerified, .boolean,
          "`false` accepts any certificate, which is a warning."),
      ])
  }
}

extension ValueForm {
  fileprivate static let retryConditions = list(
    of: ValueForm(
      "failure",
      [
        "anyOf": .list([
          ["enum": .list(Retry.Condition.allCases.map { .text($0.rawValue) })],
          ["type": "string", "pattern": "^5[0-9]{2}$"], ["type": "integer", "minimum": 500, "maximum": 599],
          ["$ref": "#/$defs/variable"],
        ])
      ]), "list of failures and statuses")
}
