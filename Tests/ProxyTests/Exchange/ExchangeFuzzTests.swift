// Random events in random order, from fixed seeds: nothing traps, no byte of one exchange reaches another's client, and
// everything is released at the end. Each request carries a mark that its server puts into the answer.

import Configuration
import TestBasics
import Testing
import Tokens

@testable import Proxy

@Suite("Random events")
struct ExchangeFuzzTests {
  @Test("No order of events mixes exchanges up, traps, or leaves anything behind", arguments: 0..<20)
  func random(_ seed: Int) throws {
    var run = try RandomRun(seed: UInt64(seed))
    for _ in 0..<1000 { try run.step() }
    run.finish(drains: seed % 2 == 1)
    #expect(run.mixUps.isEmpty, "\(run.mixUps)")
    #expect(run.answered > 20, "the run did something")
  }

  @Test("A run whose servers swap their answers is found out")
  func canary() throws {
    var run = try RandomRun(seed: 1)
    run.isSwapping = true
    for _ in 0..<1000 { try run.step() }
    run.finish()
    #expect(!run.mixUps.isEmpty)
  }
}

private struct RandomRun {
  private let bench: Bench
  private var random: SeededGenerator
  private var clients: [Client] = []
  private var mark = 0
  private(set) var answered = 0
  private(set) var mixUps: [String] = []
  private let configurations: [GatewayConfiguration]
  private let issuer: BenchIssuer
  private var answeredBytes: [ObjectIdentifier: Int] = [:]
  /// Servers answer with another mark: the canary.
  var isSwapping = false

