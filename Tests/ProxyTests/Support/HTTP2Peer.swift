// The other end of a connection in HTTP/2: a session of our own over a fake socket, with a record of what it received.

import Bytes
import HTTP2
import HTTPWire
import Testing

@testable import Proxy

final class HTTP2Peer {
  /// What came on one stream.
  struct Message {
    /// The head as HTTP/1 would write it.
    var head = ""
    var interim: [Int] = []
    var body: [UInt8] = []
    /// As field lines.
    var trailers = ""
    var isEnded = false
    /// Why the stream was closed.
    var code: UInt32?

    var text: String { String(decoding: body, as: UTF8.self) }
    var status: Int { Int(head.dropFirst(7).prefix(3)) ?? 0 }
  }

  let socket: FakeSocket
  let session: HTTP2Session
  private(set) var messages: [Int32: Message] = [:]
  private(set) var streams: [Int32: StreamID] = [:]
  /// Streams that began, in order. A server's.
  private(set) var begun: [Int32] = []
  private(set) var goAways: [(last: Int32, code: UInt32)] = []
  private(set) var failure: FailureReason?
  /// Whether content counts as taken on at once.
  var consumes = true
  private var owed: [(StreamID, Int)] = []
  private let bench: Bench
  private var list = HeaderList()
  private var request = RequestHead()
  private var response = ResponseHead()
  private var section = FieldSection()

  init(_ role: SessionRole, _ socket: FakeSocket, _ bench: Bench, _ settings: SessionSettings = SessionSettings())
    throws
  {
    session = try #require(HTTP2Session(role: role, settings: settings, at: bench.now.nanoseconds))
    self.socket = socket
    self.bench = bench
  }

  subscript(_ stream: Int32) -> Message { messages[stream] ?? Message() }

  // MARK: Work

  /// Takes what came and sends what there is. False when there was neither.
  func work() -> Bool {
    let came = socket.takeBytes()
    var offset = 0
    while let event = session.receive(came.span, offset: &offset, at: bench.now.nanoseconds) { note(event, came) }
    let hasSent = send()
    return !came.isEmpty || hasSent
  }

  /// Sends what there is, without a look at what came.
  @discardableResult
  func send() -> Bool {
    var made = ByteQueue()
    session.produce(into: &made, upTo: 1 << 20)
    while let event = session.nextEvent() { note(event, []) }
    if made.isEmpty { return false }
    socket.send(made.copied())
    return socket.isOpen
  }

  private func note(_ event: SessionEvent, _ bytes: [UInt8]) {
    switch event {
    case .requestHead(let stream, _):
      session.takeRequestHead(into: &request)
      streams[stream.id] = stream
      begun.append(stream.id)
      messages[stream.id, default: Message()].head = request.bytes.text()
    case .responseHead(let stream, _):
      session.takeResponseHead(into: &response)
      messages[stream.id, default: Message()].head = response.bytes.text()
    case .interimHead(let stream):
      session.takeResponseHead(into: &response)
      messages[stream.id, default: Message()].interim.append(response.status)
    case .headRefused(let stream, let error): Issue.record("\(stream.id): \(error)")
    case .data(let stream, let range):
      messages[stream.id, default: Message()].body += bytes[range]
      if consumes { session.consumed(stream, range.count) } else { owed.append((stream, range.count)) }
    case .trailers(let stream):
      session.takeTrailers(into: &section)
      messages[stream.id, default: Message()].trailers = section.bytes.text()
    case .end(let stream): messages[stream.id, default: Message()].isEnded = true
    case .closed(let stream, let code, _): messages[stream.id, default: Message()].code = code
    case .goAway(let last, let code): goAways.append((last, code))
    case .failed(let reason): failure = reason
    case .drained, .settingsChanged, .shutdownHeard: break
    }
  }

  /// Takes on what came while ``consumes`` was false.
  func consume() {
    consumes = true
    for (stream, count) in owed { session.consumed(stream, count) }
    owed = []
  }

