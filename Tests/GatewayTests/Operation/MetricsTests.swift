// The metrics page adds up with what was sent.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Metrics", .timeLimit(.minutes(10)))
struct MetricsTests {
  @Test("Every request is counted once, by route, method and status, and everything on the page can be parsed")
  func requests() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      more: """
          - { name: "a \\"b\\" c", path: /fixed, auth: public, respond: { status: 204 } }
        """)
    let token = TokenDoor.token(key)
    let client = try await door.gateway.connect()
    for _ in 0..<5 { #expect(try await client.get("/door", ["Authorization: Bearer \(token)"]).status == 200) }
    for _ in 0..<3 { #expect(try await client.get("/door").status == 401) }
    for _ in 0..<2 { #expect(try await client.get("/fixed").status == 204) }
    #expect(try await client.get("/fixed", method: "HEAD").status == 204)
    #expect(try await client.get("/none", method: "BREW").status == 404)
    let metrics = try await door.gateway.metrics()
    func count(_ route: String, _ method: String, _ code: String) -> Double {
      metrics.sum("catraca_requests_total", ["route": route, "method": method, "code": code])
    }
    #expect(count("/door", "GET", "200") == 5)
    #expect(count("/door", "GET", "401") == 3)
    #expect(count("a \"b\" c", "GET", "204") == 2)
    #expect(count("a \"b\" c", "HEAD", "204") == 1)
    #expect(count("", "other", "404") == 1)
    #expect(metrics.sum("catraca_requests_total") == 12)
    #expect(metrics.sum("catraca_request_duration_seconds_count", ["route": "/door"]) == 8)
    #expect(metrics.sum("catraca_request_duration_seconds_bucket", ["route": "/door", "le": "+Inf"]) == 8)
    #expect(metrics.sum("catraca_upstream_duration_seconds_count", ["upstream": "echo"]) == 5)
    #expect(metrics.sum("catraca_auth_total", ["issuer": "login", "result": "accepted", "route": "/door"]) == 5)
    #expect(metrics.sum("catraca_auth_total", ["result": "token_missing", "route": "/door"]) == 3)
    #expect(metrics.sum("catraca_token_cache_total", ["result": "miss"]) == 1)
    #expect(metrics.sum("catraca_token_cache_total", ["result": "hit"]) == 4)
    #expect(metrics.sum("catraca_connections", ["state": "idle"]) == 1)
    #expect(metrics.sum("catraca_upstream_connections", ["upstream": "echo", "state": "idle"]) == 1)
    #expect(metrics.sum("catraca_jwks_keys", ["issuer": "login"]) == 1)
    #expect(metrics.sum("catraca_build_info") == 1)
    #expect(metrics.sum("catraca_access_log_dropped_total") == 0)
    #expect(metrics.sum("catraca_upstream_retries_total") == 0)
    #expect(metrics.samples.allSatisfy { $0.value >= 0 })
  }

  @Test("The page keeps Prometheus' text format: a type for each family, and buckets that only grow")
  func format() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    #expect(try await door.verdict(TokenDoor.token(key)) == "passed")
    let page = try await door.gateway.admin("/metrics")
    #expect(page["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
    let families = page.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map {
      String($0.split(separator: " ")[2])
    }
    #expect(Set(families).count == families.count)
    let metrics = try MetricsReading(page.text)
    for sample in metrics.samples {
      #expect(families.contains { sample.name == $0 || sample.name.hasPrefix($0 + "_") }, "\(sample)")
    }
    let buckets = metrics.samples.filter {
      $0.name == "catraca_request_duration_seconds_bucket" && $0.labels["route"] == "/door"
    }
    #expect(buckets.count > 3)
    #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value })
    #expect(buckets.last?.labels["le"] == "+Inf")
  }
}
