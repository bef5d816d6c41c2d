// Fields of one connection only (RFC 9110 §7.6.1) stay on it, and the forms of the request target become one.

import TestSupport
import Testing

@Suite("Connection fields and target forms")
struct ConnectionFieldTests {
  @Test("What Connection names, and what belongs to a connection anyway, does not pass to the upstream")
  func request() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let response = try await client.get(
      "/",
      [
        "Connection: X-Private, keep-alive, x-other", "X-Private: 1", "X-PRIVATE: 2", "X-Other: 3",
        "Keep-Alive: timeout=5",
        "TE: trailers", "Upgrade: h2c", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eDp5",
        "X-Public: 4",
      ])
    #expect(response.status == 200)
    let head = upstream.requests[0].head
    for name in ["Connection", "X-Private", "X-Other", "Keep-Alive", "TE", "Upgrade", "Proxy-Connection"] {
      #expect(head.values(of: name).isEmpty, "\(name)")
    }
    #expect(head["X-Public"] == "4")
    #expect(try await client.get("/again").status == 200)
  }

  @Test("What Connection names in a response does not pass to the client")
  func response() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(
          "ok",
          fields: ["Connection: X-Private", "X-Private: 1", "Keep-Alive: timeout=5", "Upgrade: h2c", "X-Public: 4"],
          to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for _ in 1...2 {
      let head = try await client.get("/").head
      for name in ["Connection", "X-Private", "Keep-Alive", "Upgrade"] {
        #expect(head.values(of: name).isEmpty, "\(name)")
      }
      #expect(head["X-Public"] == "4")
    }
    #expect(upstream.connections.count == 1)
  }

  @Test("A Connection field cannot take away what frames or routes the request")
  func nominatedFraming() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    for name in ["Content-Length", "Host", "Transfer-Encoding", "X-Forwarded-For", "Via", "X-Request-Id"] {
      let response = try await gateway.exchange(
        "POST / HTTP/1.1\r\nHost: test\r\nConnection: \(name)\r\nContent-Length: 3\r\n\r\nabc")
      guard response.status == 200 else {
        #expect(response.status == 400)
        continue
      }
      let request = try #require(upstream.requests.last)
      #expect(request.text == "abc")
      #expect(request["Host"] == "test")
      #expect(request["X-Forwarded-For"] == "127.0.0.1")
      #expect(request["Via"] == "1.1 catraca")
    }
  }

  @Test("The absolute form is routed by its authority and forwarded in origin form")
  func absoluteForm() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let response = try await gateway.exchange("GET http://shop.test/b?x=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    #expect(response.text.hasPrefix("GET /b?x=1 HTTP/1.1\r\nHost: shop.test\r\n"))
    #expect(
      try await gateway.exchange("GET HTTP://shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n").text.hasPrefix("GET / "))
  }

  @Test("OPTIONS * passes where a route takes every path")
  func asteriskForm() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    #expect(try await gateway.get("*", method: "OPTIONS").text.hasPrefix("OPTIONS * HTTP/1.1\r\n"))
    let narrow = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/a/*", auth: public, upstream: service }]
      """)
    #expect(try await narrow.get("*", method: "OPTIONS").code == "route_not_found")
  }
}
