// Servers that fail and heal, with real processes and sockets: what clients get, and what log, metrics and status say.

import Foundation
import TestSupport
import Testing

@Suite("Health of servers")
struct HealthTests {
  /// No check runs out of time, however busy the machine is.
  private static let check = "interval: 200ms, timeout: 60s, healthy_after: 2, unhealthy_after: 2"

  private static func configuration(_ servers: [String], _ keys: String, workers: Int = 1) -> String {
    """
    workers: \(workers)
    upstreams:
      service: { servers: [\(servers.map { "\"\($0)\"" }.joined(separator: ", "))], \(keys) }
    routes:
      - { path: "/*", auth: public, upstream: service }
    """
  }

  /// A server that answers with its name, and checks with the given status.
  private struct Server {
    let upstream: TestUpstream
    let isWell: Monitor<Bool>

    static func start(_ name: String, isWell: Bool = true) async throws -> Server {
      let state = Monitor(isWell)
      let upstream = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          let status = request.target == "/healthz" && !state.current ? "503 No" : "200 OK"
          try await connection.answer(name, status: status, to: request)
        }
      }
      return Server(upstream: upstream, isWell: state)
    }

    var address: String { upstream.address }
    func become(well: Bool) { isWell.update { $0 = well } }
  }

  private func healthy(_ gateway: GatewayProcess, _ server: String) async throws -> Double {
    try await gateway.metrics().sum("catraca_upstream_healthy", ["upstream": "service", "server": server])
  }

  private struct Status: Decodable {
    struct Upstream: Decodable {
      var servers: [Server]
    }

    struct Server: Decodable {
      struct Check: Decodable {
        var result: String
        var status: Int?
      }

      var address: String
      var health: String
      var activeRequests: Int
      var lastCheck: Check?
    }

    var upstreams: [Upstream]
  }

  private func status(_ gateway: GatewayProcess, of address: String) async throws -> Status.Server {
    let document = try await gateway.admin("/status")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let status = try decoder.decode(Status.self, from: Data(document.body))
    return try #require(status.upstreams.first?.servers.first { $0.address == address })
  }

  @Test("A server whose checks fail gets no requests until they pass: log, metrics and status say so, once a change")
  func failsAndHeals() async throws {
    let a = try await Server.start("a")
    let b = try await Server.start("b")
    let gateway = try await GatewayProcess.start(
      Self.configuration([a.address, b.address], "health_check: { path: /healthz, \(Self.check) }", workers: 2))
    try await gateway.waitForMetrics("checks of both") {
      $0.sum("catraca_upstream_checks_total", ["server": a.address, "result": "passed"]) > 1
        && $0.sum("catraca_upstream_checks_total", ["server": b.address, "result": "passed"]) > 1
    }
    #expect(try await healthy(gateway, b.address) == 1)
    b.become(well: false)
    let line = try await gateway.waitForLog("b is out") { $0.contains("a server is unhealthy") }
    #expect(line.contains("server=\(b.address)"))
    #expect(line.contains("reason=status"))
    #expect(line.contains("status=503"))
    #expect(try await healthy(gateway, b.address) == 0)
    for _ in 1...10 { #expect(try await gateway.get("/").text == "a") }
    let known = try await status(gateway, of: b.address)
    #expect(known.health == "unhealthy")
    #expect(known.lastCheck?.result == "status")
    #expect(known.lastCheck?.status == 503)
    #expect(try await status(gateway, of: a.address).health == "healthy")
    // What is known is still known after a reload.
    #expect(try await gateway.reload().status == 200)
    #expect(try await healthy(gateway, b.address) == 0)
    for _ in 1...4 { #expect(try await gateway.get("/").text == "a") }
    b.become(well: true)
    _ = try await gateway.waitForLog("b is back") { $0.contains("a server is healthy") }
    var texts: Set<String> = []
    for _ in 1...8 { texts.insert(try await gateway.get("/").text) }
    #expect(texts == ["a", "b"])
    #expect(gateway.standardError.count { $0.contains("a server is") } == 2)
    // Checks are in no access log.
    #expect(!gateway.accessLog.contains { $0.contains("/healthz") })
  }

  @Test("Checks go over TLS with the upstream's own rules, over HTTP/2, over Unix sockets, and as a bare connect")
  func transports() async throws {
    let certificates = try await TestCertificates.shared()
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "app.sock").path
    let secure = try await TestUpstream.echo(secure: try await SecureGateway.server())
    let plain = try await TestUpstream.echo()
    let unix = try await TestUpstream.echo(path: path)
    let silent = try await TestUpstream.start { try await $0.stream.waitUntilGone() }
    // A gateway before the echo is a server that speaks HTTP/2.
    let far = try await GatewayProcess.start(Configurations.plain(plain))
    let tls = "connect_timeout: 1m, tls: { ca: \"\(certificates.authority)\", server_name: localhost }"
    let check = "interval: 200ms, timeout: 60s, unhealthy_after: 1"
    let gateway = try await GatewayProcess.start(
      """
      upstreams:
        https: { servers: ["\(secure.address)"], \(tls), health_check: { \(check) } }
        stranger: { servers: ["\(secure.address)"], tls: {}, health_check: { \(check) } }
        connect: { servers: ["\(silent.address)"], health_check: { type: tcp, \(check) } }
        handshake: { servers: ["\(secure.address)"], \(tls), health_check: { type: tcp, \(check) } }
        noTLS: { servers: ["\(silent.address)"], \(tls), health_check: { type: tcp, timeout: 1s, unhealthy_after: 1 } }
        unix: { servers: ["unix:\(path)"], health_check: { body: "Host: localhost", \(check) } }
        http2: { servers: ["127.0.0.1:\(far.port)"], protocol: http2, health_check: { body: "Host: me", host: me, \(check) } }
        notHTTP2: { servers: ["\(plain.address)"], protocol: http2, health_check: { \(check) } }
        gone: { servers: ["127.0.0.1:\(try closedPort())"], health_check: { \(check) } }
      routes:
        - { path: "/1", auth: public, upstream: https }
        - { path: "/2", auth: public, upstream: stranger }
        - { path: "/3", auth: public, upstream: connect }
        - { path: "/4", auth: public, upstream: handshake }
        - { path: "/5", auth: public, upstream: noTLS }
        - { path: "/6", auth: public, upstream: unix }
        - { path: "/7", auth: public, upstream: http2 }
        - { path: "/8", auth: public, upstream: notHTTP2 }
        - { path: "/9", auth: public, upstream: gone }
      """)
    let good = ["https", "connect", "handshake", "unix", "http2"]
    let bad = ["stranger", "noTLS", "notHTTP2", "gone"]
    try await gateway.waitForMetrics("checks of all") { metrics in
      good.allSatisfy { metrics.sum("catraca_upstream_checks_total", ["upstream": $0, "result": "passed"]) > 0 }
        && bad.allSatisfy { metrics.sum("catraca_upstream_checks_total", ["upstream": $0, "result": "failed"]) > 0 }
    }
    let metrics = try await gateway.metrics()
    for name in good {
      #expect(metrics.sum("catraca_upstream_healthy", ["upstream": name]) == 1, "\(name)")
      #expect(metrics.sum("catraca_upstream_checks_total", ["upstream": name, "result": "failed"]) == 0, "\(name)")
    }
    for name in bad {
      #expect(metrics.sum("catraca_upstream_healthy", ["upstream": name]) == 0, "\(name)")
      #expect(metrics.sum("catraca_upstream_checks_total", ["upstream": name, "result": "passed"]) == 0, "\(name)")
    }
    #expect(silent.connections.allSatisfy { $0.record.first != UInt8(ascii: "G") })
    #expect(unix.failures.isEmpty)
  }

  @Test("A gRPC server is asked by grpc.health.v1, and is out while it is not serving", .needsGRPC)
  func call() async throws {
    let folder = try TemporaryFolder()
    let server = try await GRPCPrograms.start("health.py", Self.healthServer, [], in: folder.url)
    let port = try await server.output.wait(for: "the gRPC server's port") { output -> String? in
      output.standardOutput.first { $0.hasPrefix("port ") }.map { String($0.dropFirst(5)) }
    }
    let check = "type: grpc, interval: 200ms, timeout: 60s, healthy_after: 1, unhealthy_after: 1"
    let gateway = try await GatewayProcess.start(
      """
      upstreams:
        orders: { servers: ["127.0.0.1:\(port)"], protocol: http2, health_check: { service: orders, \(check) } }
        other: { servers: ["127.0.0.1:\(port)"], protocol: http2, health_check: { service: other, \(check) } }
        whole: { servers: ["127.0.0.1:\(port)"], protocol: http2, health_check: { \(check) } }
      routes:
        - { path: "/1", auth: public, upstream: orders }
        - { path: "/2", auth: public, upstream: other }
        - { path: "/3", auth: public, upstream: whole }
      """)
    func state(_ metrics: MetricsReading) -> [Double] {
      ["orders", "other", "whole"].map { metrics.sum("catraca_upstream_healthy", ["upstream": $0]) }
    }
    // `orders` serves only from the fourth time on that it is asked for.
    _ = try await gateway.waitForLog("orders is out") { $0.contains("unhealthy") && $0.contains("upstream=orders") }
    try await gateway.waitForMetrics("orders to serve") { state($0) == [1, 0, 1] }
    let line = try await gateway.waitForLog("other is out") {
      $0.contains("unhealthy") && $0.contains("upstream=other")
    }
    #expect(line.contains("reason=not_serving"))
  }

  private static let healthServer = """
    import concurrent.futures, threading, grpc
    asked = 0
    def check(request, context):
        global asked
        if request == b"":
            return bytes([8, 1])
        if request == bytes([10, 6]) + b"orders":
            asked += 1
            return bytes([8, 1 if asked > 3 else 2])
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == "/grpc.health.v1.Health/Check":
                return grpc.unary_unary_rpc_method_handler(check)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Handler(),))
    print("port", server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Event().wait()
    """

  @Test("A server that fails requests is ejected, comes back, and both are logged once over two workers")
  func ejection() async throws {
    let isFailing = Monitor(true)
    let bad = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if isFailing.current { return try await connection.reset() }
        try await connection.answer("bad", to: request)
      }
    }
    let good = try await TestUpstream.answering("good")
    let gateway = try await GatewayProcess.start(
      Self.configuration([bad.address, good.address], "eject: { errors: 3, for: 1s }", workers: 2))
    var refusedCount = 0
    while refusedCount < 3 {
      let response = try await gateway.get("/", method: "POST", ["Content-Length: 0"])
      if response.status == 502 { refusedCount += 1 } else { #expect(response.text == "good") }
    }
    let line = try await gateway.waitForLog("the ejection") { $0.contains("a server is ejected") }
    #expect(line.contains("server=\(bad.address)"))
    #expect(line.contains("failures=3"))
    #expect(line.contains("for=1000ms"))
    isFailing.update { $0 = false }
    _ = try await gateway.waitForLog("its return") { $0.contains("a server is back") }
    var texts: Set<String> = []
    for _ in 1...8 { texts.insert(try await gateway.get("/").text) }
    #expect(texts == ["good", "bad"])
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_upstream_ejections_total", ["server": bad.address]) == 1)
    #expect(metrics.sum("catraca_upstream_healthy", ["server": bad.address]) == 1)
    #expect(gateway.standardError.count { $0.contains("a server is") } == 2)
  }

  @Test("With no server well requests go to all (panic), or are refused where that is off, and all heals by itself")
  func panic() async throws {
    let server = try await Server.start("a", isWell: false)
    for isStrict in [false, true] {
      server.become(well: false)
      let gateway = try await GatewayProcess.start(
        Self.configuration(
          [server.address],
          "health_check: { path: /healthz, \(Self.check) }\(isStrict ? ", panic_threshold: 0%" : "")"))
      _ = try await gateway.waitForLog("it is out") { $0.contains("a server is unhealthy") }
      if isStrict {
        try await gateway.waitUntil("the refusal") { try await gateway.get("/").code == "upstream_unavailable" }
        let refused = try await gateway.get("/")
        #expect(refused.status == 503 && refused["Retry-After"] == "1")
      } else {
        _ = try await gateway.waitForLog("panic") { $0.contains("too few servers are healthy") }
        #expect(try await gateway.get("/").text == "a")
        #expect(try await gateway.metrics().sum("catraca_upstream_panic") == 1)
      }
      server.become(well: true)
      try await gateway.waitUntil("it to be back") { try await healthy(gateway, server.address) == 1 }
      try await gateway.waitUntil("an answer") { try await gateway.get("/").text == "a" }
      #expect(try await gateway.metrics().sum("catraca_upstream_panic") == 0)
    }
  }
}
