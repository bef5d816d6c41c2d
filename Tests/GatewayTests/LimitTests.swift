// What one client may take: sizes (413, 414, 431) and time (408, or the end of the connection).

import TestSupport
import Testing

@Suite("Limits")
struct LimitTests {
  @Test("A body over the limit that announces its length is refused before it is read. At the limit it passes")
  func announcedBody() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { body_size: 1KiB }"))
    let client = try await gateway.connect()
    let full = String(repeating: "x", count: 1024)
    let passed = try await client.exchange("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1024\r\n\r\n\(full)")
    #expect(passed.text.hasSuffix(full))
    let refused = try await client.exchange("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1025\r\n\r\n")
    #expect(refused.status == 413)
    #expect(refused.code == "body_too_large")
    #expect(refused["Connection"] == nil)
    // The body that was on its way is read and forgotten: the connection is still in step.
    try await client.send(full + "x")
    #expect(try await client.get("/next").text.hasPrefix("GET /next "))
    #expect(upstream.requests.count == 2)
  }

  @Test("A chunked body is refused when it passes the limit, and the upstream does not get it as complete")
  func chunkedBody() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      try await connection.answer("whole", to: request)
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, routeKeys: "body_size: 1KiB"))
    let client = try await gateway.connect()
    let chunk = "200\r\n\(String(repeating: "x", count: 512))\r\n"
    try await client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)")
    try await client.send("1\r\nx\r\n")
    let refused = try await client.receiveResponse(to: "POST")
    #expect(refused.status == 413)
    #expect(refused["Connection"] == "close")
    try await client.expectClosed()
    try await upstream.waitForOpenConnections(0)
    #expect(upstream.requests.isEmpty)
    let passed = try await gateway.exchange(
      "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)0\r\n\r\n")
    #expect(passed.text == "whole")
  }

  @Test(
    "A head of too many bytes or fields, or too long a target, is refused with its own code, and the next is served")
  func heads() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "limits: { header_size: 1KiB, headers: 10 }"))
    let long = String(repeating: "x", count: 1100)
    let fields = (1...10).map { "X-\($0): 1\r\n" }.joined()
    let cases = [
      ("GET / HTTP/1.1\r\nHost: test\r\nX-Long: \(long)\r\n\r\n", 431, "head_too_large"),
      ("GET / HTTP/1.1\r\nHost: test\r\nX-Long: \(long)", 431, "head_too_large"),
      ("GET / HTTP/1.1\r\nHost: test\r\n\(fields)\r\n", 431, "too_many_fields"),
      ("GET /\(long) HTTP/1.1\r\nHost: test\r\n\r\n", 414, "target_too_long"),
    ]
    for (request, status, code) in cases {
      let client = try await gateway.connect()
      let response = try await client.exchange(request)
      #expect(response.status == status)
      #expect(response.code == code)
      try await client.expectClosed()
    }
    #expect(try await gateway.get("/next").status == 200)
    #expect(upstream.requests.count == 1)
  }

  @Test("A head that does not arrive in time gets 408. A connection that never begins one is closed")
  func slowHead() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "limits: { header_timeout: 300ms }"))
    let silent = try await gateway.connect()
    let slow = try await gateway.connectServed()
    let requestCount = upstream.requests.count
    try await slow.send("GET / HTTP/1.1\r\nHost: te")
    let response = try await slow.receiveResponse()
    #expect(response.status == 408)
    #expect(response.code == "header_timeout")
    #expect(response["Connection"] == "close")
    try await slow.expectClosed()
    try await silent.expectClosed()
    #expect(upstream.requests.count == requestCount)
  }

  @Test("A byte now and then does not keep a head open")
  func drippingHead() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "limits: { header_timeout: 300ms }"))
    let client = try await gateway.connectServed()
    let byteCount = client.receivedByteCount
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Drip: ")
    try await gateway.waitUntil("an answer to the drip") {
      client.startSending([0x78])
      return client.receivedByteCount > byteCount
    }
    #expect(try await client.receiveResponse().status == 408)
  }

  @Test("A body that stalls gets 408, and the upstream's connection is closed")
  func slowBody() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { body_timeout: 300ms }"))
    try await undisturbed("a server that notices its connection before the end of that") {
      let client = try await gateway.connect()
      try await client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
      let response = try await client.receiveResponse(to: "POST")
      #expect(response.status == 408)
      #expect(response.code == "body_timeout")
      #expect(response["Connection"] == "close")
      try await client.expectClosed()
      return upstream.connections.isEmpty ? nil : ()
    }
    try await upstream.waitForOpenConnections(0)
    #expect(upstream.requests.isEmpty)
  }

  @Test("A body that goes on, however slowly, is not timed out")
  func drippingBody() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { body_timeout: 2s }"))
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    let (response, count) = try await undisturbed("a body without a long gap") {
      let client = try await gateway.connect()
      try await client.send(head)
      // A body that is begun later, and stands still, is refused when more than body_timeout has passed for both.
      let still = try await gateway.connect()
      try await still.send(head)
      var count = 0
      var longestGap = Duration.zero
      var last = ContinuousClock.now
      try await gateway.waitUntil("the end of the body that stands still") {
        client.startSending(Array("1\r\nx\r\n".utf8))
        count += 1
        longestGap = max(longestGap, ContinuousClock.now - last)
        last = ContinuousClock.now
        return still.receivedByteCount > 0
      }
      #expect(try await still.receiveResponse(to: "POST").status == 408)
      client.startSending(Array("0\r\n\r\n".utf8))
      let response = try await client.receiveResponse(to: "POST")
      // A machine that stood still for so long has not dripped.
      return response.status == 408 && longestGap > .seconds(1) ? nil : (response, count)
    }
    try #require(response.status == 200)
    #expect(upstream.requests.last?.body.count == count)
  }

  @Test("A kept connection that stays silent is closed without a word")
  func idle() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { idle_timeout: 300ms }"))
    let client = try await gateway.connect()
    #expect(try await client.get("/").status == 200)
    try await client.expectClosed()
  }

  @Test("Connections past the limit wait while all others are busy, and are served when one ends")
  func connections() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      if request.target == "/held" { return try await connection.stream.waitUntilGone() }
      try await connection.answer(request.target, to: request)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { connections: 2 }"))
    var busy: [RawClient] = []
    for number in 1...2 {
      let client = try await gateway.connect()
      try await client.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
      _ = try await upstream.waitForRequests(number)
      busy.append(client)
    }
    let third = try await gateway.connect()
    try await third.send("GET /3 HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await gateway.waitForLog("that there is no room") { $0.contains("limits.connections is reached") }
    #expect(third.receivedByteCount == 0)
    busy[0].close()
    #expect(try await third.receiveResponse().text == "/3")
  }
}
