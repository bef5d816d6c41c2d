// Every mix of HTTP/1 and HTTP/2 on the two sides: what goes in on one side comes out on the other, framed again.

import HTTP2
import Testing

@testable import Proxy

/// Which of the two sides speak HTTP/2.
enum Mix: String, CaseIterable, CustomTestStringConvertible {
  case clientOnly, serverOnly, both

  var testDescription: String { rawValue }

  var text: String { HTTP2Bench.route + (self == .clientOnly ? "" : HTTP2Bench.multiplexed) }
}

/// One exchange over either mix, described in the same words.
private final class MixedExchange {
  let mix: Mix
  let over: HTTP2Bench
  private let client: HTTP2Peer?
  private let plainClient: FakeSocket?
  private var stream: Int32 = 0

  init(_ mix: Mix) throws {
    self.mix = mix
    over = try HTTP2Bench(mix.text)
    client = mix == .serverOnly ? nil : try over.client()
    plainClient = mix == .serverOnly ? over.bench.connect() : nil
  }

  func ask(_ request: String, body: String? = nil, trailers: String = "") throws {
    _ = over.bench.servers.last?.take()
    _ = plainClient?.take()
    if let client {
      stream = try #require(client.ask(request, body: body, trailers: trailers))
    } else if let body {
      let framed = request.dropLast() + "Transfer-Encoding: chunked\r\n\r\n"
      let chunk = body.isEmpty ? "" : String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n"
      plainClient?.send(framed + chunk + "0\r\n" + trailers + "\r\n")
    } else {
      plainClient?.send(request)
    }
    try over.settle()
  }

