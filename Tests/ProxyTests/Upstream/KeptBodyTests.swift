// `buffer` of `retry`: bodies that are sent again, whole, and never more memory than the file says.

import HTTP2
import Testing

@testable import Proxy

@Suite("Bodies that are kept for a retry")
struct KeptBodyTests {
  private static func bench(_ retry: String, servers: String = "10.0.0.1:1, 10.0.0.2:2", more: String = "") throws
    -> Bench
  {
    try Bench(openRoutes + "\nupstreams: { app: { servers: [\(servers)], retry: \(retry)\(more) } }")
  }

  private static let buffered = "{ buffer: 16B, on: [\"503\", reset_before_response, response_timeout] }"

  private func put(_ body: String, method: String = "PUT", length: Int? = nil) -> String {
    head("\(method) /a HTTP/1.1", "Host: h", "Content-Length: \(length ?? body.utf8.count)") + body
  }

  /// How the first server fails.
  enum Failure: CaseIterable {
    case reset, status, silence
  }

  private func fail(_ bench: Bench, _ failure: Failure) {
    switch failure {
    case .reset: bench.servers[0].reset()
    case .status: bench.servers[0].send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    case .silence: bench.wait(.seconds(61))
    }
  }

  @Test("A PUT is sent again with its body after each kind of failure", arguments: Failure.allCases)
  func again(_ failure: Failure) throws {
    for isChunked in [false, true] {
      let bench = try Self.bench(Self.buffered)
      let client = bench.connect()
      client.send(
        isChunked
          ? head("PUT /a HTTP/1.1", "Host: h", "Transfer-Encoding: chunked")
            + "3\r\nabc\r\n5\r\ndefgh\r\n0\r\nX-Sum: 1\r\n\r\n" : put("abcdefgh"))
      fail(bench, failure)
      try #require(bench.servers.count == 2)
      let text = bench.servers[1].text
      #expect(
        body(of: text) == (isChunked ? "8\r\nabcdefgh\r\n0\r\nX-Sum: 1\r\n\r\n" : "abcdefgh"), "\(text)")
      bench.servers[1].send(ok("fine"))
      #expect(status(client.text) == 200)
      #expect(body(of: client.text) == "fine")
      #expect(bench.logLines[0].contains("\"attempts\":2,"))
      bench.expectNothingHeld()
    }
  }

  @Test("A body that is still on its way goes on where it was, behind what is kept of it")
  func partial() throws {
    let bench = try Self.bench(Self.buffered)
    let client = bench.connect()
    client.send(put("abcd", length: 8))
    bench.holdsConnects = true
    bench.servers[0].reset()
    client.send("ef")
    #expect(bench.servers[1].bytes.isEmpty)
    bench.connectAll()
    client.send("gh")
    #expect(body(of: bench.servers[1].text) == "abcdefgh")
    bench.servers[1].send(ok("fine"))
    #expect(body(of: client.text) == "fine")
    bench.expectNothingHeld()
  }

  @Test(
    "A larger body, another method, and an answer that has begun are not repeated",
    arguments: [("PUT", 17), ("POST", 4), ("PATCH", 4)])
  func never(_ method: String, _ count: Int) throws {
    let content = String(repeating: "x", count: count)
    for isChunked in [false, true] {
      let bench = try Self.bench(Self.buffered)
      let client = bench.connect()
      client.send(
        isChunked
          ? head("\(method) /a HTTP/1.1", "Host: h", "Transfer-Encoding: chunked")
            + "\(String(count, radix: 16))\r\n\(content)\r\n0\r\n\r\n" : put(content, method: method))
      bench.servers[0].reset()
      #expect(status(client.text) == 502)
      #expect(bench.servers.count == 1)
      bench.expectNothingHeld()
    }
    let begun = try Self.bench(Self.buffered)
    let client = begun.connect()
    client.send(put("abcd"))
    begun.servers[0].send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    #expect(begun.worker.memory.byteCount == 0)
    begun.servers[0].reset()
    #expect(begun.servers.count == 1)
    #expect(client.text.hasSuffix("ab"))
    begun.expectNothingHeld()
  }

  @Test("A kept connection that was closed is replaced for a PUT with its body, over HTTP/1.1")
  func closedConnection() throws {
    let bench = try Self.bench("{ buffer: 16B }", servers: "10.0.0.1:1")
    let client = bench.connect()
    client.send(get())
    bench.servers[0].send(ok())
    _ = client.take()
    _ = bench.servers[0].take()
    client.send(put("abcd"))
    #expect(body(of: bench.servers[0].text) == "abcd")
    bench.servers[0].reset()
    try #require(bench.servers.count == 2)
    #expect(body(of: bench.servers[1].text) == "abcd")
    bench.servers[1].send(ok("fine"))
    #expect(body(of: client.text) == "fine")
    bench.expectNothingHeld()
  }

  @Test("A write of the kept body that fails at once leaves the body to the next attempt", arguments: [4, 8])
  func failingWrite(_ length: Int) throws {
    let bench = try Self.bench(
      "{ buffer: 16B, attempts: 2, on: [reset_before_response] }", servers: "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3")
    let client = bench.connect()
    client.send(put("abcd", length: length))
    bench.holdsConnects = true
    bench.servers[0].reset()
    let exchange = try #require((client.connection as? HTTP1DownstreamConnection)?.exchange)
    exchange.delivery.stream?.release(isReusable: false)
    exchange.delivery.stream = FailingStream(exchange)
    bench.act { _ in exchange.upstreamConnected() }
    try #require(bench.servers.count == 3)
    bench.connectAll()
    if length > 4 { client.send("efgh") }
    #expect(body(of: bench.servers[2].text) == "abcdefgh".prefix(length))
    bench.servers[2].send(ok("fine"))
    #expect(body(of: client.text) == "fine")
    bench.expectNothingHeld()
  }

  @Test("What is kept counts for limits.memory until the answer begins, over both protocols")
  func memory() throws {
    let content = String(repeating: "x", count: 100_000)
    let bench = try Self.bench("{ buffer: 1MiB }")
    let client = bench.connect()
    client.send(put(content))
    #expect(bench.worker.memory.byteCount >= 100_000)
    bench.servers[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    #expect(bench.worker.memory.byteCount < 100_000)
    bench.servers[0].send("ok")
    bench.expectNothingHeld()
    let calls = try CallBench(
      upstream:
        "upstreams: { app: { servers: [10.0.0.1:9000], protocol: http2, retry: { buffer: 1MiB } } }")
    let stream = try calls.call(end: false)
    let server = try calls.server()
    let before = calls.bench.worker.memory.byteCount
    for _ in 1...5 { try calls.client.send(Array(repeating: 1, count: 10_000), on: stream) }
    #expect(calls.bench.worker.memory.byteCount - before >= 50_000)
    try calls.client.finish(stream)
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    #expect(calls.bench.worker.memory.byteCount - before < 50_000)
    calls.bench.expectNothingHeld()
  }

  // MARK: gRPC

  private static let calls =
    "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2], protocol: http2, retry: { buffer: 64B, backoff: 10s, "
    + "on: [unavailable] } } }"
  private static let message: [UInt8] = [0, 0, 0, 0, 3, 1, 2, 3]
  private static let refusedHead = "content-type: application/grpc\r\ngrpc-status: 14\r\n"

  /// A bench with a call at the first server, which has its message.
  private func call() throws -> (bench: CallBench, stream: Int32, first: GRPCPeer) {
    let bench = try CallBench(upstream: Self.calls)
    let stream = try bench.call(end: false)
    let first = try GRPCPeer(.server, bench.bench.servers[0], bench.bench)
    try bench.client.send(Self.message, on: stream)
    try bench.client.finish(stream)
    first.exchange()
    #expect(first.streams[1]?.content == Self.message)
    #expect(first.streams[1]?.isEnded == true)
    return (bench, stream, first)
  }

  @Test("A call that is UNAVAILABLE, or whose stream is reset, goes to another server", arguments: [false, true])
  func unavailable(_ isReset: Bool) throws {
    let (bench, stream, first) = try call()
    if isReset {
      try first.reset(1, code: 2)
    } else {
      try first.answer(1, 200, Self.refusedHead, end: true)
    }
    try #require(bench.bench.servers.count == 2)
    let second = try GRPCPeer(.server, bench.bench.servers[1], bench.bench)
    #expect(second.streams[1]?.content == Self.message)
    #expect(second.streams[1]?.isEnded == true)
    try second.answer(1, 200, "content-type: application/grpc\r\n")
    try second.finish(1, trailers: "grpc-status: 0\r\n")
    bench.client.exchange()
    let seen = try #require(bench.client.streams[stream])
    #expect(seen.head.first == "200")
    #expect(seen.trailers == ["grpc-status: 0"])
    #expect(bench.bench.logLines.last?.contains("\"attempts\":2,") == true)
    bench.bench.expectNothingHeld()
  }

  @Test(
    "Another status, a status behind a message and a server that forbids it are not repeated",
    arguments: [
      "content-type: application/grpc\r\ngrpc-status: 13\r\n", refusedHead + "grpc-retry-pushback-ms: -1\r\n",
      refusedHead + "grpc-retry-pushback-ms: 100000\r\n",
    ])
  func notAgain(_ lines: String) throws {
    let (bench, stream, first) = try call()
    try first.answer(1, 200, lines, end: true)
    bench.client.exchange()
    #expect(bench.bench.servers.count == 1)
    #expect(bench.client.streams[stream]?.isHeadLast == true)
    bench.bench.expectNothingHeld()
    let (late, lateStream, server) = try call()
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    try server.send(Self.message, on: 1)
    try server.finish(1, trailers: "grpc-status: 14\r\n")
    late.client.exchange()
    #expect(late.bench.servers.count == 1)
    #expect(late.client.streams[lateStream]?.trailers == ["grpc-status: 14"])
    late.bench.expectNothingHeld()
  }

  @Test("The last UNAVAILABLE goes to the client")
  func lastUnavailable() throws {
    let bench = try CallBench(
      upstream: Self.calls.replacing("backoff: 10s", with: "attempts: 1"))
    let stream = try bench.call()
    for index in 0...1 {
      let server = try GRPCPeer(.server, bench.bench.servers[index], bench.bench)
      try server.answer(1, 200, Self.refusedHead + "x-from: \(index)\r\n", end: true)
    }
    bench.client.exchange()
    #expect(bench.client.streams[stream]?.head.contains("x-from: 1") == true)
    #expect(bench.bench.logLines.last?.contains("\"grpc_status\":14,") == true)
    bench.bench.expectNothingHeld()
  }

  @Test("A call that its server has not looked at is sent again with its body, whatever on says")
  func refused() throws {
    let bench = try CallBench(
      upstream: "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2, retry: { buffer: 64B } } }")
    let stream = try bench.call(end: false)
    let server = try bench.server()
    try bench.client.send(Self.message, on: stream)
    try bench.client.finish(stream)
    server.exchange()
    // REFUSED_STREAM.
    try server.reset(1, code: 7)
    #expect(server.streams[3]?.content == Self.message)
    #expect(server.streams[3]?.isEnded == true)
    try server.answer(3, 200, "content-type: application/grpc\r\ngrpc-status: 0\r\n", end: true)
    bench.client.exchange()
    #expect(bench.client.streams[stream]?.isHeadLast == true)
    bench.bench.expectNothingHeld()
  }
}

/// A connected server whose connection fails within the call that writes to it.
private final class FailingStream: UpstreamStream {
  private let exchange: Exchange

  init(_ exchange: Exchange) { self.exchange = exchange }

  var isConnected: Bool { true }
  var isOutputFull: Bool { false }

  func writeBody(_ bytes: Span<UInt8>) { exchange.upstreamFailed(.upstreamClosed) }

  func begin(_ exchange: Exchange) {}
  func writeEnd(trailers: Span<UInt8>) {}
  func awaitDrain() {}
  func pauseReading() {}
  func resumeReading() {}
  func release(isReusable: Bool) {}
}