  private struct Client {
    var socket: FakeSocket
    /// Marks of the requests sent whole and unspoilt, in order.
    var marks: [String] = []
    var isSpoilt = false
    /// Bytes of the request under way that were not sent yet.
    var rest: ArraySlice<UInt8> = []
  }

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    issuer = try BenchIssuer()
    let routes = """
      routes:
      - { path: /*, auth: public, upstream: app, timeout: 20s }
      - { path: /t/*, auth: { issuers: [login], optional: true }, upstream: app }
      - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
      limits: { body_size: 2KiB, body_timeout: 5s, header_timeout: 4s, idle_timeout: 6s }
      \(issuer.section)

      """
    configurations = try [
      routes + "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1], connect_timeout: 1s, response_timeout: 2s } }",
      routes + "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.3:1], idle_connections: 1, response_timeout: 1s } }",
    ].map { try configuration($0) }
    bench = Bench(Snapshot(configurations[0], generation: 1), keySets: [try issuer.keySet()])
    bench.refusing = ["10.0.0.2:1"]
  }

  mutating func step() throws {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<8: if clients.count < 12 { connect() }
    case 8..<50: try sendSome()
    case 50..<80: answerSome()
    case 80..<84: changeRoom()
    case 84..<86: bench.holdsConnects.toggle()
    case 86..<88: bench.connectAll()
    case 88..<93: bench.wait(.milliseconds(Int.random(in: 50...1500, using: &random)))
    case 93: bench.reload(configurations[Int.random(in: 0..<2, using: &random)], keySets: [try issuer.keySet()])
    case 94: if !bench.asked.isEmpty { try bench.answer(.keys(haveChanged: Bool.random(using: &random))) }
    case 95..<97: loseClient()
    case 97..<99: loseServer()
    default: if let socket = clients.randomElement(using: &random)?.socket { socket.end() }
    }
    check()
  }

  private mutating func connect() {
    let socket = bench.connect()
    if Int.random(in: 0..<4, using: &random) == 0 { socket.room = Int.random(in: 0..<300, using: &random) }
    clients.append(Client(socket: socket))
  }

  // MARK: Clients

  private mutating func sendSome() throws {
    guard let index = clients.indices.randomElement(using: &random) else { return }
    if clients[index].rest.isEmpty { clients[index].rest = try request(for: index)[...] }
    let count =
      Bool.random(using: &random)
      ? clients[index].rest.count : Int.random(in: 1...clients[index].rest.count, using: &random)
    let piece = Array(clients[index].rest.prefix(count))
    clients[index].rest = clients[index].rest.dropFirst(count)
    clients[index].socket.send(piece)
  }

  private mutating func request(for index: Int) throws -> [UInt8] {
    mark += 1
    let name = "m\(mark)m"
    var text: String
    let body = String(repeating: "b", count: Int.random(in: 0..<900, using: &random))
    switch Int.random(in: 0..<9, using: &random) {
    case 0: text = head("POST /\(name) HTTP/1.1", "Host: h", "Content-Length: \(body.utf8.count)") + body
    case 1:
      let chunk = body.isEmpty ? "" : String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n"
      text = head("PUT /\(name) HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + chunk + "0\r\nX-T: 1\r\n\r\n"
    case 2: text = head("HEAD /\(name) HTTP/1.1", "Host: h")
    case 3:
      text = get(
        "/t/\(name)", "Authorization: Bearer \(try issuer.token(keyID: Bool.random(using: &random) ? "other" : nil))")
    case 4: text = get("/fixed")
    case 5: text = head("POST /\(name) HTTP/1.1", "Host: h", "Content-Length: 10000", "Expect: 100-continue") + body
    default: text = get("/\(name)")
    }
    var bytes = Array(text.utf8)
    if Int.random(in: 0..<12, using: &random) == 0 {
      // From here on the order of answers is not known any more.
      clients[index].isSpoilt = true
      var place = Int.random(in: 0..<bytes.count, using: &random)
      // The mark stays as it is.
      if place < 20 { place = bytes.count - 1 - place }
      bytes[place] = UInt8.random(in: 0...255, using: &random)
    }
    clients[index].marks.append(name)
    return bytes
  }

  private mutating func loseClient() {
    guard let index = clients.indices.randomElement(using: &random) else { return }
    clients[index].socket.reset()
  }

  private mutating func changeRoom() {
    guard let socket = clients.randomElement(using: &random)?.socket else { return }
    socket.read(Bool.random(using: &random) ? .max : Int.random(in: 1..<2000, using: &random))
    if let server = bench.servers.last, server.isOpen, Bool.random(using: &random) {
      if server.room == .max { server.room = 100 } else { server.read(.max) }
    }
  }

  // MARK: Servers

  private mutating func answerSome() {
    let open = bench.servers.suffix(40).filter {
      $0.isOpen && $0.bytes.count > answeredBytes[ObjectIdentifier($0), default: 0]
    }
    guard let server = open.randomElement(using: &random) else { return }
    let unanswered = Array(server.bytes[answeredBytes[ObjectIdentifier(server), default: 0]...])
    guard var name = Self.mark(in: unanswered) else { return }
    if isSwapping { name = "m0m" }
    answeredBytes[ObjectIdentifier(server)] = server.bytes.count
    let isHead = unanswered.starts(with: "HEAD".utf8)
    let filler = String(repeating: ".", count: Int.random(in: 0..<2000, using: &random))
    let content = "<\(name)>" + filler
    var text: String
    var isEndedByClose = false
    switch Int.random(in: 0..<8, using: &random) {
    case 0:
      text = "HTTP/1.1 200 OK\r\nX-Mark: \(name)\r\nTransfer-Encoding: chunked\r\n\r\n"
      if !isHead { text += String(content.utf8.count, radix: 16) + "\r\n" + content + "\r\n0\r\nX-T: \(name)\r\n\r\n" }
    case 1: text = "HTTP/1.1 204 No Content\r\nX-Mark: \(name)\r\n\r\n"
    case 2: text = "HTTP/1.1 103 E\r\nX-Mark: \(name)\r\n\r\n" + ok(isHead ? "" : content, "X-Mark: \(name)")
    case 3:
      text = "HTTP/1.1 200 OK\r\nX-Mark: \(name)\r\n\r\n" + (isHead ? "" : content)
      isEndedByClose = true
    case 4: text = ok(isHead ? "" : content, "X-Mark: \(name)", "Connection: close")
    default: text = ok(isHead ? "" : content, "X-Mark: \(name)")
    }
    var bytes = Array(text.utf8)
    switch Int.random(in: 0..<15, using: &random) {
    case 0: bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)))
    case 1 where !isEndedByClose: bytes += Array("HTTP/1.1 200 OK\r\nX-Mark: m0m\r\nContent-Length: 0\r\n\r\n".utf8)
    case 2:
      // Anything but a mark.
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let isMark = bytes[place] == UInt8(ascii: "m") || bytes[place] >= 0x30 && bytes[place] <= 0x39
      if !isMark { bytes[place] = UInt8.random(in: 0...255, using: &random) }
    default: break
    }
    let cut = Int.random(in: 0...bytes.count, using: &random)
    server.send(Array(bytes[..<cut]))
    server.send(Array(bytes[cut...]))
    if Int.random(in: 0..<6, using: &random) == 0 { server.end() }
  }

  private func loseServerSocket(_ server: FakeSocket, _ isReset: Bool) {
    if isReset { server.reset() } else { server.end() }
  }

  private mutating func loseServer() {
    guard let server = bench.servers.suffix(20).filter(\.isOpen).randomElement(using: &random) else { return }
    loseServerSocket(server, Bool.random(using: &random))
  }

  /// The first `m…m` in the bytes.
  private static func mark(in bytes: [UInt8]) -> String? { marks(in: bytes).first }

  private static func marks(in bytes: [UInt8]) -> [String] {
    var result: [String] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "m") {
        let digits = bytes[(index + 1)...].prefix { $0 >= 0x30 && $0 <= 0x39 }
        if !digits.isEmpty, digits.endIndex < bytes.count, bytes[digits.endIndex] == UInt8(ascii: "m") {
          result.append("m" + String(decoding: digits, as: UTF8.self) + "m")
          index = digits.endIndex
        }
      }
      index += 1
    }
    return result
  }

  // MARK: What must hold

  /// Looks at clients that are gone and lets go of them.
  private mutating func check() {
    for index in clients.indices.reversed() where !clients[index].socket.isOpen || clients[index].socket.isGone {
      judge(clients[index])
      clients[index].socket.reset()
      clients.remove(at: index)
    }
  }

  private mutating func judge(_ client: Client) {
    let seen = Self.marks(in: client.socket.bytes)
    answered += Set(seen).count
    // Every mark that came is one that this client sent, and they came in the order of the requests.
    var last = -1
    for name in seen {
      let place = client.marks.firstIndex(of: name)
      guard let place else {
        mixUps.append("\(name) is not of the client that sent \(client.marks)")
        continue
      }
      if client.isSpoilt { continue }
      if place < last { mixUps.append("\(name) came behind a later one") }
      last = place
    }
  }

  /// Lets every wait run out, behind a drain where one is asked for.
  mutating func finish(drains isDrained: Bool = false) {
    bench.holdsConnects = false
    bench.connectAll()
    for socket in bench.sockets { socket.read(.max) }
    if isDrained { bench.act { $0.drain() } }
    // Every wait has an end, and is over by then.
    bench.wait(.seconds(200))
    for client in clients {
      #expect(client.socket.isGone || !client.socket.isOpen, "a client is held for ever")
      judge(client)
    }
    clients = []
    #expect(bench.isDrained == isDrained)
    bench.expectNothingHeld()
    #expect(bench.worker.commands.isEmpty && bench.worker.flushes.isEmpty)
  }
}
