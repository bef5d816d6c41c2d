// Every form of request and of response through the whole exchange, whole and split at every byte on either side: the
// same bytes come out, and they are the right ones.

import Testing

@testable import Proxy

/// A conversation: what the client sends, and what the servers answer to one request after the other.
struct Conversation: Sendable, CustomTestStringConvertible {
  var name: String
  var request: String
  var responses: [String]
  /// The servers close behind their last response.
  var endsWithServer = false

  var testDescription: String { name }

  /// What came out at both ends.
  struct Result: Equatable {
    var client = ""
    var servers = ""
    var connectCount = 0
    var isClientEnded = false
  }

  /// - Parameters:
  ///   - requestPieces: the request cut into pieces.
  ///   - cut: cuts a response.
  func run(
    _ snapshot: Snapshot, requestPieces: [ArraySlice<UInt8>], cut: ([UInt8]) -> [ArraySlice<UInt8>]
  ) throws -> Result {
    let bench = Bench(snapshot)
    let client = bench.connect()
    for piece in requestPieces { client.send(Array(piece)) }
    var seen = 0
    for (index, response) in responses.enumerated() {
      let total = bench.servers.reduce(0) { $0 + $1.bytes.count }
      #expect(total > seen, "response \(index) answers nothing")
      seen = total
      let server = try #require(bench.servers.last)
      for piece in cut(Array(response.utf8)) { server.send(Array(piece)) }
      if endsWithServer, index == responses.count - 1 { server.end() }
    }
    let result = Result(
      // A chunk that comes in two pieces is forwarded as two: only the content counts.
      client: unchunked(client.text), servers: bench.servers.map { unchunked($0.text) }.joined(),
      connectCount: bench.servers.count,
      isClientEnded: client.isGone)
    bench.expectNothingHeld()
    return result
  }

  func whole(_ snapshot: Snapshot) throws -> Result {
    try run(snapshot, requestPieces: [Array(request.utf8)[...]], cut: { [$0[...]] })
  }
}

@Suite("Message forms")
struct MessageFormTests {
  static let date = "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
  static let chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"

