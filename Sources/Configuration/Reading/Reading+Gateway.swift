// The top of the file, and the sections that are neither issuers, upstreams nor routes.

import Tokens

extension Reading {
  /// The whole file. The result counts only when no error was reported.
  func gateway(_ root: SourceNode) -> GatewayConfiguration? {
    guard let section = Section(root, .root, self) else { return nil }
    var result = GatewayConfiguration()
    if let node = section["workers"] { result.workers = workers(node) }
    if let node = section["state_directory"] {
      result.stateDirectory = line(node, "'state_directory'").map(resolve(path:))
    }
    if let node = section["trusted_proxies"] { trustedProxies(node, into: &result) }
    var names = Names()
    let errorsBefore = errorCount
    let listenerAdvice = "write listeners: [{ address: 0.0.0.0:8080 }]"
    if let node = section.required("listeners", listenerAdvice) {
      result.listeners = listeners(node, hasTrustedProxies: !result.trustedProxies.isEmpty)
    }
    // A listener that was refused may be the one that asks.
    names.hasClientCertificates = result.listeners.contains(where: \.verifiesClients) || errorCount > errorsBefore
    if result.listeners.contains(where: \.requiresCertificate) {
      names.listenerWithoutClientCertificates = result.listeners.first { !$0.verifiesClients }?.address.description
    }
    if let node = section["dns"] { result.dnsServers = dnsServers(node) }
    if let node = section["admin"] { result.admin = admin(node) }
    checkAdmin(result, at: section["admin"]?.place ?? section["listeners"]?.place ?? section.place)
    if let node = section["access_log"] { result.accessLog = accessLog(node) }
    if let node = section["limits"] { result.limits = limits(node) }
    names.compress = section["compress"].flatMap { compression($0) }
    names.maintenance = section["maintenance"].flatMap { maintenance($0) }
    if let node = section["error_pages"] { result.errorPages = errorPages(node) }

    let issuerEntries =
      section["issuers"].flatMap { entries($0, "'issuers'", example: "login: { issuer: …, audiences: […] }") } ?? []
    names.issuers = issuerEntries.map(\.key)
    let upstreamEntries =
      section["upstreams"].flatMap { entries($0, "'upstreams'", example: "orders: { servers: [host:port] }") } ?? []
    names.upstreams = upstreamEntries.map(\.key)
    result.issuers = issuerEntries.compactMap { issuer($0) }
    names.issuerValues = Dictionary(result.issuers.map { ($0.name, $0.policy.issuer) }) { first, _ in first }
    result.upstreams = upstreamEntries.compactMap { upstream($0) }
    names.protocols = Dictionary(result.upstreams.map { ($0.name, $0.protocol) }) { first, _ in first }
    let limitEntries =
      section["rate_limits"].flatMap {
        entries($0, "'rate_limits'", example: "logins: { requests: 5, per: 1m }")
      } ?? []
    names.rateLimits = limitEntries.map { ($0.key, rateLimit($0)) }
    result.rateLimits = names.rateLimits.compactMap(\.limit)
    let routeAdvice = "without one every request is answered 404"
    if let node = section.required("routes", routeAdvice) {
      let routes = routes(node, names: &names)
      result.routes = routes.map(\.route)
      checkRoutes(routes)
    }
    // A misspelt reference would make its target look unused.
    if errorCount == 0 {
      warnUnused(issuerEntries, names.usedIssuers, "issuer")
      warnUnused(upstreamEntries, names.usedUpstreams, "upstream")
      warnUnused(limitEntries, names.usedRateLimits, "rate_limit")
    }
    return result
  }

  /// What routes refer to: names in the file's order, those that were referred to, and what else must be there.
  struct Names {
    var issuers: [String] = []
    var upstreams: [String] = []
    /// `iss` by name, of those that were read without an error.
    var issuerValues: [String: String] = [:]
    /// By name, of the upstreams that were read without an error.
    var protocols: [String: UpstreamProtocol] = [:]
    /// Whether a listener verifies certificates of clients.
    var hasClientCertificates = false
    /// The address of a listener that asks for none, beside one that requires them.
    var listenerWithoutClientCertificates: String?
    /// What the file says for routes that say nothing.
    var compress: CompressionRules?
    var maintenance: Maintenance?
    var usedIssuers: Set<String> = []
    var usedUpstreams: Set<String> = []
    /// nil for one that was refused.
    var rateLimits: [(name: String, limit: RateLimit?)] = []
    var usedRateLimits: Set<String> = []
  }

  private func warnUnused(_ entries: [SourceNode.Entry], _ used: Set<String>, _ kind: String) {
    for entry in entries where !used.contains(entry.key) {
      warn(entry.keyPlace, "no route uses the \(kind) \(entry.key.quoted)")
    }
  }

