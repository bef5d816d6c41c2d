// A gateway with something of everything that is counted, and requests that make each count move.

import Foundation
import TestSupport
import Tokens

struct BusyGateway {
  let door: TokenDoor
  private let key: TestKey
  private let names: TestNameServer
  private let server: TestUpstream
  private let redis: TestUpstream
  private let plain: Int
  private let secure: Int

  /// The issuer answers, one of two servers of `flaky` is down and the other busy, and each limit is small.
  static func start() async throws -> BusyGateway {
    let key = try TestKey(.es256)
    let names = try await TestNameServer.start { query in query.answer(query.isIPv6 ? [] : [[127, 0, 0, 1]]) }
    let server = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let status = request.target == "/busy" ? "503 Service Unavailable" : "200 OK"
        try await connection.send("HTTP/1.1 \(status)\r\nContent-Length: 4\r\n\r\nbody")
      }
    }
    let redis = try await TestUpstream.redis { _ in "*2\r\n:1\r\n:8\r\n" }
    let certificates = try await TestCertificates.shared()
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      rules: [
        "introspection: { endpoint: \"http://127.0.0.1:\(server.port)/\", client_id: a, client_secret: b }",
        "revocation: { denylist: revoked.jsonl }",
      ],
      route: ["mirror: { upstream: flaky, percent: 100 }"],
      more: """
          - { path: /busy, auth: public, upstream: flaky }
          - { path: /graphql, auth: public, upstream: echo, graphql: {} }
          - { path: /own, auth: public, respond: { status: 200, body: own } }
          - { path: /few, auth: public, rate_limit: { requests: 1, per: 24h }, respond: { status: 204 } }
          - { path: /dry, auth: public, rate_limit: { requests: 1, per: 24h, dry_run: true }, respond: { status: 204 } }
          - { path: /shared, auth: public, rate_limit: shared, respond: { status: 204 } }
          - { path: /asked, auth: { issuers: [login], mode: shadow }, authorize: { service: policy }, respond: { status: 204 } }
          - { path: /tried, auth: public, authorize: { service: policy, mode: shadow }, respond: { status: 204 } }
          - { path: /in, auth: { api_keys: [programs], sessions: [web] }, respond: { status: 204 } }
          - { path: /stored, auth: { api_keys: [stored] }, respond: { status: 204 } }
          - path: /many
            auth: public
            rate_limit: { requests: 1, per: 24h, by: query:who, keys: 1 }
            respond: { status: 204 }
        """,
      top: """
        dns: { servers: ["\(names.address)"] }
        redis: { main: { servers: ["\(redis.address)"] } }
        rate_limits: { shared: { requests: 1, per: 24h, store: main } }
        api_keys: { programs: { keys: [] }, stored: { redis: main } }
        sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
        services: { policy: { upstream: echo } }
        listeners:
          - { address: "127.0.0.1:0" }
          - address: "127.0.0.1:0"
            tls:
              certificates:
                - { certificate: "\(certificates.certificate(.good))", key: "\(certificates.key(.good))" }
        """,
      upstreams: """
          flaky:
            servers: ["127.0.0.1:\(try closedPort())", "app.test:\(server.port)"]
            health_check: { type: tcp, unhealthy_after: 100 }
            eject: { errors: 10000 }
            max_requests: 100
            queue: {}
            retry: { attempts: 1, on: [connect_failure, "503"] }
        """, files: ["revoked.jsonl": "{\"jti\":\"gone\"}\n"])
    let ports = door.gateway.ports
    guard ports.count == 2 else { throw StreamFailure.malformed("ports \(ports)") }
    return BusyGateway(
      door: door, key: key, names: names, server: server, redis: redis, plain: ports[0], secure: ports[1])
  }

  /// Some of each kind, answered when this returns.
  func makeTraffic() async throws {
    let client = try await RawClient.connect(port: plain)
    // One that was not verified before, and then was.
    let token = TokenDoor.token(key, ["jti": .string(UUID().uuidString)])
    for _ in 0..<5 { _ = try await client.get("/door", ["Authorization: Bearer \(token)"]) }
    _ = try await client.get("/door")
    _ = try await client.get("/none")
    _ = try await client.exchange(
      "POST /door HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(token)\r\nContent-Length: 5\r\n\r\n12345")
    _ = try await client.get("/own")
    for path in ["/asked", "/tried"] { _ = try await client.get(path) }
    _ = try await client.get("/door", ["Authorization: Bearer opaque"])
    // What the store answers to this is no key's record.
    _ = try await client.get("/stored", ["X-Api-Key: unreadable-of-some-length"])
    _ = try await client.get("/graphql?query=%7Ba%7D")
    for path in ["/busy", "/busy", "/few", "/few", "/dry", "/dry", "/shared"] { _ = try await client.get(path) }
    for number in 0..<100 { _ = try await client.get("/many?who=\(number)") }
    let guarded = try await RawClient.connect(port: secure, secure: try await SecureGateway.client())
    _ = try await guarded.get("/own")
  }
}
