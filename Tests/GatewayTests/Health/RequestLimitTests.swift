// Limits on an upstream's requests under real load over two workers, and the line before it.

import TestSupport
import Testing

@Suite("Limits on an upstream's requests")
struct RequestLimitTests {
  /// Answers when it is let, and knows how many requests it had at once at most.
  private struct Server {
    struct State: Sendable {
      var nowCount = 0
      var peak = 0
      var isOpen = false
    }

    let upstream: TestUpstream
    let state: Monitor<State>

    static func start(isOpen: Bool = false) async throws -> Server {
      let state = Monitor(State(isOpen: isOpen))
      let upstream = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          state.update {
            $0.nowCount += 1
            $0.peak = max($0.peak, $0.nowCount)
          }
          try await state.wait(for: "leave to answer") { $0.isOpen ? () : nil }
          state.update { $0.nowCount -= 1 }
          try await connection.answer(request.target, to: request)
        }
      }
      return Server(upstream: upstream, state: state)
    }

    func open() { state.update { $0.isOpen = true } }
  }

  @Test("Over two workers exactly max_requests are let in, the others are refused at once with Retry-After")
  func exact() async throws {
    let server = try await Server.start()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(server.upstream, top: "workers: 2", upstreamKeys: "max_requests: 7"))
    try await withThrowingTaskGroup(of: RawResponse.self) { group in
      for number in 1...40 { group.addTask { try await gateway.get("/\(number)") } }
      var responses: [RawResponse] = []
      while responses.count < 33, let response = try await group.next() { responses.append(response) }
      #expect(responses.allSatisfy { $0.status == 503 && $0.code == "upstream_overloaded" && $0["Retry-After"] == "1" })
      let metrics = try await gateway.metrics()
      #expect(metrics.sum("catraca_upstream_requests_active") == 7)
      #expect(metrics.sum("catraca_upstream_rejected_total", ["reason": "upstream_overloaded"]) == 33)
      try await server.state.wait(for: "seven requests at the server") { $0.nowCount == 7 ? () : nil }
      server.open()
      while let response = try await group.next() { #expect(response.status == 200) }
    }
    #expect(server.state.current.peak == 7)
    try await gateway.waitForMetrics("none is active") { $0.sum("catraca_upstream_requests_active") == 0 }
    #expect(try await gateway.get("/after").text == "/after")
  }

  @Test(
    "Under a flood from many connections the server never has more than its limit, and everyone in the line is served")
  func flood() async throws {
    let server = try await Server.start(isOpen: true)
    let gateway = try await GatewayProcess.start(
      Configurations.plain(
        server.upstream, top: "workers: 2",
        upstreamKeys: "max_requests: 3, max_requests_per_server: 2, queue: { length: 1000, timeout: 5m }"))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...40 {
        group.addTask {
          let client = try await gateway.connect()
          for turn in 1...25 { #expect(try await client.get("/\(number)/\(turn)").text == "/\(number)/\(turn)") }
        }
      }
      try await group.waitForAll()
    }
    #expect(server.state.current.peak <= 2)
    #expect(server.upstream.requests.count == 1000)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_upstream_rejected_total") == 0 && metrics.sum("catraca_upstream_queued") == 0)
    #expect(metrics.sum("catraca_upstream_requests_active") == 0)
  }

  @Test("Who waits too long is refused, who goes away leaves the line, and one worker wakes the other's")
  func line() async throws {
    let server = try await Server.start()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(
        server.upstream, top: "workers: 2", upstreamKeys: "max_requests: 1, queue: { length: 20, timeout: 5m }"))
    let first = try await gateway.connect()
    try await first.send("GET /first HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await server.upstream.waitForRequests(1)
    var clients: [RawClient] = []
    for number in 1...12 {
      let client = try await gateway.connect()
      try await client.send("GET /\(number) HTTP/1.1\r\nHost: test\r\n\r\n")
      clients.append(client)
    }
    try await gateway.waitForMetrics("twelve wait") { $0.sum("catraca_upstream_queued") == 12 }
    for client in clients[8...] { try await client.reset() }
    try await gateway.waitForMetrics("eight wait") { $0.sum("catraca_upstream_queued") == 8 }
    server.open()
    #expect(try await first.receiveResponse(to: "GET").text == "/first")
    for (index, client) in clients[..<8].enumerated() {
      #expect(try await client.receiveResponse(to: "GET").text == "/\(index + 1)")
    }
    #expect(server.state.current.peak == 1 && server.upstream.requests.count == 9)
  }

  @Test("The wait for a place ends with 503 and its code")
  func timeout() async throws {
    let server = try await Server.start()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(server.upstream, upstreamKeys: "max_requests: 1, queue: { length: 1, timeout: 300ms }"))
    let first = try await gateway.connect()
    try await first.send("GET /first HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await server.upstream.waitForRequests(1)
    let second = try await gateway.get("/second")
    #expect(second.status == 503 && second.code == "upstream_queue_timeout" && second["Retry-After"] == "1")
    server.open()
    #expect(try await first.receiveResponse(to: "GET").text == "/first")
    #expect(server.upstream.requests.count == 1)
  }
}
