// The small server on a real socket, with raw clients.

import NIOCore
import NIOPosix
import Testing

@testable import ControlPlane

private let group = MultiThreadedEventLoopGroup.singleton

/// Sends bytes and gives back what came until the server closed.
private func talk(_ port: Int, _ parts: [String]) async throws -> String {
  let client = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port) { channel in
    channel.eventLoop.makeCompletedFuture {
      try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
    }
  }
  return try await client.executeThenClose { inbound, outbound in
    for part in parts { try await outbound.write(ByteBuffer(string: part)) }
    var all = ByteBuffer()
    for try await var buffer in inbound { all.writeBuffer(&buffer) }
    return String(buffer: all)
  }
}

@Suite struct SmallHTTPServerTests {
  private func withServer(
    bodyByteCountMax: Int = 64 * 1024, _ handler: @escaping SmallHTTPServer.Handler,
    _ test: (Int) async throws -> Void
  ) async throws {
    let server = try await SmallHTTPServer.start(group: group, bodyByteCountMax: bodyByteCountMax, handler: handler)
    #expect(server.port > 0)
    try await test(server.port)
    await server.stop()
  }

  @Test("A request comes whole to the handler, and its answer goes out with its length")
  func request() async throws {
    try await withServer { request in
      let parts = [
        request.method, request.path, request.parameter("a") ?? "-", request.field("X-A") ?? "-",
        String(decoding: request.body, as: UTF8.self),
      ]
      return .text(parts.joined(separator: "|"), status: 201)
    } _: { port in
      let answer = try await talk(
        port,
        [
          "POST /p//q?a=%41+b%zz HTTP/1.1\r\nHost: h\r\nx-a: 1\r\n",
          "Content-Length: 4\r\nConnection: close\r\n\r\nbo", "dy",
        ])
      #expect(answer.hasPrefix("HTTP/1.1 201 Created\r\n"))
      #expect(answer.contains("Content-Length: 24\r\n"))
      #expect(answer.hasSuffix("\r\n\r\nPOST|/p//q|A b%zz|1|body"))
    }
  }

  @Test("Requests in one connection are answered in order, the last one closes it")
  func pipelining() async throws {
    try await withServer {
      .text($0.target)
    } _: { port in
      let answer = try await talk(
        port,
        [
          "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
            + "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        ])
      let bodies = answer.split(separator: "HTTP/1.1 200 OK").compactMap { $0.split(separator: "\r\n\r\n").last }
      #expect(bodies == ["/1", "/2", "/3"])
    }
  }

  @Test("HEAD has the length and no body")
  func head() async throws {
    try await withServer { _ in
      .text("hello")
    } _: { port in
      let answer = try await talk(port, ["HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"])
      #expect(answer.contains("Content-Length: 5\r\n"))
      #expect(answer.hasSuffix("\r\n\r\n"))
    }
  }

  @Test("A body over the bound is refused with 413 and never reaches the handler, announced or chunked")
  func tooLarge() async throws {
    try await withServer(bodyByteCountMax: 10) { _ in
      Issue.record("reached")
      return .text("x")
    } _: { port in
      for request in [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
      ] {
        let answer = try await talk(port, [request])
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
      }
    }
  }

  @Test("A client that expects 100 Continue gets it before it sends the body")
  func expectContinue() async throws {
    try await withServer {
      .text(String(decoding: $0.body, as: UTF8.self))
    } _: { port in
      let answer = try await talk(
        port,
        ["POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", "ok"])
      #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
      #expect(answer.hasSuffix("\r\n\r\nok"))
    }
  }

  @Test(
    "What is not HTTP is answered with 400 and closed",
    arguments: ["\r\n\0\u{1}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "}{\r\n\r\n"])
  func malformed(bytes: String) async throws {
    try await withServer { _ in
      .text("x")
    } _: { port in
      let answer = try await talk(port, [bytes])
      #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test("Stopping closes idle connections, lets a running request finish, and refuses new ones")
  func stop() async throws {
    let (entered, entry) = AsyncStream.makeStream(of: Void.self)
    let (released, release) = AsyncStream.makeStream(of: Void.self)
    let server = try await SmallHTTPServer.start(group: group) { request in
      entry.yield()
      if request.target == "/busy" { for await _ in released { break } }
      return .text("done")
    }
    let port = server.port
    var entries = entered.makeAsyncIterator()
    async let idle = talk(port, ["GET /idle HTTP/1.1\r\nHost: h\r\n\r\n"])
    _ = await entries.next()
    async let busy = talk(port, ["GET /busy HTTP/1.1\r\nHost: h\r\n\r\n"])
    _ = await entries.next()
    async let stopped: Void = server.stop(within: .seconds(600))
    #expect(try await idle.hasSuffix("\r\n\r\ndone"))
    release.yield()
    #expect(try await busy.hasSuffix("\r\n\r\ndone"))
    await stopped
    await #expect(throws: (any Error).self) { try await talk(port, ["GET / HTTP/1.1\r\nHost: h\r\n\r\n"]) }
  }

  @Test("Stopping cuts a handler that does not end in time")
  func cut() async throws {
    let (entered, entry) = AsyncStream.makeStream(of: Void.self)
    let server = try await SmallHTTPServer.start(group: group) { _ in
      entry.yield()
      await untilCancelled()
      return .text("late")
    }
    async let busy = talk(server.port, ["GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
    for await _ in entered { break }
    await server.stop(within: .milliseconds(20))
    #expect(try await busy == "")
  }
}
