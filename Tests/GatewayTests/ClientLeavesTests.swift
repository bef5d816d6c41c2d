// T97: clients that leave in the ordinary way, by an end of their stream and no reset, over every protocol and in every
// state of their request: it is over at once, on both sides.

import TestSupport
import Testing

@Suite("Clients that leave", .timeLimit(.minutes(10)))
struct ClientLeavesTests {
  enum Way: CaseIterable {
    case http1, http2, secureHTTP1, secureHTTP2

    var isSecure: Bool { self == .secureHTTP1 || self == .secureHTTP2 }
    var isHTTP2: Bool { self == .http2 || self == .secureHTTP2 }
  }

  /// Every timeout that could end an exchange lies far beyond the tests' patience.
  private static let patient = "limits: { body_timeout: 10m, drain_timeout: 10m }"
  private static let patientUpstream = "response_timeout: 10m, read_timeout: off"

  private static func start(
    _ way: Way, _ upstream: TestUpstream, upstreamKeys: String = "", routeKeys: String = ""
  ) async throws -> GatewayProcess {
    let keys = patientUpstream + (upstreamKeys.isEmpty ? "" : ", ") + upstreamKeys
    let rest = Configurations.plain(upstream, top: patient, upstreamKeys: keys, routeKeys: routeKeys)
    return try await GatewayProcess.start((way.isSecure ? try await SecureGateway.listener() : "") + rest)
  }

  private static func connect(_ way: Way, _ gateway: GatewayProcess) async throws -> RawClient {
    let client =
      way.isSecure
      ? try await RawClient.connect(
        port: gateway.port, secure: try await SecureGateway.client(protocols: [way.isHTTP2 ? "h2" : "http/1.1"]))
      : try await gateway.connect()
    if way.isHTTP2 { try await client.send(Frames.preface + Frames.settings()) }
    return client
  }

