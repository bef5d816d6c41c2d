// The checked, immutable content of one `gateway.conf`. Only the reader makes it; whoever holds one may rely on every
// index pointing at something and every bound being sane. Cross-references are indices into the arrays below.

/// One whole configuration. Immutable; handed to every worker as part of a snapshot.
package struct GatewayConfiguration: Sendable, Equatable {
  /// Event-loop threads; nil means one a core that the process may use (`workers: auto`).
  package var workers: Int?
  /// Folder where the last good key sets survive a restart; nil keeps nothing on disk.
  package var stateDirectory: String?
  package var listeners: [Listener] = []
  /// Peers whose word on the client is believed. Empty by default.
  package var trustedProxies: [AddressRange] = []
  /// Fields that they write besides those that always count, in lower case.
  package var trustedFields: [String] = []
  /// Who resolves names of servers; empty asks those of /etc/resolv.conf.
  package var dnsServers: [Address] = []
  /// nil for `admin: off`.
  package var admin: Admin? = Admin()
  package var accessLog = AccessLog()
  package var limits = Limits()
  /// For refusals on routes that have no page of their own for the status, and where there is no route.
  package var errorPages = ErrorPages()
  /// In the file's order; an index into it is an issuer's number for metrics and caches.
  package var issuers: [Issuer] = []
  package var upstreams: [Upstream] = []
  /// Limits that several routes share, in the file's order.
  package var rateLimits: [RateLimit] = []
  /// In the file's order; precedence comes from specificity, not from this order.
  package var routes: [Route] = []

  package init() {}
}

/// A CIDR block. IPv4 is held as its IPv6-mapped form, so that one comparison serves both.
package struct AddressRange: Sendable, Equatable {
  /// The network's address, high and low 64 bits, with host bits zero.
  package var high: UInt64
  package var low: UInt64
  /// 0...128, counted in the mapped form (IPv4 /8 is 104).
  package var prefixLength: Int

  package init(high: UInt64, low: UInt64, prefixLength: Int) {
    self.high = high
    self.low = low
    self.prefixLength = prefixLength
  }

  /// Whether an address (IPv4 in mapped form) lies in the block.
  package func contains(high: UInt64, low: UInt64) -> Bool {
    let highBits = min(prefixLength, 64)
    let lowBits = max(prefixLength - 64, 0)
    let highMask = highBits == 0 ? 0 : UInt64.max << UInt64(64 - highBits)
    let lowMask = lowBits == 0 ? 0 : UInt64.max << UInt64(64 - lowBits)
    return (high ^ self.high) & highMask == 0 && (low ^ self.low) & lowMask == 0
  }
}

/// `limits:`. Sizes in bytes.
package struct Limits: Sendable, Equatable {
  package var headerSize = 32 * 1024
  package var headers = 100
  package var bodySize: UInt64 = 10 * 1024 * 1024
  package var connections = 10_000
  /// Of one client, over all workers; 0 is no bound.
  package var connectionsPerClient = 0
  /// Bits of an IPv6 address that make a client.
  package var ipv6PrefixLength = 64
  /// Concurrent HTTP/2 streams of one connection.
  package var streams = 100
  /// What waits in all connections together; nil is a quarter of what the process may use.
  package var memory: Int?
  /// Of verified tokens, in each worker; 0 remembers none. Nil where the machine decides: the default, or less.
  package var tokenCache: Int?
  package var headerTimeout = Duration.seconds(10)
  package var bodyTimeout = Duration.seconds(30)
  /// Bytes a second that a request's body must bring on average; 0 is no bound.
  package var bodyRate = 0
  package var idleTimeout = Duration.seconds(75)
  package var drainTimeout = Duration.seconds(30)
  /// A client that ends its sending side still waits for its answer.
  package var halfClose = false

  package static let tokenCacheDefault = 64 * 1024 * 1024

  package init() {}
}

package struct AccessLog: Sendable, Equatable {
  package enum Destination: Sendable, Equatable {
    case off
    case standardOutput
    case file(String)
  }

  package enum Format: Sendable, Equatable {
    case json
    case combined
    case template([TemplatePart])
  }

  /// One piece of a template such as `{client_ip} {status}`.
  package enum TemplatePart: Sendable, Equatable {
    case text(String)
    case field(AccessLogField)
  }

  package var destination = Destination.standardOutput
  package var format = Format.json

  package init() {}
}

/// What an access log line can tell; the raw values are the names in json lines and in templates (public contract).
package enum AccessLogField: String, Sendable, CaseIterable {
  case time
  case clientIP = "client_ip"
  case method, host, path, `protocol`
  case tlsVersion = "tls_version"
  case tlsCipher = "tls_cipher"
  case tlsResumed = "tls_resumed"
  case alpn
  case status
  case requestBytes = "request_bytes"
  case responseBytes = "response_bytes"
  case duration = "duration_ms"
  case route, upstream, server
  case upstreamStatus = "upstream_status"
  case attempts
  case upstreamConnect = "upstream_connect_ms"
  case upstreamResponse = "upstream_response_ms"
  case grpcStatus = "grpc_status"
  case issuer, subject, reason
  case requestID = "request_id"
  case traceID = "trace_id"
  case userAgent = "user_agent"
  case referer
}
