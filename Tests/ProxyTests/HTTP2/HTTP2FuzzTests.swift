// Random events in random order over HTTP/2, from fixed seeds: nothing traps, no byte of one stream reaches another,
// and everything is released at the end. As in ExchangeFuzzTests, each request carries a mark that its answer must
// have.

import HTTP2
import TestBasics
import Testing

@testable import Proxy

@Suite("Random events over HTTP/2")
struct HTTP2FuzzTests {
  @Test("No order of events mixes streams up, traps, or leaves anything behind", arguments: 0..<16)
  func random(_ seed: Int) throws {
    let run = try HTTP2Run(seed: UInt64(seed), areServersHTTP2: seed % 4 != 3)
    for _ in 0..<700 { try run.step() }
    try run.finish(drains: seed % 2 == 1)
    #expect(run.mixUps.isEmpty, "\(run.mixUps)")
    #expect(run.answered > 20, "the run did something")
  }

  @Test("A run whose servers swap their answers over HTTP/2 is found out")
  func canary() throws {
    let run = try HTTP2Run(seed: 1, areServersHTTP2: true)
    run.isSwapping = true
    for _ in 0..<700 { try run.step() }
    try run.finish()
    #expect(!run.mixUps.isEmpty)
  }
}

private final class HTTP2Run {
  private let over: HTTP2Bench
  private var random: SeededGenerator
  private let texts: [String]
  private let areServersHTTP2: Bool
  /// The mark of each stream.
  private var marks: [ObjectIdentifier: [Int32: String]] = [:]
  /// Clients of HTTP/1, each with its one mark.
  private var plain: [(socket: FakeSocket, mark: String)] = []
  private var count = 0
  private(set) var answered = 0
  private(set) var mixUps: [String] = []
  var isSwapping = false

  private var bench: Bench { over.bench }

  init(seed: UInt64, areServersHTTP2: Bool) throws {
    random = SeededGenerator(seed: seed)
    self.areServersHTTP2 = areServersHTTP2
    let top = """
      routes:
      - { path: /*, auth: public, upstream: app, timeout: 20s }
      - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
      limits: { body_size: 200KiB, body_timeout: 5s, header_timeout: 4s, idle_timeout: 6s, streams: 20,
        half_close: HALF }

      """
    let kind = areServersHTTP2 ? "http2" : "http1"
    texts = [("10.0.0.2:1", true), ("10.0.0.3:1", false)].map { server, isHalfClose in
      top.replacing("HALF", with: "\(isHalfClose)")
        + "upstreams: { app: { servers: [10.0.0.1:1, \(server)], protocol: \(kind), connect_timeout: 1s, "
        + "response_timeout: 2s } }"
    }
    over = try HTTP2Bench(texts[0])
    over.serverSettings.concurrentStreamCountMax = 6
    bench.refusing = ["10.0.0.2:1"]
  }

