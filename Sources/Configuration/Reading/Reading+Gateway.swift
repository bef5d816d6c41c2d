// The top of the file, and the sections that are neither issuers, upstreams nor routes.

import Tokens

extension Reading {
  /// The whole file. The result counts only when no error was reported.
  func gateway(_ root: SourceNode) -> GatewayConfiguration? {
    guard let section = Section(root, GatewayConfiguration.settings.table, self) else { return nil }
    var result = GatewayConfiguration()
    GatewayConfiguration.settings.take(section, into: &result)
    if let node = section["trusted_proxies"] { trustedProxies(node, into: &result) }
    var names = Names()
    let errorsBefore = errorCount
    if let node = section.required("listeners") {
      result.listeners = listeners(node, hasTrustedProxies: !result.trustedProxies.isEmpty)
    }
    // A listener that was refused may be the one that asks.
    names.hasClientCertificates = result.listeners.contains(where: \.verifiesClients) || errorCount > errorsBefore
    if result.listeners.contains(where: \.requiresCertificate) {
      names.listenerWithoutClientCertificates = result.listeners.first { !$0.verifiesClients }?.address.description
    }
    if let node = section["dns"], let section = Section(node, DNS.settings.table, self) {
      DNS.settings.take(section, into: &result)
    }
    if let node = section["admin"] { result.admin = admin(node) }
    checkAdmin(result, at: section["admin"]?.place ?? section["listeners"]?.place ?? section.place)
    names.compress = section["compress"].flatMap { compression($0) }
    names.maintenance = section["maintenance"].flatMap { maintenance($0) }

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
    if let node = section.required("routes") {
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
      result.trustedProxies = ValueType.peers.read(node, self, "'trusted_proxies'") ?? []
      return
    }
    guard let section = Section(node, TrustedProxies.settings.table, self) else { return }
    TrustedProxies.settings.take(section, into: &result)
  }
}

// MARK: Values

extension ValueType where Value == Int? {
  /// nil for `auto`.
  static let workers = ValueType(
    .orVariable(
      "`auto` or 1…256", ["const": "auto"], ["type": "integer", "minimum": 1, "maximum": 256]),
    write: { $0.map(Literal.integer) ?? .text("auto") },
    read: { node, reading, what in
      if case .scalar(let scalar) = node.content, scalar.text == "auto" { return .some(nil) }
      guard case .scalar(let scalar) = node.content, scalar.isPlain, let count = decimal(scalar.text),
        (1...256).contains(count)
      else {
        reading.error(node.place, "\(what) is auto, or a whole number from 1 to 256, not \(node.kind)")
        return nil
      }
      return count
    })
}

extension ValueType where Value == [AddressRange] {
  static let peers = ValueType(
    .list(of: .text("address"), "list of addresses and CIDR blocks", isEmptyAllowed: true)
  ) { node, reading, what in
    reading.list(node, what, isEmptyAllowed: true).map { items in
      items.compactMap { reading.addressRange($0, "a trusted proxy") }
    }
  }
}

extension ValueType where Value == [String] {
  static let trustedFields = ValueType.names(
    "list of headers", item: "a field", isEmptyAllowed: true, check: FieldRules.problem(ofTrustedName:)
  ).converted({ $0.map { $0.lowercased() } }, back: { $0 })
}

extension ValueType where Value == [Address] {
  static let dnsServers = ValueType(
    .list(of: .text("address"), "list of IP addresses with ports", isUnique: false, atMost: 8)
  ) { node, reading, what in
    guard let items = reading.list(node, what) else { return nil }
    // LIMIT: each failure costs the time that all of them take.
    if items.count > 8 { reading.error(node.place, "'dns' has at most 8 servers, not \(items.count)") }
    return items.compactMap { item in
      guard let address = reading.listenAddress(item, "a DNS server") else { return nil }
      guard case .network(_, let port) = address, port > 0 else {
        reading.error(item.place, "a DNS server is an IP address with its port: write 10.0.0.53:53")
        return nil
      }
      return address
    }
  }
}

extension ValueType where Value == ErrorPages {
  static let errorPages = ValueType(.errorPages) { node, reading, _ in reading.errorPages(node) }
}

extension ValueForm {
  static let trustedProxies = any(
    of: [ValueType.peers.form, .mapping(TrustedProxies.settings.table)],
    "list of addresses and CIDR blocks, or a mapping")
}