  private static func ask(_ way: Way, _ client: RawClient, _ path: String) async throws {
    if way.isHTTP2 {
      try await client.send(Frames.headers(1, Frames.get(path), end: true))
    } else {
      try await client.send("GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
    }
  }

  /// A request that a server has and never answers.
  private static func askWorkingServer(_ way: Way) async throws -> (TestUpstream, GatewayProcess, RawClient) {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await start(way, upstream)
    let client = try await connect(way, gateway)
    try await ask(way, client, "/works")
    _ = try await upstream.waitForRequests(1)
    return (upstream, gateway, client)
  }

  /// No connection is left on either side, and no place is taken.
  private static func expectNothingLeft(_ gateway: GatewayProcess, _ upstream: TestUpstream) async throws {
    try await upstream.waitForOpenConnections(0)
    try await gateway.waitForMetrics("no connection to be counted") { metrics in
      metrics.sum("catraca_connections") == 0 && metrics.sum("catraca_upstream_connections") == 0
        && metrics.sum("catraca_upstream_requests_active") == 0
    }
  }

  @Test(
    "T97 A client that leaves while the server works is 499 at once, and the server learns of it",
    arguments: Way.allCases)
  func whileServerWorks(_ way: Way) async throws {
    let (upstream, gateway, client) = try await Self.askWorkingServer(way)
    client.close()
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"status\":499") && line.contains("\"reason\":\"client_closed\""), "\(line)")
    try await Self.expectNothingLeft(gateway, upstream)
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": "client_closed"]) == 1)
  }

  @Test("T97 Whoever only ends its half has left, too, and gets no answer", arguments: Way.allCases)
  func halfClosed(_ way: Way) async throws {
    let (upstream, gateway, client) = try await Self.askWorkingServer(way)
    try await client.shutdownOutput()
    try await client.waitUntilGone()
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"status\":499"))
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("T97 A stream of events that is silent ends with its client, on both sides", arguments: Way.allCases)
  func eventStream(_ way: Way) async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(way, upstream)
    let client = try await Self.connect(way, gateway)
    try await Self.ask(way, client, "/events")
    _ = try await client.receive(through: "data: first\n\n")
    client.close()
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"status\":200") && line.contains("\"reason\":\"client_closed\""), "\(line)")
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("T97 Whoever ends its half while a long body comes gets no more of it", arguments: Way.allCases)
  func longBody(_ way: Way) async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
      connection.stream.startSending(repeating: 0x78, count: 1_000_000_000_000)
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(way, upstream)
    let client = try await Self.connect(way, gateway)
    client.discardInput()
    if way.isHTTP2 { try await client.send(Frames.windowUpdate(0, 1 << 30)) }
    try await Self.ask(way, client, "/long")
    if way.isHTTP2 { try await client.send(Frames.windowUpdate(1, 1 << 30)) }
    try await client.waitUntilReceived(1_000_000)
    try await client.shutdownOutput()
    try await client.waitUntilGone()
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"status\":200") && line.contains("\"reason\":\"client_closed\""), "\(line)")
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("T97 Whoever leaves the line of a full upstream is never sent to it, and its place in the line is free")
  func inLine() async throws {
    let (begun, go) = (Gate(), Gate())
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        begun.open()
        try await go.wait()
        try await connection.answer(request.target, to: request)
      }
    }
    let gateway = try await Self.start(
      .http1, upstream, upstreamKeys: "max_requests: 1, queue: { length: 1, timeout: 5m }")
    let first = try await gateway.connect()
    try await Self.ask(.http1, first, "/first")
    try await begun.wait()
    let second = try await gateway.connect()
    try await Self.ask(.http1, second, "/second")
    try await gateway.waitForMetrics("one to wait") { $0.sum("catraca_upstream_queued") == 1 }
    second.close()
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"path\":\"/second\"") && line.contains("\"status\":499"), "\(line)")
    try await gateway.waitForMetrics("nobody to wait") { $0.sum("catraca_upstream_queued") == 0 }
    let third = try await gateway.connect()
    try await Self.ask(.http1, third, "/third")
    try await gateway.waitForMetrics("the next to wait") { $0.sum("catraca_upstream_queued") == 1 }
    go.open()
    #expect(try await first.receiveResponse().text == "/first")
    #expect(try await third.receiveResponse().text == "/third")
    #expect(upstream.requests.map(\.target) == ["/first", "/third"])
  }

  @Test("T97 Whoever leaves a connection that is not read, for all that it pipelined, is missed all the same")
  func unread() async throws {
    let (upstream, gateway, client) = try await Self.askWorkingServer(.http1)
    let more = "GET /more HTTP/1.1\r\nHost: test\r\nX-Much: \(String(repeating: "m", count: 1000))\r\n\r\n"
    try await client.send(String(repeating: more, count: 120))
    client.close()
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"status\":499"))
    try await Self.expectNothingLeft(gateway, upstream)
    #expect(upstream.requests.count == 1 && gateway.accessLog.count == 1)
  }

  @Test("T97 A drain does not wait for the requests of those who have left", arguments: Way.allCases)
  func drain(_ way: Way) async throws {
    let (_, gateway, client) = try await Self.askWorkingServer(way)
    gateway.terminate()
    _ = try await gateway.waitForLog("draining") { $0.contains(" notice draining") }
    client.close()
    #expect(try await gateway.waitForExit() == 0)
  }

  @Test("T97 A WebSocket whose client leaves is gone at the server, too", arguments: Way.allCases)
  func webSocket(_ way: Way) async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      try await connection.send(webSocketAgreement(to: request))
      try await connection.send([0x81, 0x02] + Array("hi".utf8))
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(way, upstream, routeKeys: "websocket: { idle_timeout: 24h }")
    let client = try await Self.connect(way, gateway)
    if way.isHTTP2 {
      let fields = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "example.org"),
        (":path", "/live"), ("sec-websocket-version", "13"),
      ]
      try await client.send(Frames.headers(1, fields))
    } else {
      try await client.send(webSocketHandshake("/live"))
    }
    _ = try await client.receive(through: "hi")
    client.close()
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"path\":\"/live\""))
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("T97 What the gateway answers itself is written to its end for those who end their half behind the request")
  func ownAnswers() async throws {
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: own } }]")
    let client = try await gateway.connect()
    client.startSending(Array((1...3).map { "GET /\($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined().utf8))
    try await client.shutdownOutput()
    for _ in 1...3 { #expect(try await client.receiveResponse().text == "own") }
    try await client.expectClosed()
  }
}
