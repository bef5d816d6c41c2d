// T83, T120: fewer descriptors than clients, and clients that hold the door with silence.

import Foundation
import TestSupport
import Testing

@Suite("Want of descriptors", .timeLimit(.minutes(10)))
struct DescriptorTests {
  /// Runs the gateway with so many descriptors and no more.
  private static func launcher(_ count: Int) -> [String] { ["/bin/sh", "-c", "ulimit -n \(count); exec \"$@\"", "sh"] }

  private static let fixed = "routes: [{ path: /*, auth: public, respond: { status: 200, body: fixed } }]"

  /// A client that was let in, and says nothing more.
  private func idleClients(_ count: Int, at gateway: GatewayProcess) async throws -> [RawClient] {
    var clients: [RawClient] = []
    for _ in 0..<count { clients.append(try await gateway.connect()) }
    return clients
  }

  @Test(
    "T83: With 256 descriptors and hundreds of silent clients, upstreams and the admin listener have theirs",
    arguments: [1, 2])
  func silentClients(_ workers: Int) async throws {
    let upstream = try await TestUpstream.answering("served")
    let gateway = try await GatewayProcess.start(
      """
      workers: \(workers)
      limits: { header_timeout: 10s }
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """, launcher: Self.launcher(256))
    let opening = ContinuousClock.now
    let warning = try await gateway.waitForLog("what does not fit") { $0.contains("'limits.connections' of 10000") }
    #expect(warning.contains("256"), "\(warning)")
    #expect(warning.contains("write connections: "), "\(warning)")
    let early = try await gateway.connect()
    #expect(try await early.get("/").text == "served")
    let silent = try await idleClients(400, at: gateway)
    #expect(try await gateway.admin("/healthz").status == 200)
    // Each of them is served, though all before it still wait. Each asks a server again.
    for _ in 0..<20 {
      let response = try await gateway.get("/", ["Connection: close"])
      #expect(response.status == 200, "\(response)")
      #expect(response.text == "served", "\(response)")
    }
    #expect(try await gateway.admin("/healthz").status == 200)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_errors_total", ["reason": "upstream_connect_failed"]) == 0)
    #expect(metrics.sum("catraca_errors_total", ["reason": "idle_given_up"]) > 0)
    let isReport: @Sendable (String) -> Bool = { $0.contains("the descriptor budget is used up") }
    _ = try await gateway.waitForLog("that there is no room", isReport)
    // Once a minute.
    let minutes = Int((ContinuousClock.now - opening) / .seconds(60))
    #expect(gateway.standardError.count(where: isReport) <= 1 + minutes)
    // While they wait for their end nothing runs hot.
    let before = try gateway.processorSeconds()
    let start = ContinuousClock.now
    try await silent[399].expectClosed()
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    #expect(try gateway.processorSeconds() - before < 0.5 * elapsed + 0.3, "in \(elapsed) s")
  }

