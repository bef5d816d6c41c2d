// Reloads while requests run: not one of them notices.

import TestSupport
import Testing
import Tokens

@Suite("Reloads under load", .timeLimit(.minutes(10)))
struct ReloadUnderLoadTests {
  @Test("200 reloads while requests run on 8 connections: each is answered 200, on the connection that it came on")
  func manyReloads() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], top: "workers: 2")
    let issuers = (0..<2).map {
      issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json", more: ["leeway: \($0 + 30)s"])
    }
    let files = (0..<2).map { number in
      TokenDoor.configuration(
        issuers: issuers[number], more: number == 0 ? "" : "  - { path: /new, auth: public, respond: { status: 204 } }",
        top: "workers: 2", upstream: door.upstream)
    }
    let isDone = Monitor(false)
    let answered = try await withThrowingTaskGroup(of: Int.self) { group in
      for connection in 0..<8 {
        group.addTask {
          let client = try await door.gateway.connect()
          var count = 0
          var token = ""
          while !isDone.current || count < 25 {
            if count % 10 == 0 { token = TokenDoor.token(key, ["n": .integer(count), "c": .integer(connection)]) }
            let response = try await client.get("/door", ["Authorization: Bearer \(token)"])
            #expect(response.status == 200, "\(response)")
            #expect(response["Connection"] == nil)
            count += 1
          }
          return count
        }
      }
      for number in 0..<200 {
        try door.gateway.write(configuration: files[number % 2])
        #expect(try await door.gateway.reload().status == 200)
      }
      isDone.update { $0 = true }
      return try await group.reduce(0, +)
    }
    let metrics = try await door.gateway.metrics()
    #expect(metrics.sum("catraca_config_reloads_total", ["result": "ok"]) == 200)
    #expect(metrics.sum("catraca_requests_total", ["route": "/door", "code": "200"]) == Double(answered))
    #expect(metrics.sum("catraca_requests_total") == Double(answered))
    #expect(door.upstream.failures.isEmpty)
    // The upstream stayed the same, and so did the connections to it.
    #expect(door.upstream.connections.count <= 8)
    _ = try await door.gateway.waitForAccessLog(answered)
  }
}
