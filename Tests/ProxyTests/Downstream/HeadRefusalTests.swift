// What a client gets whose head is wrong, whole or in pieces, and that nothing of an unfinished head is read.

import Testing

@testable import Proxy

@Suite("A refused head")
struct HeadRefusalTests {
  static let heads: [(text: String, code: String)] = [
    ("GET / HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n", "host_ambiguous"),
    ("GET / HTTP/1.1\r\n\r\n", "host_missing"),
    ("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: abcdefgh\r\nBad Name: x\r\n\r\n", "field_name_invalid"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "framing_ambiguous"),
    ("GET http://h/ HTTP/1.1\r\nUser-Agent: a\r\nReferer: b\r\nHost: other\r\n\r\n", "host_ambiguous"),
    ("GET / HTTP/1.1\r\nHost: h\r\nExpect: something\r\n\r\n", "expectation_failed"),
    ("GET / HTTP/2.0\r\n\r\n", "version_unsupported"),
    ("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "method_unsupported"),
    ("\u{0}", "bad_request_line"),
    ("GET /a%2fb HTTP/1.1\r\nHost: h\r\nX-Request-Id: x\r\n\r\n", "path_encoded_slash"),
  ]

  @Test("T50 A malformed head is answered with its code and the connection ends, split at any byte", arguments: heads)
  func malformed(_ text: String, _ code: String) throws {
    let bytes = Array(text.utf8)
    let snapshot = Snapshot(try configuration(openRoutes), generation: 1)
    for split in 0..<bytes.count {
      let bench = Bench(snapshot)
      let client = bench.connect()
      client.send(Array(bytes[..<split]))
      client.send(Array(bytes[split...]))
      #expect(ProxyTests.code(client.text) == code, "split at \(split): \(client.text)")
      #expect(bench.servers.isEmpty)
      #expect(bench.logLines.count == 1)
      bench.expectNothingHeld()
    }
  }

  @Test("A head that does not end in time is answered with 408 wherever it stopped")
  func timedOut() throws {
    let bytes = Array("GET http://h/x HTTP/1.1\r\nX-Request-Id: abc\r\nUser-Agent: u\r\nHost: h\r\n\r\n".utf8)
    let snapshot = Snapshot(try configuration(openRoutes), generation: 1)
    for count in 1..<bytes.count {
      let bench = Bench(snapshot)
      let client = bench.connect()
      client.send(Array(bytes[..<count]))
      bench.wait(.seconds(9))
      #expect(client.bytes.isEmpty)
      bench.wait(.seconds(2))
      #expect(code(client.text) == "header_timeout", "\(count) bytes: \(client.text)")
      #expect(client.isOutputClosed)
      #expect(bench.errorCount("header_timeout") == 1)
      bench.expectNothingHeld()
    }
  }

  @Test("A connection that sends nothing is closed in silence")
  func silent() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    bench.wait(.seconds(11))
    #expect(client.isClosed && client.bytes.isEmpty && bench.logLines.isEmpty)
    bench.expectNothingHeld()
  }
}
