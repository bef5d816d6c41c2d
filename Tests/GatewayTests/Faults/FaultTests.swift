// Servers that are killed, hang, lie or dribble, as processes: what the clients got, what log and metrics say, and that
// the upstream is well again soon after its server is.

import TestSupport
import Testing

@Suite("Faults of servers")
struct FaultTests {
  private static func configuration(_ servers: [String], _ keys: String, routeKeys: String = "") -> String {
    """
    # A herd takes long to gather on a busy machine.
    limits: { header_timeout: 5m, idle_timeout: 5m }
    upstreams:
      service: { servers: [\(servers.map { "\"\($0)\"" }.joined(separator: ", "))], \(keys) }
    routes:
      - { path: "/*", auth: public, upstream: service\(routeKeys) }
    """
  }

  /// Asks until the server of that name answers. Every answer on the way is looked at.
  private func heal(
    _ gateway: GatewayProcess, to name: String, _ check: (RawResponse) -> Void = { _ in }
  ) async throws {
    try await gateway.waitUntil("an answer of \(name)") {
      let response = try await gateway.get("/heal")
      check(response)
      return response.text == name
    }
  }

  private func errors(_ gateway: GatewayProcess, _ reason: String) async throws -> Double {
    try await gateway.metrics().sum("catraca_errors_total", ["reason": reason])
  }

