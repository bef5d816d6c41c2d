// Large pieces of bodies go from one connection to the other with their memory: whatever is before, behind or between
// them, what arrives is what was sent.

import Testing

@testable import Proxy

@Suite("Moved bodies")
struct MovedBodyTests {
  private static let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

  /// Bytes in pieces that are moved, copied and neither.
  private static func pieces(_ bytes: [UInt8], _ byteCount: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: byteCount).map { Array(bytes[$0..<min($0 + byteCount, bytes.count)]) }
  }

  private static func content(of message: [UInt8]) -> [UInt8] {
    let end = message.indices.first { message[$0...].starts(with: Array("\r\n\r\n".utf8)) } ?? message.count
    return Array(message.dropFirst(end + 4))
  }

  @Test("An answer arrives whole, with its head in one piece and without", arguments: [65_536, 40_000, 16_384, 9_000])
  func answer(byteCount: Int) throws {
    for fields in ["", "X-Long: \(String(repeating: "x", count: 2000))\r\n"] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      for _ in 0..<2 {
        client.send(get("/"))
        let head = Array("HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(Self.body.count)\r\n\r\n".utf8)
        for piece in Self.pieces(head + Self.body, byteCount) { try bench.server().send(piece) }
        #expect(Self.content(of: client.takeBytes()) == Self.body)
      }
      #expect(bench.servers.count == 1, "the connection is kept")
      bench.expectNothingHeld()
    }
  }

  @Test("An answer whose end is the connection's, one in chunks and one that goes on too long are as they were")
  func otherFramings() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get("/"))
    try bench.server().send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + Self.body)
    try bench.server().send(Self.body)
    try bench.server().end()
    let size = String(Self.body.count, radix: 16)
    let chunk = Array("\(size)\r\n".utf8) + Self.body + Array("\r\n".utf8)
    #expect(Self.content(of: client.takeBytes()) == chunk + chunk + Array("0\r\n\r\n".utf8))
    client.send(get("/"))
    try bench.server().send(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8) + chunk)
    try bench.server().send("0\r\n\r\n")
    #expect(Self.content(of: client.takeBytes()) == chunk + Array("0\r\n\r\n".utf8))
    client.send(get("/"))
    try bench.server().send(Array("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".utf8) + Self.body)
    #expect(Self.content(of: client.takeBytes()) == Array(Self.body[..<100_000]))
    #expect(try bench.server().isAborted, "bytes behind an answer are no answer to anything")
    bench.expectNothingHeld()
  }

  @Test("An answer without a body that many bytes follow ends its connection, and what nobody asked for as well")
  func surplus() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get("/"))
    try bench.server().send(Array("HTTP/1.1 204 No Content\r\n\r\n".utf8) + Self.body)
    #expect(status(client.take()) == 204)
    #expect(try bench.server().isAborted)
    client.send(get("/"))
    let heads = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: \(Self.body.count)\r\n\r\n"
    try bench.server().send(Array(heads.utf8) + Self.body)
    #expect(client.text.hasPrefix("HTTP/1.1 103"))
    #expect(client.takeBytes().suffix(Self.body.count) == Self.body[...])
    try bench.server().send(Self.body)
    #expect(try bench.server().isAborted && client.bytes.isEmpty)
    client.send(get("/"))
    try bench.server().send(Array("HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n".utf8) + Self.body)
    #expect(code(client.text) == "upstream_malformed")
    bench.expectNothingHeld()
  }

  @Test("A client that takes little at a time gets all of it in order", arguments: [1_000, 70_000])
  func slowClient(byteCount: Int) throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = byteCount
    client.send(get("/"))
    let head = Array("HTTP/1.1 200 OK\r\nContent-Length: \(Self.body.count)\r\n\r\n".utf8)
    for piece in Self.pieces(head + Self.body, 65_536) { try bench.server().send(piece) }
    #expect(try bench.server().unreadByteCount > 0, "the server is held back")
    for _ in 0..<(300_000 / byteCount) { client.read(byteCount) }
    #expect(Self.content(of: client.bytes) == Self.body)
    bench.expectNothingHeld()
  }

  @Test("An upload arrives whole, and what is pipelined behind it as well", arguments: [65_536, 40_000, 9_000])
  func upload(byteCount: Int) throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    let request = Array(head("POST / HTTP/1.1", "Host: h", "Content-Length: \(Self.body.count)").utf8) + Self.body
    for piece in Self.pieces(request + request + Array(get("/last").utf8), byteCount) { client.send(piece) }
    for _ in 0..<2 {
      #expect(try Self.content(of: bench.server().takeBytes()) == Self.body)
      try bench.server().send(ok("stored"))
    }
    #expect(try bench.server().text.hasPrefix("GET /last "))
    try bench.server().send(ok("last"))
    #expect(bench.servers.count == 1)
    bench.expectNothingHeld()
  }

  @Test("An upload past the limit is refused though its pieces could be moved")
  func limit() throws {
    let bench = try Bench("limits: { body_size: 100KiB }\n" + openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked"))
    client.send(Array("\(String(Self.body.count, radix: 16))\r\n".utf8) + Self.body)
    #expect(code(client.text) == "body_too_large")
    bench.expectNothingHeld()
  }
}
