// Upstreams that are gone, silent, slow, broken or lying: a 502 or 504 with its code where no answer has begun, a cut
// answer where one has, and never a word of one exchange in the next.

import TestSupport
import Testing

@Suite("Failing upstreams")
struct UpstreamFailureTests {
  /// A server that answers `/good` and lets `fail` deal with any other request.
  private static func start(_ fail: @escaping TestUpstream.Script) async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/good" {
          try await connection.answer("good", to: request)
        } else {
          return try await fail(connection)
        }
      }
    }
  }

  /// Sends a bad request and then a good one on one connection.
  private static func expect(
    _ code: String, _ status: Int, from upstream: TestUpstream, top: String = "", upstreamKeys: String = "",
    routeKeys: String = ""
  ) async throws {
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: top, upstreamKeys: upstreamKeys, routeKeys: routeKeys))
    let client = try await gateway.connect()
    // On a new upstream connection, and on one that served before.
    var lateCount = 0
    for _ in 1...2 {
      let response = try await client.get("/bad")
      #expect(response.status == status)
      #expect(response.code == code)
      #expect(response["Connection"] == nil)
      let good = try await undisturbed("an answer in time") { () async throws -> RawResponse? in
        let good = try await client.get("/good")
        if status == 504, good.code == code {
          lateCount += 1
          return nil
        }
        return good
      }
      #expect(good.text == "good")
    }
    let line = try await gateway.waitForAccessLog(containing: code)
    #expect(line.contains("\"status\":\(status)"))
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": code]) == Double(2 + lateCount))
    #expect(upstream.failures.isEmpty)
  }

  @Test("A login whose cookies are larger than header_size is 502 upstream_head_too_large, and the log names the limit")
  func largeHead() async throws {
    let cookies = (1...40).map { "Set-Cookie: c\($0)=\(String(repeating: "x", count: 1000))\r\n" }.joined()
    let upstream = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send("HTTP/1.1 200 OK\r\n\(cookies)Content-Length: 2\r\n\r\nok")
      }
    }
    for (keys, code) in [("header_size: 32KiB", "upstream_head_too_large"), ("headers: 200", nil)] {
      let gateway = try await GatewayProcess.start(Configurations.plain(upstream, upstreamKeys: keys))
      let response = try await gateway.get("/login")
      #expect(response.status == (code == nil ? 200 : 502) && response.code == code)
      if code == nil {
        #expect(response.values(of: "Set-Cookie").count == 40)
      } else {
        _ = try await gateway.waitForLog("the limit") {
          $0.contains("the head of an answer is too large") && $0.contains("more than 32768 bytes")
            && $0.contains("upstream=service") && $0.contains("limit=header_size")
        }
      }
    }
  }

  @Test("An upstream that closes without an answer: 502 upstream_closed")
  func closing() async throws {
    try await Self.expect("upstream_closed", 502, from: try await Self.start { _ in })
  }

  @Test("An upstream that resets without an answer: 502 upstream_closed")
  func resetting() async throws {
    try await Self.expect("upstream_closed", 502, from: try await Self.start { try await $0.reset() })
  }

  @Test("An upstream that closes within its head: 502 upstream_closed")
  func closingWithinHead() async throws {
    let upstream = try await Self.start { try await $0.send("HTTP/1.1 200 OK\r\nContent-Le") }
    try await Self.expect("upstream_closed", 502, from: upstream)
  }

  @Test("An upstream that never answers: 504 upstream_timeout, and its connection is closed")
  func silent() async throws {
    let upstream = try await Self.start { try await $0.stream.waitUntilGone() }
    try await Self.expect("upstream_timeout", 504, from: upstream, upstreamKeys: "response_timeout: 1s")
  }

  @Test("An upstream that begins its head and stops: 504 upstream_timeout")
  func stoppingWithinHead() async throws {
    let upstream = try await Self.start { connection in
      try await connection.send("HTTP/1.1 200 OK\r\nX-A: ")
      try await connection.stream.waitUntilGone()
    }
    try await Self.expect("upstream_timeout", 504, from: upstream, upstreamKeys: "response_timeout: 1s")
  }

  @Test("Interim responses do not put off the response's deadline")
  func endlessHints() async throws {
    let upstream = try await Self.start { connection in
      while true {
        try await connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        if connection.stream.isEnded { return }
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, upstreamKeys: "response_timeout: 200ms"))
    try await undisturbed("an interim response before the deadline") {
      let response = try await gateway.get("/bad")
      #expect(response.status == 504)
      return response.interim.isEmpty ? nil : ()
    }
  }

  @Test("A route's timeout ends an exchange that is too long: 504 before an answer, a cut after its begin")
  func routeTimeout() async throws {
    let silent = try await Self.start { try await $0.stream.waitUntilGone() }
    try await Self.expect("route_timeout", 504, from: silent, routeKeys: "timeout: 1s")
    let halting = try await Self.start { connection in
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(halting, routeKeys: "timeout: 1s"))
    let client = try await undisturbed("an answer that begins before the deadline") {
      let client = try await gateway.connect()
      try await client.send("GET /bad HTTP/1.1\r\nHost: test\r\n\r\n")
      return try await client.receiveResponseHead().status == 200 ? client : nil
    }
    #expect(latin1(try await client.receiveToEnd()) == "half")
    _ = try await gateway.waitForAccessLog(containing: "route_timeout", "\"status\":200")
  }

  @Test("An upstream that stops in its body: the answer is cut after read_timeout")
  func stoppingWithinBody() async throws {
    let upstream = try await Self.start { connection in
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, upstreamKeys: "read_timeout: 200ms"))
    let client = try await gateway.connect()
    try await client.send("GET /bad HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try await client.receiveResponseHead().status == 200)
    #expect(latin1(try await client.receiveToEnd()) == "half")
    #expect(try await gateway.waitForAccessLog(1)[0].contains("upstream_timeout"))
  }

  @Test("An upstream that reads no body and says nothing: 504, and the client learns of it")
  func notReading() async throws {
    let upstream = try await TestUpstream.start(isReading: false, receiveBufferByteCount: 4096) { connection in
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "limits: { body_timeout: 300ms, body_size: 1GiB }"))
    let response = try await undisturbed("a body that is not late itself") {
      let client = try await gateway.connect()
      try await client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 500000000\r\n\r\n")
      client.startSending(repeating: 0x78, count: 500_000_000)
      let response = try await client.receiveResponse(to: "POST")
      return response.code == "body_timeout" ? nil : response
    }
    #expect(response.status == 504)
    #expect(response["Connection"] == "close")
  }

  @Test("A slow upstream within its time is waited for")
  func slow() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow"
      for byte in head.utf8 { try await connection.send([byte]) }
      try await connection.answer("", to: request)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    #expect(try await gateway.get("/").text == "slow")
  }

  @Test("A POST on a kept connection that dies is not sent twice: 502. A GET is")
  func retries() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      try await connection.answer("first", to: request)
      // The next request's first bytes are read, and then the connection goes.
      _ = try await connection.receiveRequest()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    #expect(try await client.get("/1").text == "first")
    #expect(try await client.get("/2").text == "first")
    #expect(upstream.requests.map(\.target) == ["/1", "/2", "/2"])
    let post = "POST /3 HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"
    let refused = try await client.exchange(post)
    #expect(refused.status == 502)
    #expect(refused.code == "upstream_closed")
    #expect(try await client.exchange(post).text == "first")
    #expect(upstream.requests.count { $0.target == "/3" } == 2)
  }
}
