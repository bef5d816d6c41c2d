// Spans as a collector gets them from the running gateway, and collectors that do not do what they should.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Traces through the gateway", .timeLimit(.minutes(10)))
struct TraceTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let parent = "00f067aa0ba902b7"

  @Test("The span of a request and those of its attempts say what happened, by the names of the conventions")
  func names() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let key = try TestKey(.es256)
    let upstream = try await TestUpstream.start { connection in
      if connection.number > 0 { while true { try await connection.echo() } }
      let request = try await connection.receiveRequest()
      try await connection.answer("busy", status: "503 Busy", to: request)
    }
    let gateway = try await GatewayProcess.start(
      """
      traces: { endpoint: "http://127.0.0.1:\(collector.port)/", headers: { X-Key: file:api.txt }, service_name: shop }
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
      upstreams: { app: { servers: ["\(upstream.address)"], retry: { attempts: 1, on: ["503"] } } }
      routes: [{ name: orders, path: "/orders/{id}", auth: login, upstream: app }]
      """, files: ["keys.json": keySetText(key), "api.txt": "opensesame\n"])
    let token = TokenDoor.token(key)
    let fields = ["User-Agent: probe/1", "Authorization: Bearer \(token)"]
    // The first one is sent twice.
    for _ in 0..<2 { #expect(try await gateway.get("/orders/7?secret=1", fields).status == 200) }
    #expect(try await gateway.get("/orders/7?secret=1").status == 401)
    #expect(try await gateway.exchange("BREW /none?secret=1 HTTP/1.1\r\nHost: pot.test:81\r\n\r\n").status == 404)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    let spans = try await collector.spans(atLeast: 7)
    #expect(spans.count == 7 && Set(spans.map(\.id)).count == 7)
    #expect(!"\(spans)".contains("secret") && !"\(spans)".contains(token))
    for span in spans {
      #expect(span.target == "/v1/traces" && span.headers["x-key"] == "opensesame")
      #expect(span.headers["content-type"] == "application/x-protobuf")
      #expect(span.resource["service.name"] == "shop" && span.resource["service.version"] != nil)
      #expect(span.resource["host.name"]?.isEmpty == false && span.start <= span.end)
    }
    try expectAttempts(spans, port: upstream.port)
    try expectRefusals(spans)
    // What the upstream was told is in the trace.
    let ids = spans.filter { $0.kind == "SPAN_KIND_CLIENT" }.map { "00-\($0.trace)-\($0.id)-01" }
    #expect(upstream.requests.allSatisfy { ids.contains($0["traceparent"] ?? "") })
  }

  private func expectAttempts(_ spans: [TraceCollector.Span], port: Int) throws {
    let good = spans.filter { $0.attributes["http.response.status_code"] == "200" && $0.kind == "SPAN_KIND_SERVER" }
    #expect(good.count == 2)
    for span in good {
      #expect(span.name == "GET /orders/{id}" && span.parent.isEmpty && span.status == "STATUS_CODE_UNSET")
      let expected = [
        "http.request.method": "GET", "url.scheme": "http", "url.path": "/orders/7", "http.route": "/orders/{id}",
        "client.address": "127.0.0.1", "network.protocol.version": "1.1", "user_agent.original": "probe/1",
        "catraca.route": "orders", "catraca.issuer": "login", "catraca.upstream": "app",
      ]
      for (name, value) in expected { #expect(span.attributes[name] == value, "\(name)") }
      #expect(span.attributes["server.address"] != nil && span.attributes["server.port"] != nil)
      #expect(span.attributes["error.type"] == nil && span.attributes["url.query"] == nil)
      #expect(span.events["catraca.token_check"] == ["catraca.token.result": "accepted"])
    }
    #expect(Set(good.compactMap { $0.attributes["catraca.token.cached"] }) == ["True", "False"])
    let attempts = spans.filter { $0.kind == "SPAN_KIND_CLIENT" }
    #expect(attempts.count == 3 && attempts.allSatisfy { $0.name == "GET" })
    for attempt in attempts {
      #expect(good.contains { $0.id == attempt.parent && $0.trace == attempt.trace })
      let status = attempt.attributes["http.response.status_code"]
      #expect(attempt.attributes["server.address"] == "127.0.0.1" && attempt.attributes["server.port"] == "\(port)")
      #expect(attempt.attributes["error.type"] == (status == "503" ? "503" : nil))
      #expect(attempt.status == (status == "503" ? "STATUS_CODE_ERROR" : "STATUS_CODE_UNSET"))
    }
    #expect(attempts.compactMap { $0.attributes["http.response.status_code"] }.sorted() == ["200", "200", "503"])
    #expect(attempts.compactMap { $0.attributes["http.request.resend_count"] } == ["1"])
  }

  private func expectRefusals(_ spans: [TraceCollector.Span]) throws {
    let refused = try #require(spans.first { $0.attributes["http.response.status_code"] == "401" })
    #expect(refused.attributes["error.type"] == "token_missing" && refused.status == "STATUS_CODE_UNSET")
    #expect(refused.events["catraca.token_check"] == ["catraca.token.result": "token_missing"])
    let brewed = try #require(spans.first { $0.attributes["http.response.status_code"] == "404" })
    #expect(brewed.name == "HTTP" && brewed.attributes["http.request.method"] == "_OTHER")
    #expect(brewed.attributes["http.request.method_original"] == "BREW" && brewed.attributes["http.route"] == nil)
    #expect(brewed.attributes["server.address"] == "pot.test" && brewed.attributes["server.port"] == "81")
    #expect(brewed.attributes["url.path"] == "/none" && brewed.attributes["error.type"] == "route_not_found")
  }

  @Test("T116: no query, and no token in one, is in a span, whatever becomes of the request")
  func queries() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let key = try TestKey(.es256)
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      traces: { endpoint: "http://127.0.0.1:\(collector.port)/" }
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
      upstreams: { app: { servers: ["\(upstream.address)"] }, gone: { servers: ["127.0.0.1:1"] } }
      routes:
        - { path: /orders/*, auth: { issuers: [login], tokens_from: ["query:token"] }, upstream: app }
        - { path: /gone, auth: public, upstream: gone }
        - { path: /old, auth: public, redirect: { to: "/orders/1" } }
      """, files: ["keys.json": keySetText(key)])
    let token = TokenDoor.token(key)
    let answers = [
      ("/orders/7?token=\(token)&secret=1", 200), ("/orders/7?token=\(token)x&secret=1", 401),
      ("http://localhost/orders/7?secret=1&token=\(token)", 200), ("/orders/7?secret=1", 401), ("/gone?secret=1", 502),
      ("/orders//7?secret=1", 308), ("/old?secret=1", 308), ("/none?secret=1", 404), ("/orders/%00?secret=1", 400),
    ]
    for (target, status) in answers {
      let answer = try await gateway.exchange(
        "GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      #expect(answer.status == status, "\(target)")
    }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    // A server's span for each, and a client's for what was sent or tried.
    let spans = try await collector.spans(atLeast: answers.count + 3)
    #expect(spans.filter { $0.kind == "SPAN_KIND_SERVER" }.count == answers.count)
    #expect(!"\(spans)".contains("secret") && !"\(spans)".contains(token))
    #expect(spans.allSatisfy { $0.attributes["url.query"] == nil && $0.attributes["url.full"]?.contains("?") != true })
  }

  @Test("A trusted proxy's trace goes on as one trace, an upstream's 500 is an error, and a reload ends traces")
  func parents() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let upstream = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
      }
    }
    func configuration(_ traces: String) -> String {
      """
      \(traces)
      trusted_proxies: [127.0.0.1]
      upstreams: { app: { servers: ["\(upstream.address)"] } }
      routes: [{ path: /*, auth: public, upstream: app }]
      """
    }
    let traces = "traces: { endpoint: \"http://127.0.0.1:\(collector.port)\", sample: 0%, paths: false }"
    let gateway = try await GatewayProcess.start(configuration(traces))
    let untraced = "00-\(String(Self.trace.reversed()))-\(Self.parent)-00"
    for value in ["none", untraced, "00-\(Self.trace)-\(Self.parent)-01"] {
      #expect(try await gateway.get("/a", ["traceparent: \(value)"]).status == 500)
    }
    let spans = try await collector.spans(atLeast: 2)
    let server = try #require(spans.first { $0.kind == "SPAN_KIND_SERVER" })
    let client = try #require(spans.first { $0.kind == "SPAN_KIND_CLIENT" })
    #expect(spans.count == 2 && spans.allSatisfy { $0.trace == Self.trace && $0.status == "STATUS_CODE_ERROR" })
    #expect(server.parent == Self.parent && client.parent == server.id && server.flags == 0x301)
    #expect(server.attributes["error.type"] == "500" && server.attributes["url.path"] == nil)
    let received = upstream.requests.compactMap { $0["traceparent"] }
    #expect(received[0].hasSuffix("-00") && received[1] == untraced)
    #expect(received[2] == "00-\(Self.trace)-\(client.id)-01")
    let sent = try await gateway.waitForMetrics("the spans to be counted") { $0.sum("catraca_traces_sent_total") == 2 }
    #expect(sent.sum("catraca_traces_dropped_total") == 0)
    try gateway.write(configuration: configuration(""))
    #expect(try await gateway.reload().text.contains("traces"))
    let good = "00-\(Self.trace)-\(Self.parent)-01"
    #expect(try await gateway.get("/a", ["traceparent: \(good)"]).status == 500)
    #expect(upstream.requests.last?["traceparent"] == good)
  }

  @Test("A collector over https is verified by the authority of the file, and gets large messages whole")
  func https() async throws {
    let certificates = try await TestCertificates.shared()
    let files = [certificates.certificate(.good), certificates.key(.good)]
    guard let collector = try await TraceCollector.start(files: files) else { return }
    func start(_ more: String) async throws -> GatewayProcess {
      try await GatewayProcess.start(
        """
        traces: { endpoint: "https://localhost:\(collector.port)"\(more) }
        routes: [{ path: /*, auth: public, respond: { status: 200, body: ok } }]
        """)
    }
    let strange = try await start("")
    #expect(try await strange.get("/strange").status == 200)
    _ = try await strange.waitForLog("a failed handshake") { $0.contains("does not take traces") && $0.contains("tls") }
    let gateway = try await start(", ca: \(certificates.authority)")
    let client = try await gateway.connect()
    let path = "/" + String(repeating: "a", count: 2000)
    for _ in 0..<300 { #expect(try await client.get(path).status == 200) }
    let spans = try await collector.spans(atLeast: 300)
    #expect(spans.count == 300 && spans.allSatisfy { $0.attributes["url.path"] == path })
  }

  @Test(
    "A collector that is slow, busy, gone or wrong harms no request, and what it does not take is counted",
    arguments: ["hangs", "busy", "garbles", "rejects", "picks", "gone"])
  func badCollectors(_ name: String) async throws {
    guard let (collector, port) = try await TraceCollector.start(named: name) else { return }
    let gateway = try await GatewayProcess.start(
      """
      traces: { endpoint: "http://127.0.0.1:\(port)", queue: 64 }
      routes: [{ path: /*, auth: public, respond: { status: 200, body: ok } }]
      """)
    let client = try await gateway.connect()
    let reason = ["garbles": "answer_invalid", "rejects": "rejected", "picks": "rejected"][name] ?? "queue_full"
    func reading() async throws -> Double {
      let metrics = try await gateway.metrics()
      return name == "busy"
        ? metrics.sum("catraca_traces_sent_total") : metrics.sum("catraca_traces_dropped_total", ["reason": reason])
    }
    try await poll("spans to be counted") {
      for _ in 0..<20 { #expect(try await client.get("/").status == 200) }
      return try await reading() > 0
    }
    if name == "busy" { #expect(try await collector?.spans(atLeast: 1).isEmpty == false) }
    // One that hangs is given ten seconds first.
    if name != "hangs" { _ = try await gateway.waitForLog("why") { $0.contains("the collector does not take traces") } }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    withExtendedLifetime(collector) {}
  }
}
