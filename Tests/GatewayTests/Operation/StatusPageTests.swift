// `/status` for people: what the document says is on the page, as text, and nothing is loaded from elsewhere.

import Foundation
import TestSupport
import Testing

@Suite("The status page", .timeLimit(.minutes(10)))
struct StatusPageTests {
  private static let markup = "<img src=x onerror=document.title=1>"

  private func start() async throws -> (GatewayProcess, TestUpstream) {
    let upstream = try await TestUpstream.answering("ok")
    let gateway = try await GatewayProcess.start(
      """
      issuers: { login: { issuer: i, audiences: [a], jwks: "http://127.0.0.1:\(try closedPort())/keys" } }
      upstreams: { service: { servers: ["\(upstream.address)"] }, down: { servers: ["127.0.0.1:\(try closedPort())"] } }
      routes:
        - { path: /work, name: work, auth: public, upstream: service }
        - { path: /down, auth: public, upstream: down }
        - path: /closed
          host: "*.example.com"
          methods: [GET, POST]
          auth: { issuers: [login], scopes: { any: [a, b] }, claims: { tier: [gold], sub: { prefix: "x:" } } }
          clients: [127.0.0.0/8, "!10.0.0.1"]
          upstream: service
        - { path: /answer, auth: public, respond: { status: 204 } }
        - { path: /markup, name: "\(Self.markup)", auth: public, upstream: service }
      """)
    let client = try await gateway.connect()
    for _ in 0..<20 { #expect(try await client.get("/work").status == 200) }
    #expect(try await client.get("/down").status == 502)
    #expect(try await client.exchange("GET /closed HTTP/1.1\r\nHost: a.example.com\r\n\r\n").status == 401)
    return (gateway, upstream)
  }

  private func page(_ gateway: GatewayProcess, _ accept: String) async throws -> RawResponse {
    try await gateway.admin("/status", ["Accept: \(accept)"])
  }

  @Test("Who asks for HTML gets the page, everyone else the document, with counts by route and reason")
  func negotiated() async throws {
    let (gateway, upstream) = try await start()
    for accept in ["application/json", "*/*", "text/plain"] {
      #expect(try await page(gateway, accept)["Content-Type"] == "application/json", "\(accept)")
    }
    let html = try await page(gateway, "text/html,application/xhtml+xml,*/*;q=0.8")
    #expect(html["Content-Type"] == "text/html; charset=utf-8" && html["Vary"] == "Accept")
    let policy = try #require(html["Content-Security-Policy"])
    #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe"))
    let nonce = try #require(policy.firstMatch(of: /script-src 'nonce-([0-9a-f]+)'/)).1
    #expect(html.text.contains("<script nonce=\"\(nonce)\">") && html.text.contains("<style nonce=\"\(nonce)\">"))
    #expect(try await page(gateway, "text/html")["Content-Security-Policy"] != policy)
    for outside in ["http:", "https:", "//", "src=", "href=", "@import", "url(", "innerHTML", " style="] {
      // Comments of the script are the only two slashes.
      let text = html.text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined()
      #expect(!text.contains(outside), "\(outside)")
    }
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(try await page(gateway, "*/*").body)) as? [String: Any])
    let routes = try #require(document["routes"] as? [[String: Any]])
    #expect(routes.first?["requests"] as? Int == 20 && routes[1]["server_errors"] as? Int == 1)
    #expect((routes.first?["latency_counts"] as? [Int])?.reduce(0, +) == 20)
    let latency = try #require(routes.first?["latency_ms"] as? [String: Double])
    let quantiles = ["p50", "p95", "p99"].compactMap { latency[$0] }
    #expect(quantiles.count == 3 && quantiles[0] > 0 && quantiles == quantiles.sorted())
    #expect(routes[4]["latency_ms"] == nil && routes[4]["requests"] as? Int == 0)
    let refusals = try #require(document["refusals"] as? [String: Int])
    #expect(refusals["upstream_connect_failed"] == 1 && refusals["token_missing"] == 1)
    #expect(document["requests"] as? Int == 22 && document["server_errors"] as? Int == 1)
    _ = upstream
  }

  @Test("The document says who may pass on each route, and how the gateway is")
  func document() async throws {
    let (gateway, upstream) = try await start()
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(try await page(gateway, "*/*").body)) as? [String: Any])
    #expect(document["ready"] as? Bool == false)
    #expect(document["obstacles"] as? [String] == ["issuer login has no keys"])
    #expect((document["certificates"] as? [Any])?.isEmpty == true)
    #expect(document["token_cache"] as? [String: Int] == ["hits": 0, "misses": 0])
    let rules = try #require(document["routes"] as? [[String: Any]]).map { $0["rules"] as? [String: Any] ?? [:] }
    #expect(rules[0]["public"] as? Bool == true)
    #expect(rules[0]["upstreams"] as? [String] == ["service"])
    #expect(rules[2]["public"] as? Bool == false)
    #expect(rules[2]["host"] as? String == "*.example.com")
    #expect(rules[2]["methods"] as? [String] == ["GET", "POST"])
    #expect(rules[2]["issuers"] as? [String] == ["login"])
    #expect(rules[2]["scopes"] as? [String] == ["a", "b"])
    #expect(rules[2]["any_scope"] as? Bool == true)
    #expect(Set(rules[2]["claims"] as? [String] ?? []) == ["tier: gold", "sub: x:…"])
    #expect(rules[2]["clients"] as? [String] == ["127.0.0.0/8", "!10.0.0.1"])
    #expect(rules[3]["answer"] as? String == "status 204")
    let last = try #require(document["last_refusals"] as? [[String: Any]])
    #expect(last.map { $0["code"] as? String } == ["token_missing", "upstream_connect_failed"])
    #expect(last.map { $0["route"] as? String } == ["/closed", "/down"])
    #expect(last.map { $0["status"] as? Int } == [401, 502])
    let logged = try await gateway.waitForAccessLog(containing: "\"reason\":\"token_missing\"")
    let id = try #require(last[0]["request_id"] as? String)
    #expect(logged.contains("\"request_id\":\"\(id)\""))
    let messages = try #require(document["messages"] as? [[String: Any]])
    let keys = messages.first { $0["kind"] as? String == "keys" }
    #expect((keys?["text"] as? String)?.hasPrefix("keys cannot be loaded: issuer login") == true, "\(messages)")
    let history = try #require(document["history"] as? [String: Any])
    #expect(history["interval_seconds"] as? Int == 5)
    #expect(history["requests_per_second"] is [Double])
    let configuration = try #require(document["configuration"] as? [String: Any])
    #expect(configuration["file"] as? String == "gateway.conf")
    #expect(configuration["last_reload_errors"] as? [String] == [])
    _ = upstream
  }

  @Test("Chromium shows routes, servers, issuers and refusals, and names stay text", .needs("chromium"), .tags(.slow))
  func browser() async throws {
    let (gateway, upstream) = try await start()
    let profile = try TemporaryFolder()
    let browser = try await ChildProcess.run(
      "chromium",
      [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--user-data-dir=\(profile.url.path)", "--virtual-time-budget=9000", "--dump-dom",
        "http://127.0.0.1:\(gateway.adminPort)/status",
      ])
    let seen = browser.standardOutput
    for text in [
      "work", "/down", upstream.address, "login", "upstream_connect_failed", "Not ready: issuer login has no keys",
    ] {
      #expect(seen.contains(">\(text)<"), "\(text): \(seen)")
    }
    #expect(seen.contains("&lt;img src=x") && !seen.contains(Self.markup) && seen.contains("<title>Catraca: status<"))
    // A rate is a difference of two documents: it was refreshed.
    #expect(seen.contains(/<dd id="rate">[0-9.]+<\/dd>/))
    #expect(!browser.standardError.contains("Content Security Policy"), "\(browser.standardError)")
  }
}
