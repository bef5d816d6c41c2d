// How large the head of an answer may be, whatever the limits of requests are, and what is said of a larger one.

import HTTP2
import HTTPWire
import Testing

@testable import Proxy

@Suite("Sizes of answers' heads")
struct AnswerHeadSizeTests {
  private static func bench(_ keys: String = "idle_connections: 4", top: String = "") throws -> Bench {
    try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1], \(keys) } }\n\(top)")
  }

  private static func large(bytes: Int) -> String {
    ok(
      "fine", "Set-Cookie: a=\(String(repeating: "x", count: bytes / 2))",
      "X-B: \(String(repeating: "y", count: bytes / 2))")
  }

  private static func many(fields: Int) -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + (1..<fields).map { "X-\($0): 1\r\n" }.joined() + "\r\nfine"
  }

  @Test("Heads of 60 KiB and of 200 fields pass by default, also where requests may have much less")
  func defaults() throws {
    for answer in [Self.large(bytes: 60 * 1024), Self.many(fields: 200)] {
      let bench = try Self.bench(top: "limits: { header_size: 1KiB, headers: 10 }")
      let client = bench.connect()
      client.send(get())
      try bench.server().send(answer)
      #expect(status(client.text) == 200 && body(of: client.text) == "fine")
      #expect(bench.worker.memory.byteCount < 64 * 1024, "an idle connection keeps no large head")
      bench.expectNothingHeld()
    }
  }

  @Test(
    "A larger head is 502 with a code of its own, and the log learns of the bound once a minute",
    arguments: [
      (large(bytes: 66 * 1024), "", HeadBound.bytes(max: 65_536)), (many(fields: 201), "", .fields(max: 200)),
      (large(bytes: 3000), "header_size: 2KiB", .bytes(max: 2048)), (many(fields: 13), "headers: 12", .fields(max: 12)),
      ("HTTP/1.1 200 \(String(repeating: "x", count: 2000))", "header_size: 1KiB", .bytes(max: 1024)),
    ])
  func tooLarge(_ answer: String, _ keys: String, _ bound: HeadBound) throws {
    // Requests may have more: that does not count here.
    let bench = try Self.bench(keys, top: "limits: { header_size: 1MiB, headers: 1000 }")
    let client = bench.connect()
    for round in 1...3 {
      client.send(get())
      let server = try bench.server()
      server.send(answer)
      #expect(status(client.text) == 502 && code(client.take()) == "upstream_head_too_large" && server.isAborted)
      #expect(bench.errorCount("upstream_head_too_large") == UInt64(round))
      let reports = Array(
        repeating: UpstreamChange.headTooLarge(server: "10.0.0.1:1", bound), count: round == 3 ? 2 : 1)
      #expect(bench.upstreamChanges == reports)
      if round == 2 { bench.wait(.seconds(60)) }
    }
    #expect(bench.logLines.count == 3 && bench.logLines[0].contains("upstream_head_too_large"))
    bench.expectNothingHeld()
  }

  @Test("A head that is too large is not sent again, and puts no server out")
  func noBlame() throws {
    let bench = try Self.bench("header_size: 1KiB, retry: {}, eject: { errors: 1, max_share: 100% }")
    let client = bench.connect()
    for _ in 0..<3 {
      client.send(get())
      try bench.server().send(Self.large(bytes: 4000))
      #expect(code(client.take()) == "upstream_head_too_large")
    }
    #expect(bench.servers.count == 3 && bench.worker.pools[0].rotation.servers.count == 1)
    bench.expectNothingHeld()
  }

  @Test("HTTP/2 on both sides: 60 KiB pass, more than header_size is refused and the other streams go on")
  func multiplexed() throws {
    let over = try HTTP2Bench(
      HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2 } }\n"
        + "limits: { header_size: 4KiB, headers: 20 }\n")
    let client = try over.client(HTTP2Peer.roomy)
    let large = try #require(client.ask(get("/large")))
    let larger = try #require(client.ask(get("/larger")))
    let many = try #require(client.ask(get("/many")))
    try over.settle()
    let server = over.servers[0]
    let cookie = { (count: Int) in "set-cookie: \(String(repeating: "x", count: count))\r\n" }
    server.answer(1, 200, cookie(60_000), body: "fine")
    server.answer(3, 200, cookie(70_000), body: "lost")
    server.answer(5, 200, (1...150).map { "x-\($0): 1\r\n" }.joined(), body: "fine")
    try over.settle()
    #expect(client[large].status == 200 && client[large].text == "fine")
    #expect(client[larger].status == 502 && client[larger].text.contains("upstream_head_too_large"))
    #expect(client[many].status == 200 && client[many].text == "fine")
    #expect(over.bench.upstreamChanges == [.headTooLarge(server: "10.0.0.1:1", .bytes(max: 65_536))])
    over.bench.expectNothingHeld()
  }

  @Test("A request of more than header_size of the upstream passes where the limits of requests allow it")
  func largeRequest() throws {
    for keys in ["header_size: 1KiB", "header_size: 1KiB, protocol: http2"] {
      let over = try HTTP2Bench(
        HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.1:1], \(keys) } }\nlimits: { header_size: 512KiB }\n")
      over.serverSettings = HTTP2Peer.roomy
      let client = over.bench.connect()
      let value = String(repeating: "x", count: 50_000)
      client.send(get("/", "X-Large: \(value)", "X-Larger: \(value)"))
      try over.settle()
      let isWhole =
        keys.hasSuffix("http2")
        ? over.servers[0][1].head.utf8.count > 100_000 : try over.bench.server().text.utf8.count > 100_000
      #expect(isWhole)
      over.bench.expectNothingHeld()
    }
  }
}

extension HTTP2Peer {
  /// Of a peer that takes and sends heads of any size.
  fileprivate static var roomy: SessionSettings {
    var settings = SessionSettings()
    settings.headLimits = HeadLimits(byteCountMax: 1 << 20, fieldCountMax: 1000)
    settings.sentHeadByteCountMax = 1 << 20
    return settings
  }
}
