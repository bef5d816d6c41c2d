// Answers that are no HTTP, or HTTP of two meanings: 502, and the next answer is right.

import TestSupport
import Testing

@Suite("Malformed answers")
struct MalformedAnswerTests {
  private static let heads = [
    "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 099 OK",
    "HTTP/1.1 -200 OK", "HTTP/1.1 200OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 200 O\u{0}K",
    "HTTP/1.1 200 O\rK", "HTTP/2 200", "HTTP/3.0 200 OK", "http/1.1 200 OK", "HTTP/1 200 OK", "HTTP/11 200 OK",
    "ICY 200 OK",
    "SSH-2.0-OpenSSH_9.2", "220 mail.test ESMTP", "<html>", "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}", " HTTP/1.1 200 OK",
    "\r\nHTTP/1.1 200 OK",
  ]

  private static let fields = [
    "Content-Length: 5, 50", "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length: ",
    "Content-Length: 5 5", "Content-Length: 5,5", "Content-Length: 18446744073709551621",
    "Content-Length: 9223372036854775808",
    "Content-Length: 5\r\nContent-Length: 50", "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked, identity", "Transfer-Encoding: xchunked", "Transfer-Encoding: ", "Content-Length : 5",
    " Content-Length: 5", "X-A: 1\r\n Content-Length: 5", "X-A: 1\rContent-Length: 5",
    ": 5", "no colon",
    "X-A: a\u{0}b", "X-A: a\u{1}b", "X A: 1",
  ]

  @Test("T62 A malformed status line, Content-Length or field of an upstream is 502, and the next answer is right")
  func table() async throws {
    let answers =
      Self.heads.map { "\($0)\r\nContent-Length: 5\r\n\r\nhello" }
      + Self.fields.map { "HTTP/1.1 200 OK\r\n\($0)\r\n\r\nhello" }
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if let number = Int(request.target.dropFirst()) {
          try await connection.send(Array(answers[number].utf8))
        } else {
          try await connection.answer("good", to: request)
        }
      }
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    let client = try await gateway.connect()
    for (number, answer) in answers.enumerated() {
      #expect(try await client.get("/good").text == "good")
      let used = upstream.connections.count
      let response = try await client.get("/\(number)")
      #expect(response.status == 502, "\(answer.debugDescription)")
      #expect(response.code == "upstream_malformed", "\(answer.debugDescription)")
      #expect(!response.text.contains("hello"))
      #expect(try await client.get("/good").text == "good", "after \(answer.debugDescription)")
      #expect(upstream.connections.count == used + 1, "kept after \(answer.debugDescription)")
    }
    #expect(
      try await gateway.metrics().sum("catraca_errors_total", ["reason": "upstream_malformed"]) == Double(answers.count)
    )
  }

  @Test("T62 A head without end is refused at the limit, in bounded memory")
  func endlessHead() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nX: ")
      connection.stream.startSending(repeating: 0x78, count: 50_000_000)
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect()
    for _ in 1...3 { #expect(try await client.get("/").status == 502) }
    #expect(try gateway.peakByteCount() - before < 8 << 20)
  }
}
