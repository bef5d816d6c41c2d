// Responses before the response (RFC 9110 §15.2) and the client that waits for one of them (§10.1.1).

import TestSupport
import Testing

@Suite("Interim responses")
struct InterimResponseTests {
  @Test("103 (Early Hints) passes with its fields, in front of the final response")
  func earlyHints() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.send(
          "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Secret\r\nX-Secret: 1\r\n\r\n"
            + "HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n")
        try await connection.answer("page", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for _ in 1...2 {
      let response = try await client.get("/")
      #expect(response.interim.map { $0["Link"] } == ["</a.css>", "</b.css>"])
      #expect(response.interim.allSatisfy { $0["X-Secret"] == nil && $0["Connection"] == nil })
      #expect(response.text == "page")
    }
  }

  @Test("An HTTP/1.0 client and one that did not ask get no 100")
  func unaskedContinue() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        try await connection.answer("ok", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    #expect(try await gateway.get("/").interim.isEmpty)
    let old = try await gateway.exchange("GET / HTTP/1.0\r\n\r\n")
    #expect(old.interim.isEmpty)
    #expect(old.text == "ok")
  }

  @Test("Expect: 100-continue goes to the upstream, its 100 comes back, and then the body passes")
  func expectContinue() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequestHead()
        #expect(request["Expect"] == "100-continue")
        try await connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(latin1(try await connection.stream.receive(5)) == "hello")
        try await connection.answer("thanks", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for _ in 1...2 {
      try await client.send("PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      #expect(try await client.receiveHead().startLine == "HTTP/1.1 100 Continue")
      try await client.send("hello")
      #expect(try await client.receiveResponse(to: "PUT").text == "thanks")
    }
    #expect(upstream.failures.isEmpty)
  }

  @Test("An upstream that refuses instead of 100 is believed, and the connection ends: nobody knows if a body comes")
  func upstreamRefuses() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      try await connection.answer("no", status: "417 Expectation Failed", to: request)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let response = try await client.exchange(
      "PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(response.status == 417)
    #expect(response["Connection"] == "close")
    try await client.expectClosed()
  }

  @Test("What the gateway refuses is refused before the body, without a 100 and without the upstream")
  func gatewayRefuses() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { body_size: 1KiB }"))
    let client = try await gateway.connect()
    let response = try await client.exchange(
      "PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n")
    #expect(response.status == 413)
    #expect(response.code == "body_too_large")
    #expect(response.interim.isEmpty)
    #expect(response["Connection"] == "close")
    try await client.expectClosed()
    #expect(upstream.connections.isEmpty)
  }

  @Test("101 that nobody asked for is not an answer: 502, and the client's connection goes on")
  func unaskedSwitch() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      if request.target == "/switch" {
        try await connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nevil")
        try await connection.stream.waitUntilGone()
      } else {
        try await connection.answer("fine", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let response = try await client.get("/switch")
    #expect(response.status == 502)
    #expect(response.code == "upstream_malformed")
    #expect(try await client.get("/next").text == "fine")
  }
}
