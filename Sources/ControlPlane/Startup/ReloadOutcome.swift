// What became of a reload, for the log and for who asked for it.

import Configuration
import Proxy
import Transport

package enum ReloadOutcome: Sendable, Equatable {
  /// What was wrong, one finding a line. The running configuration stays.
  case refused(String)
  /// The new one has taken over.
  case tookOver(changes: [String], warnings: [String])
}

extension GatewayConfiguration {
  /// The sections that differ from those of another, by their keys.
  func changes(from old: GatewayConfiguration) -> [String] {
    let sections = [
      ("workers", workers == old.workers), ("state_directory", stateDirectory == old.stateDirectory),
      ("listeners", listeners == old.listeners),
      ("trusted_proxies", trustedProxies == old.trustedProxies && trustedFields == old.trustedFields),
      ("dns", dnsServers == old.dnsServers), ("admin", admin == old.admin), ("access_log", accessLog == old.accessLog),
      ("log", log == old.log), ("traces", traces == old.traces), ("metrics", metrics == old.metrics),
      ("logs", logs == old.logs),
      ("limits", limits == old.limits),
      ("request_id", requestID == old.requestID),
      ("response_headers", responseHeaders == old.responseHeaders), ("error_pages", errorPages == old.errorPages),
      ("issuers", issuers == old.issuers), ("upstreams", upstreams == old.upstreams),
      ("redis", stores == old.stores), ("secrets", secrets == old.secrets), ("sessions", sessions == old.sessions),
      ("assertions", assertions == old.assertions),
      ("api_keys", apiKeys == old.apiKeys),
      ("rate_limits", rateLimits == old.rateLimits), ("routes", routes == old.routes),
    ]
    return sections.filter { !$0.1 }.map(\.0)
  }
}

extension GatewayConfiguration {
  /// Whether what changes without a reload is the same.
  func hasParts(of other: GatewayConfiguration) -> Bool {
    upstreams == other.upstreams && stores == other.stores && apiKeys == other.apiKeys
      && issuers.map(\.introspection) == other.issuers.map(\.introspection)
  }
}

extension RunningGateway {
  /// What a configuration says that only the next start brings about.
  func changesOfNextStart(_ fresh: GatewayConfiguration) -> [String] {
    var keys: [String] = []
    if Self.workerCount(fresh) != gateway.workerCount { keys.append("workers") }
    if fresh.stateDirectory != snapshot.configuration.stateDirectory { keys.append("state_directory") }
    return keys.map { "'\($0)' changes at the next start only" }
  }
}