  @Test("T83: At limits.connections the client that was idle longest is closed for a new one", arguments: [1, 2])
  func longestIdle(_ workers: Int) async throws {
    let gateway = try await GatewayProcess.start(
      "workers: \(workers)\nlimits: { connections: 40 }\n" + Self.fixed)
    var clients: [RawClient] = []
    for _ in 0..<40 {
      let client = try await gateway.connect()
      #expect(try await client.get("/").text == "fixed")
      clients.append(client)
    }
    for _ in 0..<20 { #expect(try await gateway.connect().get("/").text == "fixed") }
    // Each of the new ones ended itself, and so some slots were enough for them.
    let count = Int(try await gateway.metrics().sum("catraca_errors_total", ["reason": "idle_given_up"]))
    #expect((1...20).contains(count))
    try await gateway.waitUntil("all that were given up to be closed") { clients.count { $0.isEnded } >= count }
    let ended = clients.indices.filter { clients[$0].isEnded }
    // A worker closes its own.
    #expect(workers == 1 ? ended == Array(0..<count) : ended[0] < 20, "\(ended)")
    #expect(try await clients[39].get("/").text == "fixed")
  }

  @Test(
    "T83: A silent HTTP/2 connection and one that never asked for anything are closed, too, the first with GOAWAY")
  func otherSilence() async throws {
    let gateway = try await GatewayProcess.start("limits: { connections: 2 }\n" + Self.fixed)
    let multiplexed = try await gateway.connect()
    try await multiplexed.send(Frames.preface + Frames.settings())
    let settings = try await multiplexed.receiveSome()
    #expect(SentFrame.all(settings).first?.type == 4)
    let silent = try await gateway.connect()
    try await gateway.waitForMetrics("both") { $0.sum("catraca_connections") == 2 }
    let first = try await gateway.connect()
    #expect(try await first.get("/").text == "fixed")
    let rest = try await multiplexed.receiveToEnd()
    #expect(SentFrame.all(rest).last?.type == 7)
    #expect(SentFrame.all(rest).last?.code == 0)
    let second = try await gateway.connect()
    #expect(try await second.get("/").text == "fixed")
    try await silent.expectClosed()
  }

  @Test("T83: Clients that say nothing before a TLS handshake do not hold the door")
  func silentHandshakes() async throws {
    let certificates = try await TestCertificates.shared()
    let tls = "{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }"
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - { address: "127.0.0.1:0", tls: { certificates: [\(tls)], handshake_timeout: 10m } }
        - { address: "127.0.0.2:0" }
      limits: { connections: 4 }
      \(Self.fixed)
      """)
    let silent = try await idleClients(4, at: gateway)
    let client = try await RawClient.connect(port: gateway.ports[1], host: "127.0.0.2")
    #expect(try await client.get("/").text == "fixed")
    // The client may have been let in before the last of them.
    try await gateway.waitForMetrics("one to be given up") {
      $0.sum("catraca_errors_total", ["reason": "idle_given_up"]) == 1
    }
    try await gateway.waitUntil("its end") { silent.contains { $0.isEnded } }
    #expect(silent.count { !$0.isEnded } == 3)
  }

  @Test("T83: When the last descriptor is gone all the same, nothing runs hot, and it goes on when there are more")
  func starved() async throws {
    let gateway = try await GatewayProcess.start("limits: { idle_timeout: 2s }\n" + Self.fixed)
    let client = try await gateway.connect()
    #expect(try await client.get("/").text == "fixed")
    let count = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gateway.processID)/fd").count
    func limit(_ count: Int) async throws {
      let arguments = ["--pid", "\(gateway.processID)", "--nofile=\(count):"]
      #expect(try await ChildProcess.run("prlimit", arguments).status == 0)
    }
    try await limit(count)
    let waiting = try await gateway.connect()
    try await waiting.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    let administrator = try await RawClient.connect(port: gateway.adminPort)
    try await administrator.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    let before = try gateway.processorSeconds()
    let start = ContinuousClock.now
    try await client.expectClosed()
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    #expect(try gateway.processorSeconds() - before < 0.5 * elapsed + 0.3, "in \(elapsed) s")
    try await limit(count + 50)
    #expect(try await waiting.receiveResponse().text == "fixed")
    #expect(try await administrator.receiveResponse().status == 200)
  }

  @Test("T120: Without descriptors for servers the gateway says so, and no server is ejected or unhealthy for it")
  func ownWant() async throws {
    var addresses: [String] = []
    var upstreams: [TestUpstream] = []
    for _ in 0..<2 {
      let upstream = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          if request.target == "/held" { return try await connection.stream.waitUntilGone() }
          try await connection.answer("well", to: request)
        }
      }
      upstreams.append(upstream)
      addresses.append("\"\(upstream.address)\"")
    }
    defer { withExtendedLifetime(upstreams) {} }
    let gateway = try await GatewayProcess.start(
      """
      limits: { streams: 200 }
      upstreams:
        service:
          servers: [\(addresses.joined(separator: ", "))]
          eject: { errors: 1, for: 10s }
          response_timeout: 10m
          health_check: { path: /check, interval: 100ms, timeout: 60s, unhealthy_after: 1, healthy_after: 1 }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """, launcher: Self.launcher(256))
    let client = try await gateway.connect()
    var frames = Frames.preface + Frames.settings()
    for number in 0..<200 as Range<UInt32> { frames += Frames.headers(number * 2 + 1, Frames.get("/held"), end: true) }
    try await client.send(frames)
    let metrics = try await gateway.waitForMetrics("refusals") {
      $0.sum("catraca_errors_total", ["reason": "resources_exhausted"]) > 0
    }
    #expect(metrics.sum("catraca_errors_total", ["reason": "upstream_connect_failed"]) == 0)
    #expect(metrics.sum("catraca_requests_total", ["code": "503"]) < 100)
    #expect(try await gateway.admin("/healthz").status == 200)
    // A check that ends leaves room for a moment.
    try await gateway.waitUntil("a refusal") {
      let refused = try await gateway.get("/other")
      return refused.status == 503 && refused.code == "resources_exhausted" && refused["Retry-After"] == "1"
    }
    client.close()
    try await gateway.waitUntil("room again") { try await gateway.get("/other").status == 200 }
    #expect(try await gateway.metrics().sum("catraca_upstream_ejections_total") == 0)
    #expect(!gateway.standardError.contains { $0.contains("ejected") || $0.contains("connect_failed") })
  }

  @Test("Descriptors 0 to 2 that are closed at the start become /dev/null, and nothing of the gateway's own")
  func closedAtStart() async throws {
    let gateway = try await GatewayProcess.start(
      "listeners: [{ address: \"127.0.0.1:0\" }]\naccess_log: { path: access.log }\n" + Self.fixed,
      launcher: ["/bin/sh", "-c", "exec \"$@\" 0<&- 1>&-", "sh"])
    #expect(try await gateway.get("/").text == "fixed")
    for number in 0...1 {
      let link = try FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/\(gateway.processID)/fd/\(number)")
      #expect(link == "/dev/null")
    }
  }
}