  static let conversations: [Conversation] = {
    let requests: [(String, String, Int)] = [
      ("no body", "GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: x\r\n\r\n", 1),
      ("Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", 1),
      (
        "chunked",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nX-T: v\r\n\r\n",
        1
      ),
      ("HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 1),
      ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 1),
      ("HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", 1),
      ("close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 1),
      (
        "three pipelined",
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\n",
        3
      ),
    ]
    let responses: [(String, String, Bool)] = [
      ("Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\r\nworld", false),
      ("empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
      ("chunked", chunked, false),
      ("until close", "HTTP/1.1 200 OK\r\n\r\nhello", true),
      ("204", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", false),
      ("304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"e\"\r\n\r\n", false),
      (
        "103",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        false
      ),
      ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
      ("close", "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok", false),
    ]
    return requests.flatMap { request in
      responses.compactMap { response in
        if request.2 > 1, response.2 { return nil }
        // An answer to HEAD has no content, whatever its head says.
        let isHead = request.0 == "HEAD"
        let text = isHead && !response.0.hasPrefix("1") ? headOnly(response.1) : response.1
        return Conversation(
          name: "\(request.0) → \(response.0)", request: request.1,
          responses: Array(repeating: text, count: request.2), endsWithServer: response.2)
      }
    }
  }()

  @Test("Each response form reaches an HTTP/1.1 client in a framing of its own")
  func responseForms() throws {
    func answer(_ response: String, to request: String = get(), end: Bool = false) throws -> (
      text: String, client: FakeSocket
    ) {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(request)
      try bench.server().send(response)
      if end { try bench.server().end() }
      return (client.text, client)
    }
    let date = Self.date
    #expect(
      try answer(ok("world", "Server: s")).text
        == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\(date)\r\nworld")
    #expect(
      try answer(Self.chunked).text
        == "HTTP/1.1 200 OK\r\n\(date)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n")
    let ended = try answer("HTTP/1.1 200 OK\r\n\r\nhello", end: true)
    #expect(ended.text == "HTTP/1.1 200 OK\r\n\(date)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    #expect(!ended.client.isGone)
    #expect(
      try answer("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").text
        == "HTTP/1.1 204 No Content\r\n\(date)\r\n")
    #expect(
      try answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n").text
        == "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\(date)\r\n")
    #expect(
      try answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", to: head("HEAD / HTTP/1.1", "Host: h")).text
        == "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\(date)\r\n")
    #expect(
      try answer(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
      ).text
        == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\(date)\r\n")
    #expect(
      try answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\n" + ok()).text
        == "HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(date)\r\nok")
  }

  @Test("An HTTP/1.0 client gets no chunks and no interim response, and knows the end by the close")
  func http10Client() throws {
    for (request, isKept) in [
      ("GET / HTTP/1.0\r\n\r\n", false), ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(request)
      #expect(try values("Host", in: bench.server().text) == ["10.0.0.1:9000"])
      #expect(try lines(of: bench.server().text)[0] == "GET / HTTP/1.1")
      try bench.server().send("HTTP/1.1 103 E\r\n\r\n" + ok("abc"))
      #expect(values("Connection", in: client.text) == [isKept ? "keep-alive" : "close"])
      #expect(status(client.text) == 200 && client.isGone == !isKept)
      if isKept {
        _ = client.take()
        client.send(request)
        try bench.server().send(Self.chunked)
        #expect(values("Transfer-Encoding", in: client.text).isEmpty)
        #expect(values("Connection", in: client.text) == ["close"])
        #expect(body(of: client.text) == "hello!")
        #expect(client.isGone)
      }
      bench.expectNothingHeld()
    }
  }

  @Test("A client that waits for 100 (Continue) gets it from the server, and its body then goes up")
  func expectContinue() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4", "Expect: 100-continue"))
    let server = try bench.server()
    #expect(values("Expect", in: server.text) == ["100-continue"])
    server.send("HTTP/1.1 100 Continue\r\n\r\n")
    #expect(client.take() == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("data")
    #expect(body(of: server.text) == "data")
    server.send(ok())
    #expect(status(client.text) == 200 && !client.isGone)
    bench.expectNothingHeld()
  }

  @Test("A final answer to a client that waits for 100 (Continue) ends the connection: nobody knows what comes next")
  func expectRefused() throws {
    let bench = try Bench("routes: [{ path: /*, auth: public, upstream: app, body_size: 3B }]")
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4", "Expect: 100-continue"))
    #expect(status(client.text) == 413 && values("Connection", in: client.text) == ["close"])
    #expect(client.isOutputClosed && bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  private static func headOnly(_ response: String) -> String {
    lines(of: response).map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test("A conversation gives the same bytes, split at every byte on either side", arguments: conversations)
  func splits(_ conversation: Conversation) throws {
    let snapshot = Snapshot(try configuration(openRoutes), generation: 1)
    let whole = try conversation.whole(snapshot)
    #expect(whole.client.hasPrefix("HTTP/1.1 "))
    let request = Array(conversation.request.utf8)
    for split in 1..<request.count {
      let result = try conversation.run(
        snapshot, requestPieces: [request[..<split], request[split...]], cut: { [$0[...]] })
      #expect(result == whole, "request split at \(split)")
    }
    for split in 1..<conversation.responses[0].utf8.count {
      let result = try conversation.run(snapshot, requestPieces: [request[...]], cut: { [$0[..<split], $0[split...]] })
      #expect(result == whole, "response split at \(split)")
    }
  }
}

/// The messages with the chunks of each joined.
func unchunked(_ messages: String) -> String {
  guard values("Transfer-Encoding", in: messages) == ["chunked"] else { return messages }
  let bytes = Array(body(of: messages).utf8)
  var content: [UInt8] = []
  var index = 0
  while let lineEnd = bytes[index...].firstIndex(of: 0x0D) {
    guard let size = Int(String(decoding: bytes[index..<lineEnd], as: UTF8.self), radix: 16) else { return messages }
    index = lineEnd + 2
    if size == 0 { break }
    content += bytes[index..<index + size]
    index += size + 2
  }
  // Trailers, then the next message.
  var trailers = ""
  while let lineEnd = bytes[index...].firstIndex(of: 0x0D) {
    let line = String(decoding: bytes[index..<lineEnd], as: UTF8.self)
    index = lineEnd + 2
    if line.isEmpty { break }
    trailers += line + "\n"
  }
  return lines(of: messages).joined(separator: "\n") + "\n\n" + String(decoding: content, as: UTF8.self) + "\n"
    + trailers
    + unchunked(String(decoding: bytes[index...], as: UTF8.self))
}
