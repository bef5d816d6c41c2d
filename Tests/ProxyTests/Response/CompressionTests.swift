// Which answers are compressed, what their heads say, and that their bodies come out whole and without delay.

import TestSupport
import Testing

@testable import Proxy

/// A route that compresses, one that does not, and one with its own mind.
private let routes = """
  compress: true
  routes:
    - { path: /*, auth: public, upstream: app }
    - { path: /plain, auth: public, upstream: app, compress: false }
    - path: /own
      auth: public
      upstream: app
      compress: { types: ["text/*", application/grpc], minimum_size: 0B }
  """

/// 4 KB that gain.
private let page = String(repeating: "<p>All work and no play.</p>\n", count: 150)

@Suite("Compression of answers")
struct CompressionTests {
  /// What a client gets for a request and an answer.
  private func answer(_ request: String, _ answer: String) throws -> String {
    let bench = try Bench(routes)
    let client = bench.connect()
    client.send(request)
    try bench.server().send(answer)
    defer { bench.expectNothingHeld() }
    return client.text
  }

  private func html(_ lines: String...) -> String {
    (["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", "Content-Length: \(page.utf8.count)"] + lines)
      .map { $0 + "\r\n" }.joined() + "\r\n" + page
  }

  @Test(
    "The coding is the one that the client takes most gladly, the operator's order between equals",
    arguments: [
      ("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br, zstd", "br"), ("gzip;q=1.0, br;q=0.9", "gzip"),
      ("GZIP", "gzip"), ("x-gzip", "gzip"), ("*", "br"), ("br;q=0, *", "gzip"), ("gzip;q=0, *;q=0.1", "br"),
      ("gzip ; q=0.001", "gzip"), ("identity;q=0.5, gzip;q=0.8", "gzip"), ("identity;q=0, gzip", "gzip"),
      ("", nil), ("identity", nil), ("deflate, zstd", nil), ("gzip;q=0", nil), ("*;q=0", nil), ("br;q=0,gzip;q=0", nil),
      ("identity, gzip;q=0.5", nil), ("gzip;q=2", nil), ("gzip;q=0.0001", nil), ("gzip;q=", nil), ("gzip;x=1", nil),
      ("gzip;q=1.001", nil), ("gzip;q=05", nil), ("gzip;q=a", nil), ("gzipped", nil), ("g zip", nil), (",,;q=1,", nil),
      ("identity;q=0", nil),
    ] as [(String, String?)])
  func choice(_ accepted: String, _ coding: String?) throws {
    let text = try answer(get("/", "Accept-Encoding: \(accepted)"), html())
    #expect(values("content-encoding", in: text) == (coding.map { [$0] } ?? []))
    #expect(values("vary", in: text) == ["Accept-Encoding"])
    if coding != nil {
      #expect(values("content-length", in: text).isEmpty)
      #expect(values("transfer-encoding", in: text) == ["chunked"])
    } else {
      #expect(body(of: text) == page)
    }
  }

  @Test("Two lines of Accept-Encoding are one list, and without the field nothing is compressed")
  func lists() throws {
    let two = try answer(get("/", "Accept-Encoding: br;q=0.1", "Accept-Encoding: gzip"), html())
    #expect(values("content-encoding", in: two) == ["gzip"])
    #expect(try values("content-encoding", in: answer(get("/"), html())).isEmpty)
  }

  @Test("A body goes out whole, whichever coding and framing", arguments: ["gzip", "br"])
  func bodies(_ coding: String) throws {
    for framing in ["Content-Length: \(page.utf8.count)", "Transfer-Encoding: chunked", "Connection: close"] {
      let bench = try Bench(routes)
      let client = bench.connect()
      client.send(get("/", "Accept-Encoding: \(coding)"))
      let server = try bench.server()
      server.send(head("HTTP/1.1 200 OK", "Content-Type: text/html", framing))
      let bytes = Array(page.utf8)
      for start in stride(from: 0, to: bytes.count, by: 1000) {
        let piece = String(decoding: bytes[start..<min(start + 1000, bytes.count)], as: UTF8.self)
        let isChunked = framing.hasPrefix("Transfer")
        server.send(isChunked ? String(piece.utf8.count, radix: 16) + "\r\n" + piece + "\r\n" : piece)
      }
      if framing.hasPrefix("Transfer") { server.send("0\r\nX-Sum: 1\r\nRepr-Digest: a=:b:\r\n\r\n") }
      if framing.hasPrefix("Connection") { server.end() }
      let response = try CompressedResponse(client.bytes)
      #expect(response.decoded == Decoded(bytes: bytes, isComplete: true))
      #expect(response.body.count < bytes.count / 3)
      // A digest of other bytes is left out of the trailers, too.
      #expect(response.trailers == (framing.hasPrefix("Transfer") ? ["X-Sum: 1"] : []))
      bench.expectNothingHeld()
    }
  }

