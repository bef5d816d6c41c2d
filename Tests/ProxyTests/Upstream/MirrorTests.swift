// Shadow traffic: what a copy is, and that the request never feels it.

import Testing

@testable import Proxy

@Suite("Mirrors")
struct MirrorTests {
  private static func bench(_ mirror: String = "{ upstream: shadow }", more: String = "") throws -> Bench {
    try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, mirror: \(mirror)\(more) }]\n"
        + "upstreams: { app: { servers: [10.0.0.1:1] }, shadow: { servers: [10.0.0.9:9] } }")
  }

  private func count(_ bench: Bench, _ result: MirrorResult) -> UInt64 {
    bench.worker.counters.copy().mirroredCounts.first { $0.result == result }?.count ?? 0
  }

  private func socket(_ bench: Bench, _ address: String) throws -> FakeSocket {
    try #require(bench.servers.last { $0.address == address })
  }

  @Test("A copy is the same head and body, and its answer goes nowhere")
  func copy() throws {
    let bench = try Self.bench()
    let client = bench.connect()
    client.send(head("POST /a?b=c HTTP/1.1", "Host: h", "X-A: 1", "Content-Length: 6") + "one")
    let app = try socket(bench, "10.0.0.1:1")
    let shadow = try socket(bench, "10.0.0.9:9")
    client.send("two")
    #expect(app.text == shadow.text && body(of: shadow.text) == "onetwo")
    shadow.send("HTTP/1.1 500 Broken\r\nX-Shadow: yes\r\nContent-Length: 4\r\n\r\noops")
    #expect(client.bytes.isEmpty)
    app.send(ok("fine"))
    #expect(body(of: client.text) == "fine" && !client.text.contains("Shadow") && bench.logLines.count == 1)
    #expect(count(bench, .answered) == 1 && bench.worker.mirrors.isEmpty)
    // Both connections are kept.
    client.send(get("/2"))
    #expect(bench.servers.count == 2 && shadow.text.contains("GET /2 HTTP/1.1"))
    shadow.send(ok())
    app.send(ok())
    bench.expectNothingHeld()
  }

  @Test("A chunked body and its trailers are copied")
  func chunked() throws {
    let bench = try Self.bench()
    let client = bench.connect()
    client.send(head("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "3\r\nabc\r\n")
    client.send("0\r\nX-Sum: 1\r\n\r\n")
    #expect(try socket(bench, "10.0.0.9:9").text.hasSuffix("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))
    #expect(try socket(bench, "10.0.0.9:9").text == socket(bench, "10.0.0.1:1").text)
    bench.expectNothingHeld()
  }

  @Test("A mirror that refuses, breaks off or answers garbage costs the request nothing, and is counted")
  func failures() throws {
    let bench = try Self.bench()
    let client = bench.connect()
    bench.refusing = ["10.0.0.9:9"]
    for failure in 0..<3 {
      client.send(get("/\(failure)"))
      let shadow = try socket(bench, "10.0.0.9:9")
      if failure == 1 { shadow.reset() }
      if failure == 2 { shadow.send("garbage\r\n\r\n") }
      bench.refusing = []
      try socket(bench, "10.0.0.1:1").send(ok("fine"))
      #expect(body(of: client.take()) == "fine")
    }
    #expect(count(bench, .failed) == 3 && bench.errorCount("upstream_malformed") == 0 && bench.logLines.count == 3)
    bench.expectNothingHeld()
  }

  @Test("A mirror that takes nothing loses its copy once 256 KiB wait, and the request goes on at its speed")
  func slow() throws {
    let bench = try Self.bench(more: ", body_size: unlimited")
    bench.holdsConnects = true
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1000000"))
    let shadow = try socket(bench, "10.0.0.9:9")
    shadow.room = 0
    bench.connectAll()
    let part = String(repeating: "x", count: 50_000)
    for _ in 0..<20 { client.send(part) }
    #expect(body(of: try socket(bench, "10.0.0.1:1").text).utf8.count == 1_000_000)
    #expect(shadow.isAborted && count(bench, .dropped) == 1 && bench.worker.mirrors.isEmpty)
    try socket(bench, "10.0.0.1:1").send(ok("fine"))
    #expect(body(of: client.text) == "fine")
    bench.expectNothingHeld()
  }

  @Test("A copy outlives its request for a time, and not at all one that was not completed")
  func ends() throws {
    let bench = try Self.bench()
    let client = bench.connect()
    client.send(get())
    let shadow = try socket(bench, "10.0.0.9:9")
    shadow.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    try socket(bench, "10.0.0.1:1").send(ok())
    for _ in 0..<20 {
      shadow.send("1\r\nx\r\n")
      bench.wait(.seconds(1))
    }
    #expect(!shadow.isAborted)
    for _ in 0..<12 {
      shadow.send("1\r\nx\r\n")
      bench.wait(.seconds(1))
    }
    #expect(shadow.isAborted && count(bench, .dropped) == 1)
    let other = bench.connect()
    other.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 5") + "ab")
    other.reset()
    #expect(try socket(bench, "10.0.0.9:9").isAborted && count(bench, .dropped) == 2)
    bench.expectNothingHeld()
  }

  @Test("The share of requests that are copied is that of the file", arguments: [0, 25, 100])
  func percent(_ percent: Int) throws {
    let bench = try Self.bench("{ upstream: shadow, percent: \(percent) }")
    for _ in 0..<400 { bench.connect().send(get()) }
    let copies = bench.servers.count { $0.address == "10.0.0.9:9" }
    #expect(abs(copies - percent * 4) <= (percent == 25 ? 40 : 0))
    bench.expectNothingHeld()
  }

  @Test(
    "A copy carries the identity that was verified, and the token only where it is forwarded", arguments: [false, true])
  func identity(_ isForwarded: Bool) throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      "routes: [{ path: /*, auth: login, upstream: app, mirror: { upstream: shadow },"
        + " identity: { headers: { X-User: sub }, forward_token: \(isForwarded) } }]\n\(issuer.section)\n"
        + "upstreams: { app: { servers: [10.0.0.1:1] }, shadow: { servers: [10.0.0.9:9] } }",
      keySets: [try issuer.keySet()])
    let client = bench.connect()
    client.send(head("GET / HTTP/1.1", "Host: h", "X-User: mallory", "Authorization: Bearer \(try issuer.token())"))
    let shadow = try socket(bench, "10.0.0.9:9")
    #expect(values("X-User", in: shadow.text) == ["alice"])
    #expect(values("Authorization", in: shadow.text).isEmpty != isForwarded)
    let refused = bench.connect()
    refused.send(get("/no"))
    #expect(bench.servers.count == 2, "what is refused is not copied")
    bench.expectNothingHeld()
  }

  @Test("A retry of the request is not copied, and a copy is not retried")
  func retries() throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, mirror: { upstream: shadow } }]\n"
        + "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1], retry: { on: [\"503\"] } },"
        + " shadow: { servers: [10.0.0.9:9, 10.0.0.8:9], retry: { on: [\"503\"] } } }")
    let client = bench.connect()
    client.send(get())
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    for server in bench.servers { server.send(busy) }
    #expect(bench.servers.map { String($0.address.suffix(1)) }.sorted() == ["1", "1", "9"])
    try bench.server().send(ok("fine"))
    #expect(body(of: client.text) == "fine" && count(bench, .answered) == 1)
    bench.expectNothingHeld()
  }
}
