// Random events on WebSockets over both versions, from fixed seeds: nothing traps, what arrives is what was sent on
// that tunnel, and everything is released at the end.

import Configuration
import TestBasics
import Testing
import Tokens

@testable import Proxy

@Suite("Random events on WebSockets")
struct TunnelFuzzTests {
  @Test("No order of events mixes tunnels up, traps, or leaves anything behind", arguments: 0..<16)
  func random(_ seed: Int) throws {
    var run = try TunnelRun(seed: UInt64(seed))
    for _ in 0..<1500 { try run.step() }
    run.finish(drains: seed % 2 == 1)
    #expect(run.mixUps.isEmpty, "\(run.mixUps)")
    #expect(run.arrived > 40, "the run did something")
  }
}

private struct TunnelRun {
  private final class Peer {
    let plain: FakeSocket?
    let multiplexed: HTTP2Client?
    var server: FakeSocket?
    let mark: UInt8
    var isAnswered = false
    var isAgreed = false
    var isSpoilt = false
    /// What of a frame was not sent yet, by the client and by the server.
    var rests: [[UInt8]] = [[], []]

    init(_ plain: FakeSocket?, _ multiplexed: HTTP2Client?, mark: UInt8) {
      self.plain = plain
      self.multiplexed = multiplexed
      self.mark = mark
    }

    var socket: FakeSocket? { plain ?? multiplexed?.socket }

    func send(_ bytes: [UInt8]) {
      plain?.send(bytes)
      multiplexed?.send(bytes)
    }
  }