  @Test("What the server has said so far can be read at once", arguments: ["gzip", "br"])
  func flushes(_ coding: String) throws {
    let bench = try Bench(routes)
    let client = bench.connect()
    client.send(get("/own", "Accept-Encoding: \(coding), gzip;q=0.5"))
    let server = try bench.server()
    server.send(head("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
    var sent = ""
    for number in 0..<20 {
      let event = "data: \(number)\n\n"
      sent += event
      server.send(String(event.utf8.count, radix: 16) + "\r\n" + event + "\r\n")
      #expect(try CompressedResponse(client.bytes).decoded.text == sent)
    }
    server.send("0\r\n\r\n")
    let response = try CompressedResponse(client.bytes)
    #expect(response.decoded == Decoded(bytes: Array(sent.utf8), isComplete: true) && response.isEnded)
    bench.expectNothingHeld()
  }

  @Test(
    "Nothing is compressed that does not gain or may not be changed",
    arguments: [
      "Content-Encoding: gzip", "Content-Encoding: identity", "Cache-Control: private, No-Transform",
      "Content-Range: bytes 0-9/100",
    ])
  func exempt(_ line: String) throws {
    let text = try answer(get("/", "Accept-Encoding: gzip"), html(line, "ETag: \"a\"", "Accept-Ranges: bytes"))
    #expect(body(of: text) == page)
    #expect(values("content-encoding", in: text) == (line.hasPrefix("Content-Enc") ? [String(line.dropFirst(18))] : []))
    #expect(values("etag", in: text) == ["\"a\""] && values("accept-ranges", in: text) == ["bytes"])
    #expect(values("vary", in: text).isEmpty)
  }

  @Test("Other statuses, types and sizes, other routes, HTTP/1.0 and a client's no-transform get the answer as it is")
  func otherwise() throws {
    let gzip = "Accept-Encoding: gzip"
    func isPlain(_ request: String, _ answer: String) throws -> Bool {
      let text = try self.answer(request, answer)
      return values("content-encoding", in: text).isEmpty && body(of: text) == body(of: answer)
    }
    let typed = { (type: String) in html().replacing("text/html; charset=utf-8", with: type) }
    #expect(try !isPlain(get("/", gzip), html()))
    #expect(try isPlain(get("/plain", gzip), html()))
    #expect(try isPlain(head("GET / HTTP/1.0", "Host: h", gzip), html()))
    #expect(try isPlain(get("/", gzip, "Cache-Control: no-transform"), html()))
    #expect(try isPlain(get("/", gzip), html().replacing("200 OK", with: "404 Not Found")))
    #expect(
      try isPlain(get("/", gzip, "Range: bytes=0-"), html("Content-Range: bytes 0-1/2").replacing("200", with: "206")))
    for type in ["image/png", "text/event-stream", "text/html, text/html", "text", "application/jsonp"] {
      #expect(try isPlain(get("/", gzip), typed(type)), "\(type)")
    }
    for type in ["TEXT/HTML", "application/json", "application/problem+json;charset=utf-8", "image/svg+xml"] {
      #expect(try !isPlain(get("/", gzip), typed(type)), "\(type)")
    }
    #expect(try isPlain(get("/", gzip), ok("short", "Content-Type: text/html")))
    #expect(try isPlain(get("/own", gzip), ok("", "Content-Type: text/html")))
    #expect(try !isPlain(get("/own", gzip), ok("short", "Content-Type: text/x")))
  }

  @Test("A strong entity tag becomes weak, ranges and digests are not promised, Vary is not said twice")
  func fields() throws {
    let text = try answer(
      get("/", "Accept-Encoding: gzip"),
      html("ETag: \"a\"", "Accept-Ranges: bytes", "Content-Digest: a=:b:", "Content-MD5: x", "Last-Modified: y"))
    #expect(values("etag", in: text) == ["W/\"a\""])
    for name in ["accept-ranges", "content-digest", "content-md5"] {
      #expect(values(name, in: text).isEmpty, "\(name)")
    }
    #expect(values("last-modified", in: text) == ["y"])
    for vary in ["accept-encoding", "Origin, Accept-Encoding", "*"] {
      let text = try answer(get("/", "Accept-Encoding: gzip"), html("ETag: W/\"a\"", "Vary: \(vary)"))
      #expect(values("vary", in: text) == [vary] && values("etag", in: text) == ["W/\"a\""])
    }
  }

  @Test("HEAD is answered with the fields that GET has, and nothing behind them")
  func answerToHead() throws {
    let fields = ["Accept-Encoding: br"]
    let toGet = try answer(get("/", fields[0]), html("ETag: \"a\""))
    let answer = html("ETag: \"a\"").replacing(page, with: "")
    let toHead = try self.answer(get("/", fields[0]).replacing("GET", with: "HEAD"), answer)
    #expect(lines(of: toHead) == lines(of: toGet).filter { !$0.hasPrefix("Transfer-Encoding") })
    #expect(body(of: toHead).isEmpty)
  }

  @Test("Conditional requests and ranges go to the server as they came, and 206 and 304 come back so")
  func conditional() throws {
    let bench = try Bench(routes)
    let client = bench.connect()
    let sent = [
      "Accept-Encoding: gzip", "If-None-Match: W/\"a\", \"b\"", "If-Match: \"c\"", "If-Range: \"d\"",
      "If-Modified-Since: x", "If-Unmodified-Since: y", "Range: bytes=0-4",
    ]
    client.send(get("/", sent[0], sent[1], sent[2], sent[3], sent[4], sent[5], sent[6]))
    let server = try bench.server()
    #expect(sent.allSatisfy(lines(of: server.text).contains))
    server.send(head304("ETag: \"b\"", "Cache-Control: max-age=1"))
    #expect(values("etag", in: client.text) == ["\"b\""] && values("vary", in: client.text).isEmpty)
    // The tag that this client knows is the one of the compressed answer.
    _ = client.take()
    client.send(get("/", sent[0], sent[1]))
    server.send(head304("ETag: \"a\""))
    #expect(values("etag", in: client.text) == ["W/\"a\""] && values("vary", in: client.text) == ["Accept-Encoding"])
    _ = client.take()
    client.send(get("/", sent[0], sent[6]))
    server.send(
      "HTTP/1.1 206 Partial Content\r\nContent-Type: text/html\r\nETag: \"a\"\r\nContent-Range: bytes 0-4/4000\r\n"
        + "Accept-Ranges: bytes\r\nContent-Length: 5\r\n\r\n12345")
    #expect(body(of: client.text) == "12345" && values("etag", in: client.text) == ["\"a\""])
    #expect(values("accept-ranges", in: client.text) == ["bytes"] && values("vary", in: client.text).isEmpty)
    bench.expectNothingHeld()
  }

  private func head304(_ lines: String...) -> String {
    (["HTTP/1.1 304 Not Modified"] + lines).map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test("An answer that breaks off is not ended, and its compressor serves the next")
  func brokenOff() throws {
    let bench = try Bench(routes)
    for round in 0..<3 {
      let client = bench.connect()
      client.send(get("/", "Accept-Encoding: gzip"))
      let server = try bench.server()
      server.send(String(html().dropLast(round == 1 ? 0 : 100)))
      if round != 1 { server.reset() }
      let response = try CompressedResponse(client.bytes)
      #expect(response.isEnded == (round == 1) && response.decoded.isComplete == (round == 1))
      #expect(client.isGone == (round != 1))
      client.reset()
    }
    bench.expectNothingHeld()
  }

  @Test("T70 A client that does not read holds the server back, compressed or not")
  func backPressure() throws {
    let bench = try Bench(routes)
    let client = bench.connect()
    client.room = 0
    client.send(get("/", "Accept-Encoding: gzip"))
    let server = try bench.server()
    server.send(head("HTTP/1.1 200 OK", "Content-Type: text/html", "Transfer-Encoding: chunked"))
    // Hexadecimal noise is halved, no more.
    var random = Random(state: 1)
    var sent: [UInt8] = []
    for _ in 0..<64 {
      let piece = Array((0..<16_384).map { _ in Array("0123456789abcdef".utf8)[Int(random.next() % 16)] })
      if !server.isPaused { sent += piece }
      server.send(Array("4000\r\n".utf8) + piece + Array("\r\n".utf8))
    }
    #expect(server.isPaused && sent.count < 16 * 16_384)
    client.read(.max)
    #expect(!server.isPaused && server.unreadByteCount == 0)
    server.send("0\r\n\r\n")
    let response = try CompressedResponse(client.bytes)
    #expect(response.decoded.isComplete && response.decoded.bytes.count == 64 * 16_384)
    bench.expectNothingHeld()
  }

  @Test("HTTP/2 clients get it in the same way", arguments: ["gzip", "br"])
  func http2(_ coding: String) throws {
    let over = try HTTP2Bench(routes)
    let client = try over.client()
    let stream = try #require(client.ask(get("/", "Accept-Encoding: \(coding)")))
    let asked = try #require(client.ask(get("/", "Accept-Encoding: \(coding)").replacing("GET", with: "HEAD")))
    try over.settle()
    for server in over.bench.servers {
      server.send(server.text.hasPrefix("HEAD") ? html("ETag: \"a\"").replacing(page, with: "") : html("ETag: \"a\""))
    }
    try over.settle()
    for id in [stream, asked] {
      #expect(client[id].head.contains("content-encoding: \(coding)") && client[id].head.contains("etag: W/\"a\""))
      #expect(client[id].head.contains("vary: Accept-Encoding") && !client[id].head.contains("content-length"))
      #expect(client[id].isEnded)
    }
    #expect(decoded(client[stream].body, coding) == Decoded(bytes: Array(page.utf8), isComplete: true))
    #expect(client[asked].body.isEmpty)
    over.bench.expectNothingHeld()
  }

  @Test("gRPC's messages are never touched, whatever types are listed")
  func grpc() throws {
    let over = try HTTP2Bench(routes)
    let client = try over.client()
    let call = try #require(
      client.ask(head("POST /own HTTP/1.1", "Host: h", "Content-Type: application/grpc", "Accept-Encoding: gzip")))
    try over.settle()
    try over.bench.server().send(ok(page, "Content-Type: application/grpc"))
    try over.settle()
    #expect(client[call].text == page && !client[call].head.contains("content-encoding"))
    over.bench.expectNothingHeld()
  }
}

/// Numbers that are the same in each run.
private struct Random {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}

/// A chunked answer, complete or not.
struct CompressedResponse {
  var head: String
  var body: [UInt8] = []
  var trailers: [String] = []
  var isEnded = false

  var decoded: Decoded { TestSupport.decoded(body, values("content-encoding", in: head).first) }

  init(_ bytes: [UInt8]) throws {
    let mark = try #require((0..<max(0, bytes.count - 3)).first { Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10] })
    head = String(decoding: bytes[..<(mark + 4)], as: UTF8.self)
    var place = mark + 4
    while let lineEnd = bytes[place...].firstIndex(of: 13) {
      let size = try #require(Int(String(decoding: bytes[place..<lineEnd], as: UTF8.self), radix: 16))
      place = lineEnd + 2
      if size == 0 {
        let rest = String(decoding: bytes[place...], as: UTF8.self)
        isEnded = rest == "\r\n" || rest.hasSuffix("\r\n\r\n")
        trailers = lines(of: rest)
        return
      }
      body += bytes[place..<place + size]
      place += size + 2
    }
  }
}