  private func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }

  func step() throws {
    switch number(0..<100) {
    case 0..<5: if over.clients.count < 6 { _ = try over.client() }
    case 5..<8: askPlainly()
    case 8..<30: ask()
    case 30..<42: goOn(of: over.clients)
    case 42..<70: answer()
    case 70..<78: goOn(of: over.servers)
    case 78..<82: resetStream()
    case 82..<85: changeRoom()
    case 85..<87: bench.holdsConnects.toggle()
    case 87..<89: bench.connectAll()
    case 89..<93: bench.wait(.milliseconds(number(50..<1500)))
    case 93: try bench.reload(texts[number(0..<2)])
    case 94: over.servers.randomElement(using: &random)?.session.shutDown()
    case 95: over.clients.randomElement(using: &random)?.socket.reset()
    case 96: bench.servers.filter(\.isOpen).randomElement(using: &random)?.reset()
    case 97: over.clients.randomElement(using: &random)?.socket.end()
    case 98: bench.servers.filter(\.isOpen).randomElement(using: &random)?.end()
    default:
      let junk = (0..<number(1..<40)).map { _ in UInt8(truncatingIfNeeded: number(0..<256)) }
      (over.clients + over.servers).randomElement(using: &random)?.socket.send(junk)
    }
    try over.settle()
    judge()
  }

  private func newMark() -> String {
    count += 1
    return "m\(count)m"
  }

  private func ask() {
    guard let client = over.clients.randomElement(using: &random) else { return }
    let mark = newMark()
    let stream: Int32?
    switch number(0..<6) {
    case 0: stream = client.ask(head("HEAD /\(mark) HTTP/1.1", "Host: h"))
    case 1: stream = client.ask(get("/fixed"))
    case 2:
      stream = client.ask(
        head("POST /\(mark) HTTP/1.1", "Host: h"), body: String(repeating: "b", count: number(0..<90_000)),
        trailers: "x-t: 1\r\n")
    case 3: stream = client.ask(head("PUT /\(mark) HTTP/1.1", "Host: h"), body: "begun", isEnd: false)
    default: stream = client.ask(get("/\(mark)"))
    }
    if let stream { marks[ObjectIdentifier(client), default: [:]][stream] = mark }
  }

  private func askPlainly() {
    let mark = newMark()
    let socket = bench.connect()
    socket.send(head("POST /\(mark) HTTP/1.1", "Host: h", "Content-Length: 5", "Connection: close") + "hello")
    plain.append((socket, mark))
  }

  /// More of a body, or its end.
  private func goOn(of peers: [HTTP2Peer]) {
    guard let peer = peers.randomElement(using: &random),
      let stream = peer.streams.keys.sorted().suffix(8).randomElement(using: &random)
    else { return }
    if Bool.random(using: &random) { peer.append(String(repeating: ".", count: number(0..<40_000)), to: stream) }
    if Bool.random(using: &random) { peer.finish(stream) }
    if number(0..<4) == 0 { if peer.consumes { peer.consumes = false } else { peer.consume() } }
  }

  private func answer() {
    if !areServersHTTP2 { return answerPlainly() }
    guard let server = over.servers.randomElement(using: &random),
      let stream = server.begun.suffix(8).randomElement(using: &random)
    else { return }
    let mark = isSwapping ? "m0m" : Self.mark(in: server[stream].head)
    let isHead = server[stream].head.hasPrefix("HEAD")
    let content = isHead ? nil : "<\(mark)>" + String(repeating: ".", count: number(0..<3000))
    switch number(0..<6) {
    case 0: server.interim(stream, 103, "x-mark: \(mark)\r\n")
    case 1: server.answer(stream, 204, "x-mark: \(mark)\r\n")
    case 2: server.answer(stream, 200, "x-mark: \(mark)\r\n", body: content, isEnd: isHead)
    case 3:
      server.answer(stream, 200, "x-mark: \(mark)\r\n", body: content, trailers: isHead ? "" : "x-mark: \(mark)\r\n")
    default: server.answer(stream, 200, "x-mark: \(mark)\r\n", body: content)
    }
  }

  private func answerPlainly() {
    guard let server = bench.servers.filter({ $0.isOpen && !$0.bytes.isEmpty }).randomElement(using: &random) else {
      return
    }
    let request = server.take()
    let mark = Self.mark(in: request)
    let content = "<\(mark)>" + String(repeating: ".", count: number(0..<3000))
    let isHead = request.hasPrefix("HEAD")
    let text = isHead ? "HTTP/1.1 200 OK\r\nX-Mark: \(mark)\r\n\r\n" : ok(content, "X-Mark: \(mark)")
    server.send(number(0..<8) == 0 ? String(text.dropLast(number(1..<20))) : text)
    if number(0..<6) == 0 { server.end() }
  }

  private func resetStream() {
    guard let peer = (over.clients + over.servers).randomElement(using: &random),
      let stream = peer.streams.keys.sorted().suffix(8).randomElement(using: &random)
    else { return }
    peer.reset(stream, UInt32(number(0..<14)))
  }

  private func changeRoom() {
    guard let socket = bench.sockets.randomElement(using: &random) else { return }
    if socket.room == .max { socket.room = number(0..<2000) } else { socket.read(.max) }
  }

  private static func mark(in text: String) -> String {
    marks(in: text).first ?? "none"
  }

  private static func marks(in text: String) -> [String] {
    text.split { !($0.isNumber || $0 == "m") }.map(String.init).filter {
      $0.count > 2 && $0.hasPrefix("m") && $0.hasSuffix("m") && $0.dropFirst().dropLast().allSatisfy(\.isNumber)
    }
  }

  // MARK: What must hold

  private func judge() {
    for client in over.clients where !client.socket.isOpen { judge(client) }
    for (socket, mark) in plain where !socket.isOpen { judge(socket, mark) }
    plain.removeAll { !$0.socket.isOpen }
    over.forgetGone()
  }

  private func judge(_ client: HTTP2Peer) {
    for (stream, mark) in marks.removeValue(forKey: ObjectIdentifier(client)) ?? [:] {
      let message = client[stream]
      let seen = Set(Self.marks(in: message.head + " " + String(message.text.prefix(20)) + " " + message.trailers))
      if !seen.isEmpty { answered += 1 }
      if !seen.isSubset(of: [mark]) { mixUps.append("\(seen) on the stream of \(mark)") }
    }
  }

  private func judge(_ socket: FakeSocket, _ mark: String) {
    let seen = Set(Self.marks(in: socket.text))
    if !seen.isSubset(of: [mark]) { mixUps.append("\(seen) for \(mark)") }
  }

  /// Lets every wait run out, behind a drain where one is asked for.
  func finish(drains isDrained: Bool = false) throws {
    bench.holdsConnects = false
    bench.connectAll()
    for socket in bench.sockets { socket.read(.max) }
    try over.settle()
    if isDrained { bench.act { $0.drain() } }
    // Every wait has an end, and is over by then.
    for _ in 0..<100 { try over.wait(.seconds(2)) }
    for client in over.clients {
      #expect(client.socket.isGone || !client.socket.isOpen, "a client is held for ever")
      judge(client)
    }
    for (socket, mark) in plain { judge(socket, mark) }
    #expect(bench.isDrained == isDrained)
    bench.expectNothingHeld()
    #expect(bench.worker.commands.isEmpty && bench.worker.flushes.isEmpty)
  }
}
