// Connections that carry several requests (RFC 9112 §9.3): one after the other, in one write, and to the end of a half.

import TestSupport
import Testing

@Suite("Keep-alive and pipelining")
struct KeepAliveTests {
  @Test("One connection carries many requests, and one upstream connection serves them")
  func manyRequests() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for number in 1...20 {
      let response = try await client.get("/echo/\(number)")
      #expect(response.status == 200)
      #expect(response.text.hasPrefix("GET /echo/\(number) HTTP/1.1\r\n"))
      #expect(response["Connection"] == nil)
      #expect(response["Date"] != nil)
    }
    #expect(upstream.connections.count == 1)
    #expect(upstream.failures.isEmpty)
  }

  @Test("A connection that a server keeps for a second, or that was idle for idle_timeout, gets no other request")
  func connectionLife() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(
          "ok", fields: request.target == "/short" ? ["Keep-Alive: timeout=1"] : [], to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, upstreamKeys: "idle_timeout: 200ms, connection_max_requests: 2"))
    let client = try await gateway.connect()
    #expect(try await client.get("/short").text == "ok")
    try await upstream.waitForOpenConnections(0)
    #expect(try await client.get("/long").text == "ok")
    try await upstream.waitForOpenConnections(0)
    #expect(upstream.connections.count == 2 && upstream.failures.isEmpty)
  }

  @Test("Fifty requests in one write are answered in their order, one upstream request at a time")
  func pipelining() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send((1...50).map { "GET /\($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined())
    for number in 1...50 {
      let response = try await client.receiveResponse()
      #expect(response.text.hasPrefix("GET /\(number) HTTP/1.1\r\n"))
    }
    #expect(upstream.requests.map(\.target) == (1...50).map { "/\($0)" })
    #expect(upstream.connections.count == 1)
  }

  @Test("Pipelined requests with bodies, HEAD and refusals among them keep their order")
  func pipeliningMixed() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      upstreams:
        service: { servers: ["\(upstream.address)"] }
      routes:
        - { path: "/open/*", auth: public, upstream: service }
      """)
    let client = try await gateway.connect()
    try await client.send(
      "POST /open/1 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
        + "HEAD /open/2 HTTP/1.1\r\nHost: test\r\n\r\n" + "GET /closed HTTP/1.1\r\nHost: test\r\n\r\n"
        + "PUT /open/3 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        + "GET /open/4 HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try await client.receiveResponse().text.hasSuffix("\r\n\r\nabc"))
    #expect(try await client.receiveResponse(to: "HEAD").status == 200)
    let refused = try await client.receiveResponse()
    #expect(refused.status == 404)
    #expect(refused.code == "route_not_found")
    #expect(try await client.receiveResponse().text.hasPrefix("PUT /open/3 "))
    #expect(try await client.receiveResponse().text.hasPrefix("GET /open/4 "))
    #expect(upstream.requests.map(\.target) == ["/open/1", "/open/2", "/open/3", "/open/4"])
  }

  @Test(
    "What follows a good request and is not a request gets 400 after the good one's answer, and the connection ends")
  func garbageBehindRequest() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send("GET /good HTTP/1.1\r\nHost: test\r\n\r\n\u{1}\u{2}\u{3} garbage\r\n\r\n")
    #expect(try await client.receiveResponse().status == 200)
    let refused = try await client.receiveResponse()
    #expect(refused.status == 400)
    #expect(refused.code == "bad_request_line")
    #expect(refused["Connection"] == "close")
    try await client.expectClosed()
    #expect(upstream.requests.count == 1)
    #expect(try await gateway.get("/next").status == 200)
  }

  @Test("Connection: close ends the connection after its answer, and what was pipelined behind it is not served")
  func closeOnDemand() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send(
      "GET /1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: test\r\n\r\n")
    let response = try await client.receiveResponse()
    #expect(response.status == 200)
    #expect(response["Connection"] == "close")
    try await client.expectClosed()
    #expect(upstream.requests.map(\.target) == ["/1"])
  }

  @Test("With half_close, a client that has closed its half gets its answer, and then the end")
  func halfClose() async throws {
    let gate = Gate()
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      try await gate.wait()
      try await connection.answer("late", to: request)
      _ = try await connection.receiveRequest()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.halfClose))
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    try await client.shutdownOutput()
    _ = try await upstream.waitForRequests(1)
    gate.open()
    #expect(try await client.receiveResponse().text == "late")
    try await client.expectClosed()
  }

  private static let halfClose = "limits: { half_close: true }"

  @Test("With half_close, requests that were pipelined before the client closed its half are all answered")
  func halfCloseBehindPipeline() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.halfClose))
    let client = try await gateway.connect()
    client.startSending(Array((1...5).map { "GET /\($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined().utf8))
    try await client.shutdownOutput()
    for number in 1...5 {
      #expect(try await client.receiveResponse().text.hasPrefix("GET /\(number) "))
    }
    try await client.expectClosed()
    #expect(upstream.requests.count == 5)
  }

  @Test("An empty line in front of a request is skipped, a second one is not")
  func emptyLines() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    #expect(try await client.exchange("\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", method: "GET").status == 200)
    let refused = try await client.exchange("\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", method: "GET")
    #expect(refused.status == 400)
  }
}