  /// The request as the server has it: head, body, trailers.
  func seen() throws -> (head: String, body: String, trailers: String) {
    guard mix != .clientOnly else {
      let text = try over.bench.server().text
      let content = unframed(text)
      return (lines(of: text).joined(separator: "\n"), content.body, content.trailers)
    }
    let server = try #require(over.servers.last)
    let message = server[try #require(server.begun.last)]
    #expect(message.isEnded)
    return (lines(of: message.head).joined(separator: "\n"), message.text, message.trailers)
  }

  func answer(_ status: Int, _ fields: String = "", body: String? = nil, trailers: String = "") throws {
    if mix == .clientOnly {
      let server = try over.bench.server()
      let head = "HTTP/1.1 \(status) X\r\n" + fields
      if let body, !trailers.isEmpty {
        let chunk = String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n0\r\n" + trailers + "\r\n"
        server.send(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk)
      } else {
        server.send(head + (body.map { "Content-Length: \($0.utf8.count)\r\n\r\n" + $0 } ?? "\r\n"))
      }
    } else {
      let server = try #require(over.servers.last)
      server.answer(try #require(server.begun.last), status, fields, body: body, trailers: trailers)
    }
    try over.settle()
  }

  func interim(_ status: Int, _ fields: String = "") throws {
    if mix == .clientOnly {
      try over.bench.server().send("HTTP/1.1 \(status) X\r\n" + fields + "\r\n")
    } else {
      let server = try #require(over.servers.last)
      server.interim(try #require(server.begun.last), status, fields)
    }
    try over.settle()
  }

  /// The answer as the client has it.
  func received() throws -> (status: Int, head: String, body: String, trailers: String, interim: [Int]) {
    if let client {
      let message = client[stream]
      #expect(message.isEnded && message.code == 0)
      return (message.status, message.head, message.text, message.trailers, message.interim)
    }
    var text = plainClient?.text ?? ""
    var interim: [Int] = []
    while (100...199).contains(status(text)) {
      interim.append(status(text))
      text = body(of: text)
    }
    let content = unframed(text)
    return (status(text), text, content.body, content.trailers, interim)
  }

  func end() { over.bench.expectNothingHeld() }
}

/// The body of one message of HTTP/1, and its trailers, as its framing says.
func unframed(_ message: String) -> (body: String, trailers: String) {
  var rest = Array(body(of: message).utf8)[...]
  if values("Transfer-Encoding", in: message).isEmpty { return (String(decoding: rest, as: UTF8.self), "") }
  var content: [UInt8] = []
  while let lineEnd = rest.firstIndex(of: 0x0D),
    let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16)
  {
    rest = rest[(lineEnd + 2)...]
    if size == 0 { break }
    content += rest.prefix(size)
    rest = rest.dropFirst(size + 2)
  }
  return (String(decoding: content, as: UTF8.self), String(decoding: rest.dropLast(2), as: UTF8.self))
}

@Suite("HTTP/2 and HTTP/1 on either side")
struct HTTP2MixTests {
  @Test("A GET and its answer", arguments: Mix.allCases)
  func get(_ mix: Mix) throws {
    let exchange = try MixedExchange(mix)
    try exchange.ask(plainGet("/a?b=c", "X-One: 1", "Cookie: a=1; b=2"))
    let seen = try exchange.seen()
    #expect(seen.head.hasPrefix("GET /a?b=c HTTP/"))
    #expect(values("x-one", in: seen.head + "\n\n") == ["1"])
    #expect(values("cookie", in: seen.head + "\n\n") == ["a=1; b=2"])
    #expect(values("via", in: seen.head + "\n\n") == [mix == .serverOnly ? "1.1 catraca" : "2 catraca"])
    try exchange.answer(200, "X-Two: 2\r\n", body: "hello")
    let answer = try exchange.received()
    #expect(answer.status == 200 && answer.body == "hello")
    #expect(values("x-two", in: answer.head) == ["2"])
    #expect(values("date", in: answer.head).count == 1)
    exchange.end()
  }

  @Test("Bodies and trailers pass both ways, and T51 nothing of either framing with them", arguments: Mix.allCases)
  func bodiesAndTrailers(_ mix: Mix) throws {
    let exchange = try MixedExchange(mix)
    try exchange.ask(
      head("POST /a HTTP/1.1", "Host: h", "TE: trailers"), body: "request body", trailers: "x-sum: 7\r\n")
    let seen = try exchange.seen()
    #expect(seen.body == "request body" && seen.trailers == "x-sum: 7\r\n")
    if mix != .clientOnly {
      for name in ["transfer-encoding", "connection", "keep-alive", "upgrade", "content-length"] {
        #expect(values(name, in: seen.head + "\n\n").isEmpty, "\(name)")
      }
    }
    try exchange.answer(200, "Keep-Alive: timeout=5\r\n", body: "response body", trailers: "x-sum: 8\r\n")
    let answer = try exchange.received()
    #expect(answer.body == "response body" && answer.trailers == "x-sum: 8\r\n")
    #expect(values("keep-alive", in: answer.head).isEmpty)
    if mix != .serverOnly { #expect(values("transfer-encoding", in: answer.head).isEmpty) }
    exchange.end()
  }

  @Test("Interim responses pass in front of the final one", arguments: Mix.allCases)
  func interim(_ mix: Mix) throws {
    let exchange = try MixedExchange(mix)
    try exchange.ask(plainGet("/"))
    try exchange.interim(103, "Link: </a>\r\n")
    try exchange.interim(103, "Link: </b>\r\n")
    try exchange.answer(200, body: "x")
    let answer = try exchange.received()
    #expect(answer.interim == [103, 103] && answer.status == 200 && answer.body == "x")
    exchange.end()
  }

  @Test("Answers without content end with their heads", arguments: Mix.allCases)
  func withoutContent(_ mix: Mix) throws {
    for (method, status, length) in [("HEAD", 200, "5"), ("GET", 304, "5"), ("GET", 204, "")] {
      let exchange = try MixedExchange(mix)
      try exchange.ask(head("\(method) / HTTP/1.1", "Host: h"))
      try exchange.answer(status, length.isEmpty ? "" : "Content-Length: \(length)\r\n")
      let answer = try exchange.received()
      #expect(answer.status == status && answer.body.isEmpty)
      #expect(values("content-length", in: answer.head) == (length.isEmpty ? [] : [length]))
      // The next exchange finds both connections whole.
      try exchange.ask(plainGet("/next"))
      #expect(try exchange.seen().head.contains("/next"))
      exchange.end()
    }
  }

  @Test("An answer with an empty body is whole", arguments: Mix.allCases)
  func emptyBody(_ mix: Mix) throws {
    let exchange = try MixedExchange(mix)
    try exchange.ask(head("POST / HTTP/1.1", "Host: h"), body: "")
    #expect(try exchange.seen().body.isEmpty)
    try exchange.answer(201, body: "")
    #expect(try exchange.received().status == 201)
    exchange.end()
  }
}

private func plainGet(_ path: String, _ fields: String...) -> String {
  (["GET \(path) HTTP/1.1", "Host: h"] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
}
