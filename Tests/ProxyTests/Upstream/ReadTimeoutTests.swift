// How long either side may be silent once an answer has begun, and how the server learns of the time that is left.

import Testing

@testable import Proxy

@Suite("Read timeouts and deadlines")
struct ReadTimeoutTests {
  private static let event = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

  @Test(
    "The route's read_timeout counts, then the upstream's, which is a minute by default",
    arguments: [("", "", 60), ("", ", read_timeout: 2s", 2), (", read_timeout: 5s", ", read_timeout: 2s", 5)])
  func precedence(_ route: String, _ upstream: String, _ seconds: Int) throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app\(route) }]\nupstreams: { app: { servers: [10.0.0.1:1]\(upstream) } }"
    )
    let client = bench.connect()
    client.send(get())
    try bench.server().send(Self.event)
    bench.wait(.milliseconds(seconds * 1000 - 200))
    #expect(try !bench.server().isAborted && !client.isGone)
    bench.wait(.milliseconds(400))
    #expect(try bench.server().isAborted && client.isGone)
    #expect(bench.logLines[0].contains("upstream_timeout"))
    bench.expectNothingHeld()
  }

  @Test("With read_timeout: off a stream of events may be silent for hours")
  func events() throws {
    let bench = try Bench("routes: [{ path: /*, auth: public, upstream: app, read_timeout: off }]")
    let client = bench.connect()
    client.send(get())
    try bench.server().send(Self.event)
    for _ in 0..<3 {
      bench.wait(.seconds(3600))
      try bench.server().send("5\r\nevent\r\n")
      #expect(client.take().hasSuffix("5\r\nevent\r\n"))
    }
    bench.expectNothingHeld()
  }

  @Test("A server that says nothing is waited for a minute by default")
  func silentServer() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    bench.wait(.milliseconds(59_800))
    #expect(client.bytes.isEmpty)
    bench.wait(.milliseconds(400))
    #expect(status(client.text) == 504 && code(client.text) == "upstream_timeout")
    bench.expectNothingHeld()
  }

  @Test("A stream both ways that falls silent on both sides ends for upstream_timeout after read_timeout")
  func bothSilent() throws {
    for readTimeout in [10, 60] {
      let bench = try CallBench("routes: [{ path: /*, auth: public, upstream: app, read_timeout: \(readTimeout)s }]")
      _ = try bench.call(CallBench.head(), end: false)
      let server = try bench.server()
      try server.answer(1, 200, "content-type: application/grpc\r\n")
      bench.wait(.seconds(max(readTimeout, 30) + 1), server)
      #expect(server.streams[1]?.closed != nil)
      #expect(bench.bench.logLines.last?.contains("upstream_timeout") == true, "\(bench.bench.logLines)")
      bench.bench.expectNothingHeld()
    }
  }

  @Test("A gRPC stream that is silent on both sides lives with read_timeout: off, and ends after a minute without")
  func silentCall() throws {
    for (keys, lives) in [(", read_timeout: off, body_size: unlimited", true), ("", false)] {
      let bench = try CallBench("routes: [{ path: /*, auth: public, upstream: app\(keys) }]")
      let stream = try bench.call(CallBench.head(), end: false)
      let server = try bench.server()
      bench.wait(.seconds(100), server)
      #expect((server.streams[1]?.closed == nil) == lives)
      #expect((bench.client.streams[stream]?.head.isEmpty == true) == lives)
      if lives {
        try server.answer(1, 200, "content-type: application/grpc\r\n")
        bench.wait(.seconds(100), server)
        #expect(server.streams[1]?.closed == nil && bench.client.streams[stream]?.closed == nil)
      }
      bench.bench.expectNothingHeld()
    }
  }

  @Test("The server learns what is left of the route's timeout, for each attempt again, and never what a client says")
  func deadlineHeader() throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, timeout: 5s, deadline_header: X-Request-Deadline }]\n"
        + "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1], retry: { on: [response_timeout] }, response_timeout: 2s } }"
    )
    let client = bench.connect()
    client.send(head("GET / HTTP/1.1", "Host: h", "x-request-deadline: 999999"))
    #expect(values("X-Request-Deadline", in: bench.servers[0].text) == ["5000"])
    bench.wait(.milliseconds(2000))
    #expect(bench.servers.count == 2)
    #expect(values("X-Request-Deadline", in: bench.servers[1].text) == ["3000"])
    #expect(bench.servers[1].text.hasSuffix("X-Request-Deadline: 3000\r\n\r\n"))
    bench.expectNothingHeld()
  }

  @Test(
    "grpc-timeout goes on with the rest that is left, or that of the route's timeout if it is shorter",
    arguments: [("2S", "2000m"), ("1M", "3000m"), ("20m", "20000u"), ("99999999H", "3000m")])
  func grpcTimeout(_ asked: String, _ told: String) throws {
    let bench = try CallBench("routes: [{ path: /*, auth: public, upstream: app, timeout: 3s }]")
    _ = try bench.call(CallBench.head("/s/m", "grpc-timeout: \(asked)"))
    let server = try bench.server()
    #expect(bench.value("grpc-timeout", server.streams[1]?.head ?? []) == told)
    bench.bench.expectNothingHeld()
  }
}
