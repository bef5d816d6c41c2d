// Clients and servers of WebSockets for the bench: handshakes as text, frames as bytes, and a client that speaks
// HTTP/2.

import Bytes
import Cryptography
import HTTP2
import HTTPWire
import Testing
import Tokens

@testable import Proxy

enum WebSocketConfigurations {
  static let open = "routes: [{ path: /*, auth: public, upstream: app, websocket: true }]"

  /// Tokens of `issuer`, exact to the second, from wherever a WebSocket may have them.
  static func guarded(_ issuer: BenchIssuer, auth: String = "", websocket: String = "true", more: String = "") -> String
  {
    let section = issuer.section.replacing("audiences: [a]", with: "audiences: [a], leeway: 0s")
    return """
      routes:
      - path: /*
        auth: { issuers: [login], tokens_from: [authorization, websocket_protocol, "query:t"]\(auth) }
        upstream: app
        websocket: \(websocket)
      \(more)
      \(section)
      """
  }
}

/// The key of RFC 6455 §1.3.
let sampleKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

/// A good handshake with further field lines.
func handshake(_ path: String = "/", _ lines: String...) -> String {
  handshake(
    path,
    lines: ["Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", sampleKey] + lines)
}

func handshake(_ path: String = "/", method: String = "GET", lines: [String]) -> String {
  (["\(method) \(path) HTTP/1.1", "Host: h"] + lines).map { $0 + "\r\n" }.joined() + "\r\n"
}

/// The server agrees.
func switching(_ lines: String...) -> String {
  ([
    "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  ] + lines).map { $0 + "\r\n" }.joined() + "\r\n"
}

/// A frame as a server sends it. `first` is 0x81 for a whole text.
func frame(_ text: String, first: UInt8 = 0x81) -> [UInt8] { frame(Array(text.utf8), first: first) }

func frame(_ content: [UInt8], first: UInt8 = 0x81) -> [UInt8] {
  content.count < 126
    ? [first, UInt8(content.count)] + content
    : [first, 126, UInt8(content.count >> 8 & 0xFF), UInt8(content.count & 0xFF)] + content
}

/// The same as a client sends it.
func masked(_ text: String, first: UInt8 = 0x81) -> [UInt8] { masked(frame(text, first: first)) }

func masked(_ frame: [UInt8]) -> [UInt8] {
  let key: [UInt8] = [0x11, 0x22, 0x33, 0x44]
  let headCount = frame[1] == 126 ? 4 : 2
  var result = Array(frame[..<headCount]) + key
  result[1] |= 0x80
  for (index, byte) in frame[headCount...].enumerated() { result.append(byte ^ key[index % 4]) }
  return result
}

/// The code of the close frame at the end of what a client was sent. Nil when it does not end with one.
func closeCode(_ bytes: [UInt8]) -> Int? {
  let end = bytes.suffix(4)
  guard end.count == 4, Array(end.prefix(2)) == [0x88, 2] else { return nil }
  return end.suffix(2).reduce(0) { $0 << 8 | Int($1) }
}

/// The code of the close frame at the end of what a server was sent.
func maskedCloseCode(_ bytes: [UInt8]) -> Int? {
  let end = Array(bytes.suffix(8))
  guard end.count == 8, Array(end.prefix(2)) == [0x88, 0x82] else { return nil }
  return Int(end[6] ^ end[2]) << 8 | Int(end[7] ^ end[3])
}

/// A WebSocket that is open on both sides. What was said before is taken from the sockets.
struct OpenWebSocket {
  let client: FakeSocket
  let server: FakeSocket

  init(_ bench: Bench, _ request: String = handshake()) throws {
    client = bench.connect()
    client.send(request)
    server = try bench.server()
    server.send(switching())
    #expect(status(client.take()) == 101)
    #expect(server.take().contains("Upgrade: websocket\r\n"))
  }
}

/// A client of HTTP/2 by prior knowledge, with one WebSocket.
final class HTTP2Client {
  let socket: FakeSocket
  let session: HTTP2Session
  private var readCount = 0
  private var list = HeaderList()
  private(set) var stream: StreamID?
  private(set) var status = 0
  private(set) var fields: [String] = []
  private(set) var bytes: [UInt8] = []
  private(set) var hasEnded = false
  /// The code of the stream's end.
  private(set) var closed: UInt32?
  /// Whether what is received is taken, so that the gateway may send more.
  var isTaking = true

  init(_ bench: Bench) throws {
    socket = bench.connect()
    session = try #require(HTTP2Session(role: .client, settings: SessionSettings(), at: 0))
    turn()
  }

  /// Sends what there is, and reads what came, until neither is any more.
  func turn() {
    while true {
      var queue = ByteQueue()
      session.produce(into: &queue, upTo: 1 << 20)
      while let event = session.nextEvent() { note(event, []) }
      if !queue.isEmpty { socket.send(queue.copied()) }
      let fresh = Array(socket.bytes[readCount...])
      readCount = socket.bytes.count
      var offset = 0
      while let event = session.receive(fresh.span, offset: &offset, at: 0) { note(event, fresh) }
      if queue.isEmpty, fresh.isEmpty { return }
    }
  }

  private func note(_ event: SessionEvent, _ input: [UInt8]) {
    switch event {
    case .responseHead:
      var head = ResponseHead()
      session.takeResponseHead(into: &head)
      status = head.status
      let all = head.bytes.copied()
      fields = head.fields.map { String(decoding: all[$0.line.lowerBound..<$0.value.upperBound], as: UTF8.self) }
    case .data(let id, let range):
      if id == stream { bytes += input[range] }
      if isTaking { session.consumed(id, range.count) }
    case .end(let id): if id == stream { hasEnded = true }
    case .closed(let id, let code, _): if id == stream { closed = code }
    default: break
    }
  }

  /// RFC 8441 §5.1.
  func connect(_ path: String = "/", protocol name: StaticString = "websocket", _ lines: String..., isEnd: Bool = false)
  {
    let lines = ["Sec-WebSocket-Version: 13"] + lines
    let isSet = list.setRequest(
      head: Array(handshake(path, lines: lines).utf8).span, scheme: "http", connectProtocol: name)
    #expect(isSet)
    stream = session.submitRequest(&list, isEnd: isEnd)
    turn()
  }

  func send(_ bytes: [UInt8]) {
    if let stream { session.append(bytes.span, to: stream) }
    turn()
  }

  func finish() {
    if let stream { session.finish(stream) }
    turn()
  }

  func reset() {
    if let stream { session.reset(stream, code: ErrorCode.cancel) }
    turn()
  }
}

/// The server's answer to the key that the gateway made for a client of HTTP/2.
func switching(for request: String, _ lines: [String] = []) -> String {
  let key = values("Sec-WebSocket-Key", in: request).first ?? ""
  let accept = base64(SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8).span))
  return (["HTTP/1.1 101 OK", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: \(accept)"] + lines)
    .map { $0 + "\r\n" }.joined() + "\r\n"
}

private func base64(_ bytes: [UInt8]) -> String {
  let text = Base64URL.encode(bytes.span)
  let plain = String(decoding: text, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
  return plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
}