  private let bench: Bench
  private var random: SeededGenerator
  private var peers: [Peer] = []
  private var count = 0
  private let issuer: BenchIssuer
  private let configurations: [GatewayConfiguration]
  private(set) var arrived = 0
  private(set) var mixUps: [String] = []

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    issuer = try BenchIssuer()
    let limits = "limits: { body_timeout: 5s, header_timeout: 4s, idle_timeout: 6s }"
    let texts = [
      WebSocketConfigurations.guarded(issuer, websocket: "{ idle_timeout: 8s, expiry_grace: 1s }", more: limits),
      WebSocketConfigurations.guarded(issuer, auth: ", scopes: [read]", more: limits),
    ]
    configurations = try texts.map { try configuration($0) }
    bench = Bench(Snapshot(configurations[0], generation: 1), keySets: [try issuer.keySet()])
  }

  mutating func step() throws {
    let peer = peers.randomElement(using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<8: if peers.count < 10 { try connect() }
    case 8..<20: if let peer, let server = peer.server, !peer.isAnswered { answer(peer, server) }
    case 20..<50: if let peer { peer.send(piece(of: masked(frame(content(peer))), peer, 0)) }
    case 50..<80: if let peer, peer.isAgreed { peer.server?.send(piece(of: frame(content(peer)), peer, 1)) }
    case 80..<84: peer?.socket?.read(Bool.random(using: &random) ? .max : Int.random(in: 1..<3000, using: &random))
    case 84..<86: peer?.socket?.room = Int.random(in: 0..<500, using: &random)
    case 86: peer?.server?.room = Int.random(in: 0..<500, using: &random)
    case 87..<89: peer?.server?.read(.max)
    case 89..<94: bench.wait(.milliseconds(Int.random(in: 50...1500, using: &random)))
    case 94:
      bench.reload(configurations[Int.random(in: 0..<6, using: &random) == 0 ? 1 : 0], keySets: [try issuer.keySet()])
    case 95: peer?.socket?.reset()
    case 96: if let peer { peer.plain == nil ? peer.multiplexed?.finish() : peer.plain?.end() }
    case 97: peer?.server?.reset()
    case 98: peer?.server?.end()
    default:
      peer?.isSpoilt = true
      peer?.send([UInt8.random(in: 0...255, using: &random), 0])
    }
    if let peer { peer.multiplexed?.turn() }
    check()
  }

  private mutating func connect() throws {
    count += 1
    let token = try issuer.token(
      Bool.random(using: &random) ? ",\"scope\":\"read\"" : "",
      seconds: (bench.now.unixMilliseconds - Bench.unixMilliseconds) / 1000 + Int64.random(in: -1...40, using: &random))
    let before = bench.servers.count
    let mark = UInt8(count % 200 + 20)
    let peer: Peer
    if Bool.random(using: &random) {
      let client = try HTTP2Client(bench)
      client.connect("/", "Authorization: Bearer \(token)")
      peer = Peer(nil, client, mark: mark)
    } else {
      let socket = bench.connect()
      socket.send(handshake("/", "Authorization: Bearer \(token)"))
      peer = Peer(socket, nil, mark: mark)
    }
    if bench.servers.count > before { peer.server = bench.servers.last }
    peers.append(peer)
  }

  private mutating func answer(_ peer: Peer, _ server: FakeSocket) {
    if !server.isOpen { return }
    peer.isAnswered = true
    switch Int.random(in: 0..<12, using: &random) {
    case 0: server.send(ok("no"))
    case 1: server.send("HTTP/1.1 101 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    case 2: server.end()
    default:
      peer.isAgreed = true
      server.send(switching(for: server.text))
    }
  }

  private mutating func content(_ peer: Peer) -> [UInt8] {
    [UInt8](repeating: peer.mark, count: Int.random(in: 0..<3000, using: &random))
  }

  /// What was left over and, more often than not, all of the next frame.
  private mutating func piece(of bytes: [UInt8], _ peer: Peer, _ side: Int) -> [UInt8] {
    let all = peer.rests[side] + bytes
    let count = Int.random(in: 0..<3, using: &random) > 0 ? all.count : Int.random(in: 0...all.count, using: &random)
    peer.rests[side] = Array(all[count...])
    return Array(all[..<count])
  }

  private mutating func check() {
    for peer in peers where !(peer.socket?.isOpen ?? false) || peer.multiplexed?.closed != nil {
      judge(peer)
      peer.socket?.reset()
      peers.removeAll { $0 === peer }
    }
    bench.forgetServers()
  }

  /// What came to a client is its server's: frames of its mark, and the gateway's close.
  private mutating func judge(_ peer: Peer) {
    guard peer.isAgreed, !peer.isSpoilt else { return }
    var bytes = peer.multiplexed?.bytes ?? peer.plain?.bytes ?? []
    if peer.plain != nil { bytes = Array(body(behindHeadOf: bytes)) }
    var index = 0
    while index + 1 < bytes.count, bytes[index] == 0x81 {
      let isLong = bytes[index + 1] == 126
      if isLong, index + 3 >= bytes.count { return }
      let length = isLong ? Int(bytes[index + 2]) << 8 | Int(bytes[index + 3]) : Int(bytes[index + 1])
      let content = bytes[(index + (isLong ? 4 : 2))...].prefix(length)
      if content.contains(where: { $0 != peer.mark }) { mixUps.append("content of another tunnel at \(index)") }
      arrived += 1
      index += (isLong ? 4 : 2) + length
    }
    if index < bytes.count, bytes[index] != 0x88, bytes[index] != 0x81 {
      mixUps.append("no frame at \(index): \(bytes[index...].prefix(40))")
    }
  }

  private func body(behindHeadOf bytes: [UInt8]) -> ArraySlice<UInt8> {
    for index in bytes.indices.dropLast(3) where bytes[index...].starts(with: [13, 10, 13, 10]) {
      return bytes[(index + 4)...]
    }
    return []
  }

  mutating func finish(drains isDrained: Bool) {
    for socket in bench.sockets { socket.read(.max) }
    for peer in peers { peer.multiplexed?.turn() }
    if isDrained {
      bench.act { $0.drain() }
      bench.wait(.seconds(2))
      bench.act { $0.abortAll() }
      bench.wait(.seconds(20))
      #expect(bench.isDrained)
    }
    bench.wait(.seconds(400))
    for peer in peers {
      peer.multiplexed?.turn()
      judge(peer)
      if let socket = peer.plain { #expect(socket.isGone || !socket.isOpen, "a client is held for ever") }
    }
    bench.expectNothingHeld()
    #expect(bench.worker.commands.isEmpty && bench.worker.flushes.isEmpty)
  }
}
