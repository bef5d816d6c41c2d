// nginx and Python's http.server behind the gateway.

import Foundation
import TestSupport
import Testing

@Suite("Real backends")
struct BackendTests {
  @Test("nginx: bodies, ranges, HEAD, 304, gzip in chunks, its errors, over kept connections", .needs("nginx"))
  func nginx() async throws {
    let server = try await ForeignServer.nginx()
    let gateway = try await server.startGateway()
    let client = try await gateway.connect()
    #expect(try await client.get("/hello").text == "hello from nginx, 127.0.0.1")
    let file = try await client.get("/file.txt")
    #expect(file.text == "0123456789")
    let tag = try #require(file["ETag"])
    let part = try await client.get("/file.txt", ["Range: bytes=2-4"])
    #expect(part.status == 206)
    #expect(part.text == "234")
    let head = try await client.get("/file.txt", method: "HEAD")
    #expect(head["Content-Length"] == "10")
    let same = try await client.get("/file.txt", ["If-None-Match: \(tag)"])
    #expect(same.status == 304)
    let packed = try await client.get("/file.txt", ["Accept-Encoding: gzip"])
    #expect(packed["Content-Encoding"] == "gzip")
    #expect(packed.framing == .chunked)
    #expect(packed.body.prefix(2) == [0x1F, 0x8B])
    #expect(try await client.get("/absent").status == 404)
    #expect(
      try await client.exchange("POST /file.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi").status == 405)
    #expect(try await client.get("/close").text == "closing")
    #expect(try await client.get("/hello").status == 200)
    #expect(try await gateway.metrics().sum("catraca_upstream_connections", ["upstream": "service"]) == 1)
  }

  @Test("nginx is asked for its own authority or a fixed name, where the file says so", .needs("nginx"))
  func nginxHost() async throws {
    let server = try await ForeignServer.nginx()
    let expectations = [
      ("client", "test"), ("server", "127.0.0.1:\(server.port)"), ("app.internal:81", "app.internal:81"),
    ]
    for (host, expected) in expectations {
      let gateway = try await server.startGateway(upstreamKeys: "host: \"\(host)\"")
      let client = try await gateway.connect()
      for _ in 1...3 { #expect(try await client.get("/host").text == "\(expected), asked for test") }
    }
  }

  @Test("nginx restarted: the next GET on a kept connection is answered by the new one", .needs("nginx"))
  func nginxRestart() async throws {
    let server = try await ForeignServer.nginx()
    let gateway = try await server.startGateway()
    let client = try await gateway.connect()
    #expect(try await client.get("/hello").status == 200)
    server.process.kill(SIGHUP)
    for _ in 1...50 { #expect(try await client.get("/hello").status == 200) }
    #expect(try await gateway.metrics().sum("catraca_errors_total") == 0)
  }

  @Test("nginx: a file of 20 MiB arrives whole", .needs("nginx"))
  func nginxLargeFile() async throws {
    let server = try await ForeignServer.nginx()
    let block = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) }
    var bytes: [UInt8] = []
    for _ in 1...320 { bytes += block }
    try server.folder.write("large", Data(bytes))
    let gateway = try await server.startGateway()
    let client = try await gateway.connect()
    #expect(try await client.get("/large").body == bytes)
    #expect(try await client.get("/hello").status == 200)
  }

  @Test("Python's http.server, an HTTP/1.0 server that closes after each answer", .needs("python3"))
  func python() async throws {
    let server = try await ForeignServer.python()
    let gateway = try await server.startGateway()
    let client = try await gateway.connect()
    for _ in 1...3 {
      #expect(try await client.get("/file.txt").text == "0123456789")
      #expect(try await client.get("/file.txt", method: "HEAD")["Content-Length"] == "10")
      #expect(try await client.get("/absent").status == 404)
      let posted = try await client.exchange("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi")
      #expect(posted.status == 501)
      let listing = try await client.get("/")
      #expect(listing.text.contains("file.txt"))
    }
  }
}
