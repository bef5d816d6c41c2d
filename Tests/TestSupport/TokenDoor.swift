// A gateway with one guarded route before an echo upstream, and tokens sent to it. What the gateway says of a token, it
// says in five places (status, challenge, body, access log, metrics): a verdict is given only when all of them agree.

/// Where tokens are tried.
package struct TokenDoor: Sendable {
  /// The places disagree about a token.
  package struct Disagreement: Error, CustomStringConvertible {
    package var description: String
  }

  package let gateway: GatewayProcess
  package let upstream: TestUpstream
  private let counter = Monitor(0)

  package init(gateway: GatewayProcess, upstream: TestUpstream) {
    self.gateway = gateway
    self.upstream = upstream
  }

  /// - Parameters:
  ///   - issuers: entries made by `issuerConfiguration`.
  ///   - auth: of the route `/door`, which answers what the upstream received.
  ///   - route: further lines of that route.
  ///   - more: further entries of `routes:`, indented by two, each with `upstream: echo`.
  ///   - top: further lines of the file.
  ///   - upstreams: further entries of `upstreams:`, indented by two.
  package static func start(
    issuers: String, auth: String = "login", route: [String] = [], more: String = "", top: String = "",
    upstreams: String = "", files: [String: String] = [:]
  ) async throws -> TokenDoor {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      configuration(
        issuers: issuers, auth: auth, route: route, more: more, top: top, upstreams: upstreams, upstream: upstream),
      files: files)
    return TokenDoor(gateway: gateway, upstream: upstream)
  }

  /// What `iss` says at a door with keys in a file.
  package static let issuer = "https://login.example.com/"

  /// One issuer, whose keys are in a file. `rules` are further lines of its entry.
  package static func start(
    jwks: [String], rules: [String] = [], auth: String = "login", route: [String] = [], more: String = "",
    top: String = "", upstreams: String = "", files: [String: String] = [:]
  ) async throws -> TokenDoor {
    try await start(
      issuers: issuerConfiguration(issuer: issuer, jwks: "keys.json", more: rules), auth: auth, route: route,
      more: more, top: top, upstreams: upstreams,
      files: files.merging(["keys.json": keySetText(jwks)]) { first, _ in first })
  }

  /// A good token at such a door, changed by what is given.
  package static func token(
    _ key: TestKey, _ claims: [String: JSONValue] = [:], header: [String: JSONValue] = [:]
  ) -> String {
    makeToken(issuer: issuer, claims, header: header, key: key)
  }

  /// The file that ``start(issuers:auth:route:more:top:upstreams:files:)`` writes.
  package static func configuration(
    issuers: String, auth: String = "login", route: [String] = [], more: String = "", top: String = "",
    upstreams: String = "", upstream: TestUpstream
  ) -> String {
    let lines = route.map { "    \($0)\n" }.joined()
    return """
      \(top)
      issuers:
      \(issuers)
      upstreams:
        echo: { servers: ["\(upstream.address)"] }
      \(upstreams)
      routes:
        - path: /door
          auth: \(auth)
      \(lines)    upstream: echo
      \(more)
      """
  }

  /// `passed`, or the code of the refusal.
  package func verdict(_ token: String, path: String = "/door") async throws -> String {
    try await verdicts([token], path: path)[0]
  }

  /// A verdict for which the gateway asks the issuer first. It waits 0.9 s for that, which a busy machine may exceed.
  /// Then the token is sent again.
  package func verdictOfNewKey(_ token: String) async throws -> String {
    try await undisturbed("keys of the issuer in time") {
      let start = ContinuousClock.now
      let verdict = try await verdict(token)
      return verdict == "key_unknown" && mayHaveWaitedForKeys(since: start) ? nil : verdict
    }
  }

  /// Sends each token in `Authorization`, in turn over one connection.
  package func verdicts(_ tokens: [String], path: String = "/door") async throws -> [String] {
    try await verdicts(fields: tokens.map { ["Authorization: Bearer \($0)"] }, tokens: tokens, path: path)
  }

  /// Sends a request with each of these groups of field lines. `tokens` may be in no log.
  package func verdicts(fields: [[String]], tokens: [String] = [], path: String = "/door") async throws -> [String] {
    let before = try await gateway.metrics()
    let client = try await gateway.connect()
    var verdicts: [String] = []
    var ids: [String] = []
    for group in fields {
      counter.update { $0 += 1 }
      let id = "verdict-\(counter.current)"
      let response = try await client.get(path, ["X-Request-Id: \(id)"] + group)
      verdicts.append(try Self.read(response, id: id))
      ids.append(id)
    }
    for (id, verdict) in zip(ids, verdicts) { try await checkLog(id, verdict) }
    for line in gateway.accessLog + gateway.standardError {
      for token in tokens where token.utf8.count > 20 && line.contains(token) {
        throw Disagreement(description: "a token in a log: \(line)")
      }
    }
    let after = try await gateway.metrics()
    for verdict in Set(verdicts) {
      let results = verdict == "passed" ? ["accepted", "anonymous"] : [verdict]
      let count = results.reduce(0) { sum, result in
        let labels = ["result": result]
        return sum + after.sum("catraca_auth_total", labels) - before.sum("catraca_auth_total", labels)
      }
      if count != Double(verdicts.count { $0 == verdict }) {
        throw Disagreement(description: "catraca_auth_total counts \(count) of \(verdict) in \(verdicts)")
      }
    }
    return verdicts
  }

  private static func read(_ response: RawResponse, id: String) throws -> String {
    let challenge = response["WWW-Authenticate"]
    guard let code = response.code else {
      if response.status == 200, challenge == nil, response.text.contains("X-Request-Id: \(id)\r\n") { return "passed" }
      throw Disagreement(description: "\(response)")
    }
    let (status, expected): (Int, String?) =
      switch code {
      case "token_missing", "scheme_not_bearer": (401, "Bearer realm=\"catraca\"")
      case "scope_missing": (403, "Bearer realm=\"catraca\", error=\"insufficient_scope\", scope=\"")
      case "claim_mismatch": (403, "Bearer realm=\"catraca\", error=\"insufficient_scope\"")
      case "keys_unavailable": (503, nil)
      default: (401, "Bearer realm=\"catraca\", error=\"invalid_token\"")
      }
    let isChallengeRight =
      code == "scope_missing" ? challenge?.hasPrefix(expected ?? "") == true : challenge == expected
    guard response.status == status, isChallengeRight, response.text.contains("\"request_id\":\"\(id)\""),
      response.text.contains("\"status\":\(status)")
    else { throw Disagreement(description: "\(code): \(response.head.fields) \(response.text)") }
    return code
  }

  private func checkLog(_ id: String, _ verdict: String) async throws {
    let line = try await gateway.waitForAccessLog(containing: "\"request_id\":\"\(id)\"")
    let isRight = verdict == "passed" ? !line.contains("\"reason\"") : line.contains("\"reason\":\"\(verdict)\"")
    if !isRight { throw Disagreement(description: "verdict \(verdict), log \(line)") }
  }
}
