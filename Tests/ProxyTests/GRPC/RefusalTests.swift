// Each refusal of a call is a status of gRPC, and refusals of everything else stay what they are.

import HTTPWire
import Testing
import Tokens

@testable import Proxy

@Suite("gRPC refusals")
struct GRPCRefusalTests {
  @Test("Each status has its counterpart, and each code needs no percent-encoding")
  func mapping() {
    let all =
      GatewayRefusal.allCases.map(Refusal.gateway) + TokenRefusal.allCases.map(Refusal.token)
      + HeadError.allCases.map(Refusal.head) + TargetError.allCases.map(Refusal.target)
    let expected: [Int: Int] = [
      400: 13, 401: 16, 403: 7, 404: 12, 405: 12, 413: 8, 414: 8, 429: 8, 431: 8, 499: 1, 501: 12, 502: 14, 503: 14,
    ]
    for refusal in all {
      #expect(refusal.code.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) })
      switch refusal {
      case .gateway(.upstreamTimeout), .gateway(.routeTimeout), .gateway(.grpcDeadlineExceeded),
        .gateway(.bodyTimeout):
        #expect(refusal.record.grpcStatus == .deadlineExceeded)
      case .gateway(.upstreamConnectTimeout): #expect(refusal.record.grpcStatus == .unavailable)
      default:
        #expect(
          refusal.record.grpcStatus.rawValue == expected[refusal.status] ?? 2, "\(refusal.code) \(refusal.status)")
      }
    }
  }

  @Test("A call without a token, with a bad one, and with one of too little scope")
  func tokens() throws {
    let issuer = try BenchIssuer()
    let bench = try CallBench(
      issuer.section + "\nroutes: [{ path: /*, auth: { issuers: [login], scopes: [orders] }, upstream: app }]",
      issuer: issuer)
    try bench.expectRefusal(try bench.call(), 16, "token_missing")
    let expired = try issuer.token(seconds: -3600)
    try bench.expectRefusal(
      try bench.call(CallBench.head("/s/m", "Authorization: Bearer \(expired)")), 16, "token_expired")
    let good = try issuer.token()
    try bench.expectRefusal(
      try bench.call(CallBench.head("/s/m", "Authorization: Bearer \(good)")), 7, "scope_missing")
    #expect(bench.bench.servers.isEmpty)
    bench.bench.expectNothingHeld()
  }

  @Test(
    "Keys that are not available, a path that no route has, a method, a path that is wrong, a body that is too large")
  func others() throws {
    let issuer = try BenchIssuer()
    let bench = try CallBench(
      """
      issuers: { login: { issuer: i, audiences: [a], jwks: "https://idp.test/keys" } }
      routes:
        - { path: /keys/*, auth: login, upstream: app }
        - { path: /get/*, methods: [GET], auth: public, upstream: app }
        - { path: /small/*, auth: public, upstream: app, body_size: 4B }
      """)
    let token = try issuer.token()
    try bench.expectRefusal(
      try bench.call(CallBench.head("/keys/m", "Authorization: Bearer \(token)")), 14, "keys_unavailable")
    try bench.expectRefusal(try bench.call(CallBench.head("/none/m")), 12, "route_not_found")
    try bench.expectRefusal(try bench.call(CallBench.head("/get/m")), 12, "method_not_allowed")
    try bench.expectRefusal(try bench.call(CallBench.head("/get/%2e%2e/%2e%2e/m")), 13, "path_above_root")
    let metadata = "big: " + String(repeating: "x", count: 40_000)
    try bench.expectRefusal(try bench.call(CallBench.head("/get/m", metadata)), 8, "head_too_large")
    let large = try bench.call(CallBench.head("/small/m"), end: false)
    let server = try bench.server()
    try bench.client.send(Array("12345".utf8), on: large)
    try bench.expectRefusal(large, 8, "body_too_large")
    #expect(bench.client.streams[large]?.closed == 0)
    server.exchange()
    #expect(server.streams[1]?.closed == 8)
    bench.bench.expectNothingHeld()
  }

  @Test("A server that is not there, that does not answer in time, and that ends the stream")
  func servers() throws {
    let slow = "upstreams: { app: { servers: [10.0.0.1:9000], protocol: http2, response_timeout: 5s } }"
    let bench = try CallBench(upstream: slow)
    bench.bench.refusing = ["10.0.0.1:9000"]
    try bench.expectRefusal(try bench.call(), 14, "upstream_connect_failed")
    bench.bench.refusing = []
    let late = try bench.call()
    let server = try bench.server()
    bench.wait(.seconds(6), server)
    try bench.expectRefusal(late, 4, "upstream_timeout")
    #expect(server.streams[1]?.closed == 8)
    let lost = try bench.call()
    server.exchange()
    try server.reset(3, code: 2)
    bench.client.exchange()
    try bench.expectRefusal(lost, 14, "upstream_closed")
    bench.bench.expectNothingHeld()
  }

  @Test("T61 An answer that breaks off resets the call, and the log says how it would have ended")
  func truncated() throws {
    let bench = try CallBench()
    let stream = try bench.call()
    let server = try bench.server()
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    try server.send([0, 0, 0, 0, 0], on: 1)
    try server.reset(1, code: 2)
    bench.client.exchange()
    let seen = try #require(bench.client.streams[stream])
    #expect(seen.content.count == 5 && seen.trailers.isEmpty && !seen.isEnded && seen.closed == 2)
    let line = bench.bench.logLines.last ?? ""
    #expect(line.contains("\"grpc_status\":14,") && line.contains("upstream_truncated"), "\(line)")
    bench.bench.expectNothingHeld()
  }

  @Test("A call that its client gives up is cancelled at the server and in the log")
  func cancelled() throws {
    let bench = try CallBench()
    let stream = try bench.call(end: false)
    let server = try bench.server()
    try bench.client.reset(stream, code: 8)
    server.exchange()
    #expect(server.streams[1]?.closed == 8)
    #expect(bench.bench.logLines.last?.contains("\"grpc_status\":1,") == true, "\(bench.bench.logLines)")
    bench.bench.expectNothingHeld()
  }

  @Test(
    "What is not a call is refused as ever",
    arguments: [
      "application/grpc-webs", "application/grpc-web-texts", "application/grpcx", "application/json",
      "text/application/grpc", "application/grpc, application/grpc",
    ])
  func noCalls(_ type: String) throws {
    let bench = try CallBench("routes: [{ path: /only, auth: public, upstream: app }]")
    let stream = try bench.call("POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: \(type)\r\n\r\n")
    let seen = try #require(bench.client.streams[stream])
    #expect(seen.head.first == "404" && seen.head.contains("content-type: application/problem+json"))
    #expect(String(decoding: seen.content, as: UTF8.self).contains("route_not_found"))
    #expect(bench.bench.logLines.last?.contains("grpc_status") == false)
  }

  @Test(
    "Every encoding of messages is a call",
    arguments: [
      "application/grpc+proto", "application/grpc+json", "Application/GRPC", "application/grpc;charset=utf-8",
    ])
  func encodings(_ type: String) throws {
    let bench = try CallBench("routes: [{ path: /only, auth: public, upstream: app }]")
    let stream = try bench.call("POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: \(type)\r\n\r\n")
    try bench.expectRefusal(stream, 12, "route_not_found")
  }

  @Test(
    "A call of gRPC-Web is refused by a head with its status, over both protocols",
    arguments: [
      ("application/grpc-web", "application/grpc-web+proto"),
      ("application/grpc-web+json", "application/grpc-web+proto"),
      ("Application/grpc-web-text;charset=utf-8", "application/grpc-web-text+proto"),
      ("application/grpc-web-text+proto", "application/grpc-web-text+proto"),
    ])
  func webCalls(_ type: String, _ expected: String) throws {
    let issuer = try BenchIssuer()
    let calls = try CallBench(
      issuer.section + "\nroutes: [{ path: /*, auth: login, upstream: app, cors: { origins: [\"https://p.test\"] } }]",
      issuer: issuer)
    let fields = ["Host: h", "Origin: https://p.test", "Content-Type: \(type)"].map { $0 + "\r\n" }.joined()
    let stream = try calls.call("POST /s/m HTTP/1.1\r\n\(fields)\r\n")
    let seen = try #require(calls.client.streams[stream])
    #expect(seen.isHeadLast && seen.head.first == "200", "\(seen.head)")
    for line in [
      "content-type: \(expected)", "grpc-status: 16", "grpc-message: token_missing",
      "access-control-expose-headers: Grpc-Status, Grpc-Message", "access-control-allow-origin: https://p.test",
    ] { #expect(seen.head.contains(line), "\(line) in \(seen.head)") }
    #expect(calls.bench.logLines.last?.contains("\"grpc_status\":16,") == true)
    let client = calls.bench.connect()
    client.send("POST /s/m HTTP/1.1\r\n\(fields)Content-Length: 0\r\n\r\n")
    #expect(status(client.text) == 200)
    #expect(values("grpc-status", in: client.text) == ["16"])
    #expect(values("content-type", in: client.text) == [expected])
    #expect(values("content-length", in: client.text) == ["0"])
    calls.bench.expectNothingHeld()
  }

  @Test("Over HTTP/1.1 there is no gRPC: the type changes nothing, and neither does a timeout")
  func http1() throws {
    let bench = try Bench("routes: [{ path: /only, auth: public, upstream: app }]")
    let client = bench.connect()
    client.send(get("/x", "Content-Type: application/grpc"))
    #expect(status(client.take()) == 404)
    client.send(get("/only", "Content-Type: application/grpc", "grpc-timeout: never"))
    try bench.server().send(ok())
    #expect(status(client.text) == 200)
    #expect(bench.logLines.allSatisfy { !$0.contains("grpc_status") })
    bench.expectNothingHeld()
  }
}
