// Hosts that name nobody or two, values with bytes that no field holds, and heads without measure.

import TestSupport
import Testing

@Suite("Hosts, values and sizes")
struct HostAndValueTests {
  @Test("T67 NUL and other controls in field values are 400")
  func controls() async throws {
    let target = try await FramingTarget()
    for byte in [UInt8](0...31) + [0x7F] where byte != 0x09 && byte != 0x0A {
      try await target.expectRefused(
        Array("GET / HTTP/1.1\r\nHost: test\r\nX-A: a".utf8) + [byte] + Array("b\r\n\r\n".utf8), 400)
    }
  }

  @Test("T67 A Host that is not an authority, and two of them, are 400")
  func hosts() async throws {
    let target = try await FramingTarget()
    for host in [
      "a b", "a/b", "a\\b", "a?b", "a#b", "a@b", "user:pass@test", "test:port", "test:99999x", "[::1", "::1]", "a,b",
      "te\u{7F}st",
      "test:-1", "tést", "<test>", "test\"", "http://test", "%00", "test%2F",
    ] {
      try await target.expectRefused("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    }
    try await target.expectRefused("GET / HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n")
    try await target.expectRefused("GET / HTTP/1.1\r\nHost: test\r\nhost: other\r\n\r\n")
    try await target.expectRefused("GET / HTTP/1.1\r\nX-A: 1\r\n\r\n")
  }

  @Test("T53 Sixty-five thousand fields, and a field of megabytes, are 431 in bounded memory")
  func manyFields() async throws {
    let target = try await FramingTarget()
    let before = try target.gateway.beginPeak()
    let fields = (1...65_534).map { "X-\($0): 1\r\n" }.joined()
    try await target.expectRefused("GET / HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n", 431)
    try await target.expectRefused(
      "GET / HTTP/1.1\r\nHost: test\r\nX: " + String(repeating: "x", count: 4_000_000) + "\r\n\r\n", 431)
    try await target.expectRefused("GET /" + String(repeating: "x", count: 4_000_000) + " HTTP/1.1\r\n\r\n", 414)
    try await target.expectRefused(String(repeating: "X", count: 4_000_000), 414)
    #expect(try target.gateway.peakByteCount() - before < 8 << 20)
  }

  @Test("T53 Trailers are bounded like fields")
  func manyTrailers() async throws {
    let target = try await FramingTarget()
    let lines = (1...1000).map { "X-\($0): 1\r\n" }.joined()
    try await target.expectRefused(post("Transfer-Encoding: chunked", body: "0\r\n\(lines)\r\n"))
    try await target.expectRefused(
      post("Transfer-Encoding: chunked", body: "0\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n"))
  }

  @Test("T49 What follows a request with Upgrade is a request of its own, never passed on unread")
  func upgrade() async throws {
    let target = try await FramingTarget()
    let client = try await target.gateway.connect()
    try await client.send(
      "GET /up HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        + "GET /second HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
    #expect(try await client.receiveResponse().text.hasPrefix("GET /up "))
    #expect(try await client.receiveResponse().text.hasPrefix("GET /second "))
    #expect(target.upstream.requests[0]["Upgrade"] == nil)
    #expect(target.upstream.requests[1].values(of: "X-Forwarded-For") == ["127.0.0.1"])
    try await client.send(
      "GET /up HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u{1}\u{2}\u{3}raw")
    #expect(try await client.receiveResponse().status == 200)
    #expect(try await client.receiveResponse().status == 400)
    #expect(target.upstream.connections.allSatisfy { !latin1($0.record).contains("raw") })
  }

  @Test("T52 CR and LF, however they are written, end no line of what goes out")
  func injection() async throws {
    let target = try await FramingTarget()
    for path in ["/a%0d%0aX-Evil:%201", "/a%0AX-Evil:1", "/%0D"] {
      try await target.expectRefusedAndKept(path)
    }
    for fields in [
      ["X-Request-Id: a%0d%0aX-Evil: 1"], ["traceparent: %0d%0aX-Evil: 1"], ["X-Forwarded-For: %0d%0aX-Evil: 1"],
    ] {
      #expect(try await target.gateway.get("/?q=%0d%0aX-Evil:%201", fields).status == 200)
    }
    for request in target.upstream.requests {
      #expect(request.values(of: "X-Evil").isEmpty)
      #expect(request.head.fields.allSatisfy { !$0.value.contains("\n") && !$0.value.contains("\r") })
    }
  }

  @Test("T52 A redirect's Location carries no line break out of the path or the query")
  func redirectInjection() async throws {
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: \"/old/*\", auth: public, redirect: { to: /new } }]")
    let response = try await gateway.get("/old/x?a=%0d%0aX-Evil:%201")
    #expect(response["Location"] == "/new/x?a=%0d%0aX-Evil:%201")
    #expect(response.values(of: "X-Evil").isEmpty)
    #expect(try await gateway.get("/old/%0d%0aX-Evil:1").status == 400)
  }
}

extension FramingTarget {
  /// A target without a normal form is 400 though the request's framing is sound.
  fileprivate func expectRefusedAndKept(_ path: String) async throws {
    let client = try await gateway.connect()
    #expect(try await client.get(path).status == 400, "\(path)")
    #expect(try await client.get("/next").text.hasPrefix("GET /next "), "after \(path)")
  }
}
