// The checked, immutable content of one `gateway.conf`. Only the reader makes it, so its holders may rely on every
// index pointing at something and every bound being sane. Cross-references are indices into the arrays below.

/// One whole configuration. Immutable. Handed to every worker as part of a snapshot.
package struct GatewayConfiguration: Sendable, Equatable {
  /// Event-loop threads. Nil means one a core that the process may use (`workers: auto`).
  package var workers: Int?
  /// Folder where the last good key sets survive a restart. Nil keeps nothing on disk.
  package var stateDirectory: String?
  package var listeners: [Listener] = []
  /// Peers that are trusted to report their clients' addresses. Empty by default.
  package var trustedProxies: [AddressRange] = []
  /// Fields that they write besides those that always count, in lower case.
  package var trustedFields: [String] = []
  /// Who resolves names of servers. Empty asks those of /etc/resolv.conf.
  package var dnsServers: [Address] = []
  /// nil for `admin: off`.
  package var admin: Admin? = Admin()
  package var accessLog = AccessLog()
  package var log = OwnLogRules()
  package var limits = Limits()
  /// nil traces nothing.
  package var traces: Traces?
  /// Nil sends none.
  package var metrics: CollectedMetrics?
  package var logs: CollectedLogs?
  /// nil for ids that clients see in refusals only.
  package var requestID: RequestIDRules?
  /// For answers that are of no route.
  package var responseHeaders = HeaderRules()
  /// For refusals on routes that have no page of their own for the status, and where there is no route.
  package var errorPages = ErrorPages()
  /// In the file's order. An index into it is an issuer's number for metrics and caches.
  package var issuers: [Issuer] = []
  package var upstreams: [Upstream] = []
  package var stores: [RedisStore] = []
  /// What seals that others keep for the gateway. The first one seals and all of them open.
  package var secrets: [String] = []
  /// In the file's order. An index into it is a signer's number.
  package var assertions: [AssertionRules] = []
  /// In the file's order. An index into it is a session's number.
  package var sessions: [SessionRules] = []
  /// In the file's order. An index into it is a set's number.
  package var apiKeys: [APIKeySet] = []
  /// Who is asked whether requests may pass, in the file's order.
  package var services: [ExternalService] = []
  /// Limits that several routes share, in the file's order.
  package var rateLimits: [RateLimit] = []
  /// In the file's order, and behind them those of ``sessions``. Precedence comes from specificity, not from this
  /// order.
  package var routes: [Route] = []
  /// Nothing of these counts while the gateway serves.
  package var tests: [FileTest] = []

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

  /// Whether all addresses of IPv4 or of IPv6 lie in the block.
  var containsAll: Bool { prefixLength == 0 || prefixLength == 96 && high == 0 && low == 0xFFFF_0000_0000 }

  /// Whether an address (IPv4 in mapped form) lies in the block.
  package func contains(high: UInt64, low: UInt64) -> Bool {
    let highBits = min(prefixLength, 64)
    let lowBits = max(prefixLength - 64, 0)
    let highMask = highBits == 0 ? 0 : UInt64.max << UInt64(64 - highBits)
    let lowMask = lowBits == 0 ? 0 : UInt64.max << UInt64(64 - lowBits)
    return (high ^ self.high) & highMask == 0 && (low ^ self.low) & lowMask == 0
  }
}
