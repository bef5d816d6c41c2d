// Compression over real sockets: curl decodes it, large bodies stay bounded, and events are not held up.

import Foundation
import TestSupport
import Testing

@Suite("Compressed answers", .timeLimit(.minutes(10)))
struct CompressionTests {
  private func gateway(_ upstream: TestUpstream) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      Configurations.plain(
        upstream, top: "compress: { types: [\"text/*\"], minimum_size: 0B }", routeKeys: "body_size: 1GiB"))
  }

  @Test(
    "curl gets what the server sent, over both protocols and in both codings", .needs("curl"),
    arguments: ["--http1.1", "--http2-prior-knowledge"], ["gzip", "br"])
  func curl(_ version: String, _ coding: String) async throws {
    let page = (0..<40_000).map { "line \($0) of a long page\n" }.joined()
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(page, fields: ["Content-Type: text/plain", "ETag: \"1\""], to: request)
      }
    }
    let gateway = try await gateway(upstream)
    let result = try await ChildProcess.run(
      "curl",
      [
        "-sS", "--noproxy", "*", "--max-time", "100", version, "--compressed", "-H", "Accept-Encoding: \(coding)",
        "-w", "\\n[%{size_download} %header{content-encoding} %header{etag}]", "http://127.0.0.1:\(gateway.port)/",
      ])
    #expect(result.status == 0, "\(result.standardError)")
    #expect(result.standardOutput.hasPrefix(page))
    let facts = try #require(result.standardOutput.split(separator: "\n").last)
    let match = try #require(facts.firstMatch(of: /\[(\d+) (\w+) (.*)\]/), "\(facts)")
    #expect(match.2 == coding && match.3 == "W/\"1\"")
    #expect(try #require(Int(match.1)) < page.utf8.count / 4)
  }

  @Test("An event reaches the client while the server says nothing more", arguments: ["gzip", "br"])
  func events(_ coding: String) async throws {
    let gates = [Gate(), Gate()]
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      for (number, gate) in gates.enumerated() {
        try await connection.send("9\r\ndata: \(number)\n\n\r\n")
        try await gate.wait()
      }
      try await connection.send("0\r\n\r\n")
    }
    let gateway = try await gateway(upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\nAccept-Encoding: \(coding)\r\n\r\n")
    #expect(try await client.receiveHead()["Content-Encoding"] == coding)
    var coded: [UInt8] = []
    for (number, gate) in gates.enumerated() {
      let expected = (0...number).map { "data: \($0)\n\n" }.joined()
      while decoded(coded, coding).text != expected { coded += try await client.receiveChunk() }
      gate.open()
    }
    while !decoded(coded, coding).isComplete { coded += try await client.receiveChunk() }
  }
}