  // MARK: What it says

  /// Begins a request, or makes a whole one. Nil when the session takes none now.
  @discardableResult
  func ask(_ head: String, body: String? = nil, trailers: String = "", isEnd: Bool = true) -> Int32? {
    guard list.setRequest(head: Array(head.utf8).span, scheme: "http") else { return nil }
    let isEmpty = body == nil && trailers.isEmpty
    guard let stream = session.submitRequest(&list, isEnd: isEnd && isEmpty) else { return nil }
    streams[stream.id] = stream
    messages[stream.id] = Message()
    if let body { append(body, to: stream.id) }
    if isEnd, !isEmpty { finish(stream.id, trailers: trailers) }
    return stream.id
  }

  func interim(_ stream: Int32, _ status: Int, _ lines: String = "") {
    guard let id = streams[stream] else { return }
    list.setStatus(status)
    list.append(lines: Array(lines.utf8).span)
    session.submitInterim(&list, on: id)
  }

  /// Begins a response, or makes a whole one.
  func answer(
    _ stream: Int32, _ status: Int = 200, _ lines: String = "", body: String? = nil, trailers: String = "",
    isEnd: Bool = true
  ) {
    guard let id = streams[stream] else { return }
    list.setStatus(status)
    list.append(lines: Array(lines.utf8).span)
    let isEmpty = body == nil && trailers.isEmpty
    session.submitResponse(&list, on: id, isEnd: isEnd && isEmpty)
    if let body { append(body, to: stream) }
    if isEnd, !isEmpty { finish(stream, trailers: trailers) }
  }

  func append(_ text: String, to stream: Int32) {
    if let id = streams[stream] { session.append(Array(text.utf8).span, to: id) }
  }

  func finish(_ stream: Int32, trailers: String = "") {
    if let id = streams[stream] { session.finish(id, trailers: Array(trailers.utf8).span) }
  }

  func reset(_ stream: Int32, _ code: UInt32 = ErrorCode.cancel) {
    if let id = streams[stream] { session.reset(id, code: code) }
  }
}

/// A bench whose peers speak HTTP/2, on one side or on both.
final class HTTP2Bench {
  let bench: Bench
  private(set) var clients: [HTTP2Peer] = []
  /// In the order of the bench's servers. Empty while servers speak HTTP/1.
  private(set) var servers: [HTTP2Peer] = []
  private let areServersHTTP2: Bool
  /// What servers announce.
  var serverSettings = SessionSettings()

  static let route = "routes: [{ path: /*, auth: public, upstream: app }]\n"
  static let multiplexed = "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2 } }\n"

  init(_ text: String = HTTP2Bench.route + HTTP2Bench.multiplexed) throws {
    bench = try Bench(text)
    areServersHTTP2 = text.contains("protocol: http2")
  }

  func client(_ settings: SessionSettings = SessionSettings()) throws -> HTTP2Peer {
    let peer = try HTTP2Peer(.client, bench.connect(), bench, settings)
    clients.append(peer)
    try settle()
    return peer
  }

  /// Carries bytes until all is quiet.
  func settle() throws {
    var isBusy = true
    while isBusy {
      isBusy = false
      if areServersHTTP2 {
        for socket in bench.servers where !servers.contains(where: { $0.socket === socket }) {
          servers.append(try HTTP2Peer(.server, socket, bench, serverSettings))
        }
      }
      for peer in clients + servers where peer.socket.isOpen || !peer.socket.bytes.isEmpty {
        if peer.work() { isBusy = true }
      }
    }
  }

  /// Lets go of the peers that are gone.
  func forgetGone() {
    clients.removeAll { !$0.socket.isOpen }
    servers.removeAll { !$0.socket.isOpen && !$0.socket.isConnecting }
    bench.forgetServers()
  }

  func wait(_ duration: Duration) throws {
    bench.wait(duration)
    try settle()
  }
}