  @Test(
    "A server that is killed in the middle of answers: those are cut, no other request suffers, and it is used again")
  func killed() async throws {
    let first = try await FaultyServer.start(.half)
    let second = try await FaultyServer.start(.good, named: "second")
    let gateway = try await GatewayProcess.start(
      Self.configuration(
        [first.address, second.address], "retry: {}, eject: { errors: 3, for: 1s, on: [connect_failure] }"))
    var cut: [RawClient] = []
    for _ in 1...10 {
      let client = try await gateway.connect()
      try await client.send("GET /cut HTTP/1.1\r\nHost: test\r\n\r\n")
      if try await client.receiveResponseHead()["Content-Length"] == "1000" { cut.append(client) }
    }
    #expect(cut.count == 5)
    try await first.kill()
    for client in cut { #expect(try await client.receiveToEnd().count == 100) }
    for number in 1...10 { #expect(try await gateway.get("/after/\(number)").text == "second") }
    #expect(try await errors(gateway, "upstream_truncated") == 5)
    #expect(try await gateway.metrics().sum("catraca_upstream_retries_total") >= 1)
    _ = try await gateway.waitForAccessLog(containing: "upstream_truncated", "\"server\":\"\(first.address)\"")
    _ = try await gateway.waitForAccessLog(containing: "\"path\":\"/after/", "\"attempts\":2")
    let again = try await FaultyServer.start(.good, named: "first", port: first.port)
    try await heal(gateway, to: "first") { #expect($0.status == 200) }
    _ = again
  }

  @Test("A PUT goes to another server with its whole body when its first server is killed, and a POST does not")
  func keptBody() async throws {
    let first = try await FaultyServer.start(.silent)
    let second = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer("\(request.method) \(request.body.count)", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      Self.configuration([first.address, second.address], "retry: { buffer: 256KiB }, response_timeout: 5m"))
    var clients: [RawClient] = []
    for method in ["PUT", "POST"] {
      let client = try await gateway.connect()
      try await client.send("\(method) /\(method) HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n")
      try await client.send(String(repeating: "x", count: 200_000))
      clients.append(client)
      let count = Double(clients.count)
      try await gateway.waitUntil("\(method) to be at the silent server") {
        try await gateway.metrics().sum("catraca_upstream_connections", ["state": "active"]) == count
      }
      // Every other request is for the server that answers.
      #expect(try await gateway.get("/\(method)").text == "GET 0")
    }
    try await first.kill()
    #expect(try await clients[0].receiveResponse(to: "PUT").text == "PUT 200000")
    #expect(try await clients[1].receiveResponse(to: "POST").code == "upstream_closed")
    _ = try await gateway.waitForAccessLog(containing: "\"path\":\"/PUT\"", "\"attempts\":2")
  }

  @Test("A server that accepts and never answers: requests move on, it is put out, and comes back when it answers")
  func silent() async throws {
    let first = try await FaultyServer.start(.silent)
    let second = try await FaultyServer.start(.good, named: "second")
    let gateway = try await GatewayProcess.start(
      Self.configuration(
        [first.address, second.address],
        // On a busy machine the good server may be late as well, and is asked again then.
        "response_timeout: 3s, retry: { attempts: 5, on: [connect_failure, reset_before_response, response_timeout] }, "
          + "eject: { errors: 2, for: 1s, on: [timeout, connect_failure] }"))
    let client = try await gateway.connect()
    for _ in 1...8 { #expect(try await client.get("/").text == "second") }
    _ = try await gateway.waitForAccessLog(containing: "\"attempts\":2", "\"status\":200")
    #expect(try await gateway.metrics().sum("catraca_upstream_ejections_total") >= 1)
    try await first.kill()
    let again = try await FaultyServer.start(.good, named: "first", port: first.port)
    try await heal(gateway, to: "first") { #expect($0.status == 200) }
    _ = again
  }

  @Test("A server that answers garbage: 502 upstream_malformed until it is put out, and none of it reaches a client")
  func garbage() async throws {
    let first = try await FaultyServer.start(.garbage)
    let second = try await FaultyServer.start(.good, named: "second")
    let gateway = try await GatewayProcess.start(
      Self.configuration(
        [first.address, second.address], "retry: { on: [\"503\"] }, eject: { errors: 3, for: 10m }"))
    let client = try await gateway.connect()
    var failures = 0
    for _ in 1...20 {
      let response = try await client.get("/")
      if response.text != "second" {
        failures += 1
        #expect(response.status == 502)
        #expect(response.code == "upstream_malformed")
      }
    }
    #expect(failures == 3)
    #expect(try await errors(gateway, "upstream_malformed") == 3)
    let healthy = try await gateway.metrics().sum("catraca_upstream_healthy", ["server": first.address])
    #expect(healthy == 0)
    _ = try await gateway.waitForAccessLog(containing: "upstream_malformed", "\"server\":\"\(first.address)\"")
  }

  @Test("A server that dribbles: 504 where it is the head, and a body ends with the route's timeout, not before")
  func trickling() async throws {
    let head = try await FaultyServer.start(.trickle)
    let body = try await FaultyServer.start(.trickleBody)
    let slowHead = try await GatewayProcess.start(Self.configuration([head.address], "response_timeout: 1s"))
    let response = try await slowHead.get("/")
    #expect(response.status == 504)
    #expect(response.code == "upstream_timeout")
    let slowBody = try await GatewayProcess.start(
      Self.configuration([body.address], "read_timeout: 1h", routeKeys: ", timeout: 2s"))
    let byteCount = try await undisturbed("an answer that begins before the timeout") {
      let client = try await slowBody.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
      guard try await client.receiveResponseHead().status == 200 else { return Int?.none }
      let count = try await client.receiveToEnd().count
      return count > 0 ? count : nil
    }
    #expect(byteCount < 4000)
    _ = try await slowBody.waitForAccessLog(containing: "route_timeout", "\"status\":200")
    try await body.kill()
    let again = try await FaultyServer.start(.good, named: "well", port: body.port)
    try await heal(slowBody, to: "well")
    _ = again
  }

  @Test("All servers down: 502 with its code at once, and the first that comes back is used")
  func allDown() async throws {
    let ports = [try closedPort(), try closedPort()]
    let gateway = try await GatewayProcess.start(
      Self.configuration(ports.map { "127.0.0.1:\($0)" }, "retry: { backoff: 10ms }, eject: { errors: 2, for: 1s }"))
    let client = try await gateway.connect()
    for _ in 1...6 {
      let response = try await client.get("/")
      #expect(response.status == 502)
      #expect(response.code == "upstream_connect_failed")
    }
    #expect(try await errors(gateway, "upstream_connect_failed") == 6)
    let server = try await FaultyServer.start(.good, named: "back", port: ports[1])
    try await heal(gateway, to: "back")
    for _ in 1...10 { #expect(try await client.get("/").text == "back") }
    _ = server
  }

  @Test("A herd of clients meets a server that says 503: the budget holds, and most get that answer")
  func retryStorm() async throws {
    let server = try await FaultyServer.start(.busy)
    let gateway = try await GatewayProcess.start(
      Self.configuration([server.address], "retry: { attempts: 5, on: [\"503\"], backoff: 10s }"))
    var clients: [RawClient] = []
    for _ in 1...100 { clients.append(try await gateway.connect()) }
    for client in clients { try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n") }
    let metrics = try await gateway.waitForMetrics("every request's first answer") {
      $0.sum("catraca_upstream_retries_total") + $0.sum("catraca_upstream_retries_refused_total") >= 100
    }
    // Those within the budget wait for seconds before they ask again.
    #expect((1...20).contains(metrics.sum("catraca_upstream_retries_total")))
    #expect(metrics.sum("catraca_upstream_retries_refused_total") >= 80)
  }

  @Test(
    "A herd that waited for a server meets it as it comes back: all are served, over no more connections than allowed")
  func herd() async throws {
    let port = try closedPort()
    let gateway = try await GatewayProcess.start(
      Self.configuration(
        ["127.0.0.1:\(port)"],
        "max_requests: 20, queue: { length: 1000, timeout: 5m }, retry: { attempts: 1, backoff: 10ms }"))
    var clients: [RawClient] = []
    for _ in 1...100 { clients.append(try await gateway.connect()) }
    for client in clients { try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n") }
    for client in clients { #expect(try await client.receiveResponse().status == 502) }
    let before = try await gateway.metrics()
    #expect(before.sum("catraca_upstream_retries_total") <= 100)
    let server = try await FaultyServer.start(.good, named: "back", port: port)
    for client in clients { try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n") }
    for client in clients { #expect(try await client.receiveResponse().text == "back") }
    let after = try await gateway.metrics()
    #expect((1...20).contains(after.sum("catraca_upstream_connections", ["upstream": "service"])))
    #expect(after.sum("catraca_upstream_retries_total") == before.sum("catraca_upstream_retries_total"))
    _ = server
  }
}
