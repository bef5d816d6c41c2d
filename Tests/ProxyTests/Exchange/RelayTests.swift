// When a body may pass unseen, and when its bytes have to come in: only a body that goes on byte for byte may, and
// never its end.

import Testing

@testable import Proxy

@Suite("Relays")
struct RelayConditionTests {
  private static let byteCount = 1_000_000
  private static let received = 32 * 1024
  private static let longAnswer =
    head("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: \(byteCount)") + "abc"
  private static let longUpload = head("PUT / HTTP/1.1", "Host: h", "Content-Length: \(byteCount)") + "abc"

  @Test("A long answer goes to the client's connection, but for its last bytes")
  func answer() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    let server = try bench.server()
    server.send(Self.longAnswer)
    #expect(server.connection.transfer.isRelaySource && !client.connection.transfer.isRelaySource)
    let relay = try #require(server.connection.relay())
    #expect(relay.target === client.connection)
    #expect(relay.byteCountMax == Self.byteCount - 3 - Self.received)
    bench.act { $0.relayed(relay.byteCountMax, on: server.connection, at: bench.now) }
    // What is left is received.
    #expect(server.connection.relay() == nil && !server.connection.transfer.isRelaySource)
    server.send(String(repeating: "x", count: Self.received))
    #expect(body(of: client.text).utf8.count == 3 + Self.received)
    #expect(bench.logLines.count == 1 && bench.logLines[0].contains("\"response_bytes\":\(Self.byteCount)"))
    client.send(get("/2"))
    #expect(bench.servers.count == 1)
    server.send(ok())
    bench.expectNothingHeld()
  }

  @Test("A long upload goes to the server's connection, but for its last bytes")
  func upload() throws {
    let bench = try Bench("limits: { body_size: 1MiB }\n" + openRoutes)
    let client = bench.connect()
    client.send(Self.longUpload)
    let server = try bench.server()
    let relay = try #require(client.connection.relay())
    #expect(relay.target === server.connection)
    #expect(relay.byteCountMax == Self.byteCount - 3 - Self.received)
    bench.act { $0.relayed(relay.byteCountMax, on: client.connection, at: bench.now) }
    #expect(client.connection.relay() == nil)
    client.send(String(repeating: "x", count: Self.received))
    server.send(ok())
    #expect(bench.logLines.count == 1 && bench.logLines[0].contains("\"request_bytes\":\(Self.byteCount)"))
    bench.expectNothingHeld()
  }

  @Test(
    "An answer that is short, framed again, compressed, or goes to a client that is full is received",
    arguments: [
      ("", get(), "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc"),
      ("", get(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nabc"),
      ("", get(), "HTTP/1.1 200 OK\r\n\r\nabc"),
      ("compress: true\n", get("/", "Accept-Encoding: gzip"), longAnswer),
      ("", "full", longAnswer),
    ])
  func receivedAnswer(top: String, request: String, answer: String) throws {
    let bench = try Bench(top + openRoutes)
    let client = bench.connect()
    client.send(request == "full" ? get() : request)
    if request == "full" { client.room = 20 }
    let server = try bench.server()
    server.send(answer)
    #expect(server.connection.relay() == nil)
  }

  @Test("An upload that is chunked, copied to a mirror, or answered already is received")
  func receivedUpload() throws {
    let routes =
      "limits: { body_size: 1MiB }\nroutes: [{ path: /*, auth: public, upstream: app, mirror: { upstream: shadow } }]\n"
      + "upstreams: { app: { servers: [10.0.0.1:1] }, shadow: { servers: [10.0.0.9:9] } }"
    let mirrored = try Bench(routes)
    let copied = mirrored.connect()
    copied.send(Self.longUpload)
    #expect(copied.connection.transfer.isRelaySource && copied.connection.relay() == nil)
    let bench = try Bench("limits: { body_size: 1MiB }\n" + openRoutes)
    let chunked = bench.connect()
    chunked.send(head("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "fffff\r\nabc")
    #expect(chunked.connection.relay() == nil)
    let answered = bench.connect()
    answered.send(Self.longUpload)
    #expect(answered.connection.relay() != nil)
    try bench.server().send(ok())
    #expect(answered.connection.relay() == nil)
  }

  @Test("A connection whose last receive may have left something is not used again")
  func moreInput() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get("/1"))
    let server = try bench.server()
    server.connection.transfer.received(hasMore: true)
    server.send(ok())
    #expect(body(of: client.text) == "ok")
    client.send(get("/2"))
    #expect(bench.servers.count == 2 && server.isGone)
  }
}