  /// A list of peers, or a mapping that says as well which fields they write.
  private func trustedProxies(_ node: SourceNode, into result: inout GatewayConfiguration) {
    guard case .mapping = node.content else {
      result.trustedProxies = peers(node, "'trusted_proxies'")
      return
    }
    guard let section = Section(node, .trustedProxies, self, example: "trusted_proxies: [10.0.0.0/8]") else { return }
    if let node = section.required("from", "write from: [10.0.0.0/8]") { result.trustedProxies = peers(node, "'from'") }
    guard let node = section["fields"] else { return }
    let names = names(
      node, "'fields'", item: "a field", isEmptyAllowed: true, check: FieldRules.problem(ofTrustedName:))
    result.trustedFields = (names ?? []).map { $0.lowercased() }
  }

  private func peers(_ node: SourceNode, _ what: String) -> [AddressRange] {
    (list(node, what, isEmptyAllowed: true) ?? []).compactMap { addressRange($0, "a trusted proxy") }
  }

  private func workers(_ node: SourceNode) -> Int? {
    if case .scalar(let scalar) = node.content, scalar.text == "auto" { return nil }
    guard case .scalar(let scalar) = node.content, scalar.isPlain, let count = decimal(scalar.text),
      (1...256).contains(count)
    else {
      error(node.place, "'workers' is auto, or a whole number from 1 to 256, not \(node.kind)")
      return nil
    }
    return count
  }

  private func dnsServers(_ node: SourceNode) -> [Address] {
    guard let section = Section(node, .dns, self, example: "dns: { servers: [10.0.0.53:53] }"),
      let value = section.required("servers", "write servers: [10.0.0.53:53]"), let items = list(value, "'servers'")
    else { return [] }
    // LIMIT: each failure costs the time that all of them take.
    if items.count > 8 { error(value.place, "'dns' has at most 8 servers, not \(items.count)") }
    return items.compactMap { item in
      guard let address = listenAddress(item, "a DNS server") else { return nil }
      guard case .network(_, let port) = address, port > 0 else {
        error(item.place, "a DNS server is an IP address with its port: write 10.0.0.53:53")
        return nil
      }
      return address
    }
  }

  private func limits(_ node: SourceNode) -> Limits {
    var result = Limits()
    guard let section = Section(node, .limits, self, example: "limits: { body_size: 10MiB }") else { return result }
    if let node = section["header_size"], let value = size(node, "'header_size'", from: "1KiB", to: "1MiB") {
      result.headerSize = Int(value)
    }
    if let node = section["headers"], let value = integer(node, "'headers'", in: 10...1000) { result.headers = value }
    if let node = section["body_size"], let value = bodySize(node) { result.bodySize = value }
    if let node = section["connections"], let value = integer(node, "'connections'", in: 1...1_000_000) {
      result.connections = value
    }
    if let node = section["connections_per_client"],
      let value = integer(node, "'connections_per_client'", in: 0...1_000_000)
    {
      result.connectionsPerClient = value
    }
    if let node = section["ipv6_prefix"], let value = integer(node, "'ipv6_prefix'", in: 32...128) {
      result.ipv6PrefixLength = value
    }
    if let node = section["streams"], let value = integer(node, "'streams'", in: 1...10_000) { result.streams = value }
    if let node = section["memory"], let value = size(node, "'memory'", from: "8MiB", to: "1TiB") {
      result.memory = Int(value)
    }
    if let node = section["token_cache"], let value = tokenCache(node) { result.tokenCache = value }
    if let node = section["header_timeout"], let value = duration(node, "'header_timeout'", from: "100ms", to: "10m") {
      result.headerTimeout = value
    }
    if let node = section["body_timeout"], let value = duration(node, "'body_timeout'", from: "100ms", to: "1h") {
      result.bodyTimeout = value
    }
    if let node = section["body_rate"], let value = size(node, "'body_rate'", from: "0B", to: "1GiB") {
      result.bodyRate = Int(value)
    }
    if let node = section["idle_timeout"], let value = duration(node, "'idle_timeout'", from: "100ms", to: "24h") {
      result.idleTimeout = value
    }
    if let node = section["drain_timeout"], let value = duration(node, "'drain_timeout'", from: "0s", to: "1h") {
      result.drainTimeout = value
    }
    if let node = section["half_close"] { result.halfClose = boolean(node, "'half_close'") ?? false }
    return result
  }

  /// So small that nearly nothing fits is a slip; nothing at all may be meant.
  private func tokenCache(_ node: SourceNode) -> Int? {
    guard let value = size(node, "'token_cache'", from: "0B", to: "1TiB") else { return nil }
    if value > 0, value < 64 * 1024 {
      error(node.place, "'token_cache' is at least 64KiB: write that, or 0B to remember no token")
      return nil
    }
    return Int(value)
  }

  /// `body_size` of the limits or of a route.
  func bodySize(_ node: SourceNode) -> UInt64? {
    if case .scalar(let scalar) = node.content, scalar.text == "unlimited" { return .max }
    return size(node, "'body_size'", from: "0B", to: "1024TiB").flatMap(UInt64.init(exactly:))
  }
}
