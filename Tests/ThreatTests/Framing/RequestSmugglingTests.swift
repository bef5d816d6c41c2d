// Requests whose end can be read in two ways (RFC 9112 §6.3, §11.2): refused and the connection closed, never repaired.

import TestSupport
import Testing

@Suite("Request smuggling")
struct RequestSmugglingTests {
  private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

  @Test("T48 Content-Length with Transfer-Encoding, in any order and spelling, is 400 and the end")
  func bothLengths() async throws {
    let target = try await FramingTarget()
    let body = "0\r\n\r\n" + Self.smuggled
    for fields in [
      ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 5"],
      ["content-length: 5", "TRANSFER-ENCODING: CHUNKED"], ["Content-Length: 0", "Transfer-Encoding: chunked"],
      ["Content-Length: \(body.utf8.count)", "Transfer-Encoding: chunked"],
    ] {
      try await target.expectRefused(post(fields[0], fields[1], body: body))
    }
  }

  @Test("T48 Transfer-Encoding that is not exactly chunked, once, is refused")
  func codings() async throws {
    let target = try await FramingTarget()
    let body = "0\r\n\r\n" + Self.smuggled
    for value in [
      "chunked, chunked", "identity", "chunked, identity", "xchunked", "chunkedx", "chunked;q=1", "\"chunked\"", "",
      ",chunked", "chunked,", "chunked\u{B}", "\u{B}chunked", "cow",
    ] {
      try await target.expectRefused(post("Transfer-Encoding: \(value)", body: body))
    }
    try await target.expectRefused(post("Transfer-Encoding: gzip, chunked", body: body), 501)
    try await target.expectRefused(post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body: body))
    try await target.expectRefused(post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body: body))
    try await target.expectRefused(post("Transfer-Encoding : chunked", body: body))
    try await target.expectRefused(post(" Transfer-Encoding: chunked", body: body))
    try await target.expectRefused(post("X: y", "\tTransfer-Encoding: chunked", body: body))
    try await target.expectRefused(post("X: y\rTransfer-Encoding: chunked", body: body))
    try await target.expectRefused(post("X: y\nTransfer-Encoding: chunked", body: body))
  }

  @Test("T48 T66 HTTP/1.0 with Transfer-Encoding is refused, with keep-alive too")
  func oldVersion() async throws {
    let target = try await FramingTarget()
    try await target.expectRefused(post("Transfer-Encoding: chunked", body: "0\r\n\r\n", version: "1.0"))
    try await target.expectRefused(
      post("Transfer-Encoding: chunked", "Connection: keep-alive", body: "0\r\n\r\n" + Self.smuggled, version: "1.0"))
  }

  @Test("T50 A Content-Length that is empty, a list, signed, spaced, hexadecimal or too large is 400")
  func contentLengths() async throws {
    let target = try await FramingTarget()
    for value in [
      "", " ", "5, 5", "5, 50", "5;5", "+5", "-5", "0x5", "5 5", "5.0", "1e1", "٥", "5,", ",5", "\"5\"",
      "18446744073709551616", "18446744073709551621", "9223372036854775808", "99999999999999999999999999999999",
    ] {
      try await target.expectRefused(post("Content-Length: \(value)", body: "hello"))
    }
    try await target.expectRefused(post("Content-Length: 5", "Content-Length: 5", body: "hello"))
    try await target.expectRefused(post("Content-Length: 5", "Content-Length: 6", body: "hello"))
    try await target.expectRefused(post("Content-Length: 5", "content-length: 5", body: "hello"))
  }

  @Test("T50 Field lines without a name, with space before the colon, folded or without a colon are 400")
  func fieldLines() async throws {
    let target = try await FramingTarget()
    for line in [
      ": empty", ":", "no colon", "X-A : 1", "X-A\t: 1", "X A: 1", "X-A: 1\r\n folded", "X-A: 1\r\n\tfolded", "X(A): 1",
      "X\"A: 1", "X,A: 1", "X/A: 1", "X@A: 1", "X[A]: 1", "X{A}: 1", "Ünï: 1", "X-\u{7F}: 1", "X-\u{1}: 1",
    ] {
      try await target.expectRefused("GET / HTTP/1.1\r\nHost: test\r\n\(line)\r\n\r\n")
    }
    try await target.expectRefused("GET / HTTP/1.1\r\n Host: test\r\n\r\n")
    try await target.expectRefused("GET / HTTP/1.1\r\n\r\nHost: test\r\n\r\n")
  }

  @Test("T50 A bare LF, a bare CR or a CR CR LF ends no line")
  func lineEndings() async throws {
    let target = try await FramingTarget()
    for request in [
      "GET / HTTP/1.1\nHost: test\n\n", "GET / HTTP/1.1\r\nHost: test\n\r\n", "GET / HTTP/1.1\nHost: test\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: test\r\nX: a\nY: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: test\r\nX: a\rY: b\r\n\r\n",
      "GET / HTTP/1.1\r\r\nHost: test\r\n\r\n", "GET / HTTP/1.1\r\nHost: test\r\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: test\r\n\n", "\nGET / HTTP/1.1\r\nHost: test\r\n\r\n",
    ] {
      try await target.expectRefused(request)
    }
  }

  @Test("T50 Request lines with other spaces, versions or parts are refused")
  func requestLines() async throws {
    let target = try await FramingTarget()
    for line in [
      "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
      "GET /", "GET", "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.1.1", "GET / HTTP/11", "GET / HTTP/ 1.1",
      "GET / HTTP/1,1",
      "GET / a HTTP/1.1", "G(T / HTTP/1.1", "GET\u{0} / HTTP/1.1", "G\u{7F}T / HTTP/1.1", "GET / HTTPS/1.1",
      "/ HTTP/1.1",
    ] {
      try await target.expectRefused("\(line)\r\nHost: test\r\n\r\n")
    }
    try await target.expectRefused("GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505)
    // All but the last of the preface of HTTP/2.
    try await target.expectRefused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", 505)
    try await target.expectRefused([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03], 400)
  }

  @Test("T66 Chunk sizes and ends that are not exact are refused, and the upstream gets no whole request")
  func chunks() async throws {
    let target = try await FramingTarget()
    for body in [
      "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhello6\r\n world\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
      "-5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\rhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nX\n\r\n", "G\r\nhello\r\n0\r\n\r\n", "5 5\r\nhello\r\n0\r\n\r\n",
      "10000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "8000000000000000\r\nx\r\n",
      "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "5\r\nhello\r\n0\r\n: x\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
      "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nHost: other\r\n\r\n", "5;\u{1}\r\nhello\r\n0\r\n\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n", "5;" + String(repeating: "a", count: 2000) + "\r\nhello\r\n0\r\n\r\n",
    ] {
      try await target.expectRefused(post("Transfer-Encoding: chunked", body: body))
    }
  }

  @Test("T50 Endless chunk extensions are refused though each is small")
  func chunkExtensions() async throws {
    let target = try await FramingTarget(top: "limits: { body_size: 1GiB }")
    let chunk = "1;" + String(repeating: "a", count: 500) + "\r\nx\r\n"
    try await target.expectRefused(
      post("Transfer-Encoding: chunked", body: String(repeating: chunk, count: 100) + "0\r\n\r\n"))
  }
}
