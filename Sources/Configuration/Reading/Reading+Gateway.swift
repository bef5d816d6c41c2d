// The top of the file, and the sections that are neither issuers, upstreams nor routes.

extension Reading {
  /// The whole file. The result counts only when no error was reported.
  func gateway(_ root: SourceNode) -> GatewayConfiguration? {
    if let text = root.text, let format = ForeignFormat(of: text) {
      error(root.position, format.advice)
      return nil
    }
    guard let section = Section(root, GatewayConfiguration.settings.table, self) else { return nil }
    // Issuers are read before stores, and may name one.
    if case .mapping(let stores)? = section["redis"]?.content { names.stores = NameList(stores.map(\.key)) }
    var result = GatewayConfiguration()
    GatewayConfiguration.settings.take(section, into: &result)
    return result
  }

  /// What sections of the file require of each other.
  func finish(_ file: inout GatewayConfiguration, _ section: Section) {
    if file.trustedProxies.isEmpty {
      for position in names.proxyProtocolPositions {
        error(
          position,
          "'proxy_protocol: true' requires 'trusted_proxies': list the load balancers there")
      }
    }
    checkAdmin(file, at: section["admin"]?.position ?? section["listeners"]?.position ?? section.position)
    checkRequestID(file, at: section["request_id"]?.position)
    checkSessions(file, section)
    addAudiences(to: &file)
    addIntrospectionUpstreams(to: &file)
    // A misspelt reference would make its target look unused.
    if errorCount == 0, !lacksValues {
      warnUnused(section["issuers"], names.usedIssuers, "issuer")
      warnUnused(section["upstreams"], names.usedUpstreams, "upstream")
      warnUnused(section["sessions"], names.usedSessions, "session")
      warnUnused(section["api_keys"], names.usedAPIKeys, "set of API keys")
      warnUnused(section["services"], names.usedServices, "service")
      warnUnused(section["rate_limits"], names.usedRateLimits, "rate_limit")
      warnUnused(section["assertions"], names.usedAssertions, "assertion", by: "nothing")
      warnUnused(section["redis"], names.usedStores, "store", by: "nothing")
    }
  }

  /// What sections say that routes refer to: names in the file's order, those that were referred to, and what else must
  /// be there.
  struct Names {
    /// Names of listeners, each with its index.
    var listeners: [(name: String, index: Int)] = []
    /// Whether a listener writes Strict-Transport-Security.
    var hasStrictTransport = false
    var issuers = NameList()
    /// By index, of those that were read without an error: their authorization servers.
    var issuerURLs: [Int: [String]] = [:]
    var upstreams = NameList()
    /// nil for one that was refused.
    var sessions: [(name: String, rules: SessionRules?)] = []
    var usedSessions: Set<String> = []
    var apiKeys = NameList()
    /// As many.
    var apiKeySets: [APIKeySet] = []
    var usedAPIKeys: Set<String> = []
    /// Where the paths are that a session adds, by its name.
    var sessionPositions: [String: SourcePosition] = [:]
    /// By name, of those that were read without an error: what `iss` may be there and with another issuer as well.
    var sharedIssuerValues: [String: [String]] = [:]
    /// By name, of the upstreams that were read without an error.
    var protocols: [String: UpstreamProtocol] = [:]
    /// Where listeners say that connections begin with a PROXY header.
    var proxyProtocolPositions: [SourcePosition] = []
    /// Whether a listener has TLS.
    var hasTLS = false
    /// Whether a listener verifies certificates of clients.
    var hasClientCertificates = false
    /// The address of a listener that asks for none, beside one that requires them.
    var listenerWithoutClientCertificates: String?
    /// What the file says for routes that say nothing.
    var compress: CompressionRules?
    var maintenance: Maintenance?
    var usedIssuers: Set<String> = []
    /// Indices of those with `introspection`.
    var askedIssuers: Set<Int> = []
    var usedUpstreams: Set<String> = []
    var assertions = NameList()
    var usedAssertions: Set<String> = []
    var stores = NameList()
    var usedStores: Set<String> = []
    var services = NameList()
    /// As many.
    var readServices: [ExternalService] = []
    var usedServices: Set<String> = []
    var rateLimits = NameList()
    /// As many. Each with its index into those that are left. Nil for one that was refused.
    var sharedRateLimits: [(limit: RateLimit, index: Int)?] = []
    var usedRateLimits: Set<String> = []
    /// Values of requests that the access log has.
    var loggedValues: [LoggedValue] = []

    struct LoggedValue {
      var value: Configuration.LoggedValue
      /// As it was written.
      var text: String
      var position: SourcePosition
    }
  }

  /// Names that a section defines, in the file's order.
  struct NameList {
    let names: [String]
    private let indices: [String: Int]

    init(_ names: [String] = []) {
      self.names = names
      indices = Dictionary(names.indices.map { (names[$0], $0) }) { first, _ in first }
    }

    func index(of name: String) -> Int? { indices[name] }
  }

  private func warnUnused(_ node: SourceNode?, _ used: Set<String>, _ kind: String, by users: String = "no route") {
    guard case .mapping(let entries) = node?.content else { return }
    for entry in entries where !used.contains(entry.key) {
      warn(entry.keyPosition, "\(users) uses the \(kind) \(entry.key.quoted)")
    }
  }

  /// A list of peers, or a mapping that says as well which fields they write.
  func trustedProxies(_ node: SourceNode, into file: inout GatewayConfiguration) -> Bool {
    if case .mapping = node.content { return TrustedProxies.settings.read(node, self, into: &file) }
    guard let peers = ValueType.peers.read(node, self, "'trusted_proxies'") else { return false }
    file.trustedProxies = peers
    return true
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
        reading.error(node.position, "\(what) must be auto, or a whole number from 1 to 256, not \(node.kind)")
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
      items.compactMap { item in
        let range = reading.addressRange(item, "a trusted proxy")
        if let range, range.containsAll {
          reading.warn(
            item.position,
            "\(item.text?.quoted ?? "this") contains every address: any client can then claim any other address")
        }
        return range
      }
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
    if items.count > 8 { reading.error(node.position, "'dns' has at most 8 servers, not \(items.count)") }
    return items.compactMap { item in
      guard let address = reading.listenAddress(item, "a DNS server", usualPort: 53) else { return nil }
      guard case .network(_, let port) = address, port > 0 else {
        reading.error(item.position, "a DNS server is an IP address with its port: write 10.0.0.53:53")
        return nil
      }
      return address
    }
  }
}

extension ValueForm {
  static let trustedProxies = any(
    of: [ValueType.peers.form, .mapping(TrustedProxies.settings.table)],
    "list of addresses and CIDR blocks, or a mapping")
}
