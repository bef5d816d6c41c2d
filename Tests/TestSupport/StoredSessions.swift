// A gateway whose sessions are in Redis, and what a browser does with them.

import Foundation
import Tokens

package struct StoredSessions: Sendable {
  package let key: TestKey
  package let upstream: TestUpstream
  private static let issuer = "https://login.example.com/"

  package init() async throws {
    key = try TestKey(.es256)
    upstream = try await TestUpstream.echo()
  }

  /// With two workers that remember a session for an hour, so that what they forget was reported to them.
  package func gateway(
    _ store: String, rules: String = "cache: 1h, idle_timeout: 12h, lifetime: 24h",
    secrets: String = "0123456789abcdef0123456789abcdef", isUp: Bool = true
  ) async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      configuration(store, rules: rules, secrets: secrets), files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    if isUp {
      try await gateway.waitForMetrics("the store to be up") { metrics in
        let servers = metrics.samples.filter { $0.name == "catraca_store_up" }
        return !servers.isEmpty && servers.allSatisfy { $0.value == 1 }
      }
    }
    return gateway
  }

  package func configuration(_ store: String, rules: String, secrets: String) -> String {
    """
    workers: 2
    secrets: [\(secrets)]
    redis:
      main: { \(store) }
    issuers:
      login: { issuer: "\(Self.issuer)", audiences: [api], jwks: keys.json }
    upstreams:
      echo: { servers: ["\(upstream.address)"] }
    sessions:
      web: { store: main, \(rules), exchange: { path: /session, issuers: [login] }, me: [sub] }
    routes:
      - { path: /free, auth: public, respond: { status: 204 } }
      - path: /*
        auth: { issuers: [login], sessions: [web] }
        identity: { headers: { X-User: sub } }
        websocket: true
        upstream: echo
    """
  }

  package func token(_ subject: String = "ada") -> String {
    makeToken(
      issuer: Self.issuer, ["aud": "api", "sub": .string(subject), "sid": .string("at-\(subject)")], key: key)
  }

  package func send(
    _ gateway: GatewayProcess, _ method: String, _ path: String, _ fields: [String] = []
  ) async throws -> RawResponse {
    let lines = ["\(method) \(path) HTTP/1.1", "Host: shop.example.com", "Content-Length: 0", "Connection: close"]
    return try await gateway.exchange((lines + fields).map { $0 + "\r\n" }.joined() + "\r\n")
  }

  package func post(_ gateway: GatewayProcess, _ subject: String = "ada", _ fields: [String] = []) async throws
    -> RawResponse
  {
    try await send(gateway, "POST", "/session", ["Authorization: Bearer \(token(subject))"] + fields)
  }

  /// The cookie of a new session, as a browser sends it.
  package func begin(_ gateway: GatewayProcess, _ subject: String = "ada", _ fields: [String] = []) async throws
    -> String
  {
    let response = try await post(gateway, subject, fields)
    guard response.status == 200, let line = response["Set-Cookie"] else {
      throw StreamFailure.malformed("no session: \(response.status) \(response.text)")
    }
    return "Cookie: \(line.prefix { $0 != ";" })"
  }

  package func end(_ gateway: GatewayProcess, _ cookie: String) async throws -> RawResponse {
    try await send(gateway, "DELETE", "/session", [cookie, "Origin: https://shop.example.com"])
  }

  /// The statuses of several requests, each over a connection of its own, so that all workers see some.
  package func statuses(_ gateway: GatewayProcess, _ cookie: String, count: Int = 12) async throws -> Set<Int> {
    var statuses: Set<Int> = []
    for _ in 0..<count { statuses.insert(try await send(gateway, "GET", "/page", [cookie]).status) }
    return statuses
  }
}
