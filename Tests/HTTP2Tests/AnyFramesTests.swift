// Nothing that a peer sends may trap, whatever it is: random bytes, random frames, and conversations with a few bytes
// changed. Seeded, so that a failure comes again.

import HTTP2
import TestBasics
import TestSupport
import Testing

@Suite("Any bytes for HTTP/2 sessions")
struct AnyFramesTests {
  private static func frame(_ random: inout SeededGenerator) -> [UInt8] {
    let stream = UInt32.random(in: 0..<12, using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0:
      return Frames.headers(stream, Frames.get(), end: .random(using: &random), endHeaders: .random(using: &random))
    case 1: return Frames.data(stream, "content", end: .random(using: &random))
    case 2: return Frames.headers(stream, Frames.post("/", ("content-length", "7")))
    case 3: return Frames.reset(stream, .random(in: 0..<16, using: &random))
    case 4: return Frames.windowUpdate(stream, .random(in: 0..<100_000, using: &random))
    case 5: return Frames.settings([(.random(in: 0..<12, using: &random), .random(in: 0..<100_000, using: &random))])
    case 6: return Frames.ping(ack: .random(using: &random))
    case 7: return Frames.continuation(stream, Frames.literal("a", "b"), endHeaders: .random(using: &random))
    case 8: return Frames.goAway(stream)
    case 9: return Frames.headers(stream, [(":status", "200")], end: .random(using: &random))
    default:
      let bytes = (0..<Int.random(in: 0..<64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      return Frames.frame(
        .random(in: 0..<20, using: &random), flags: .random(in: 0...255, using: &random), stream: stream, bytes)
    }
  }

  /// Lives as a caller would, answering some of what comes.
  private static func drive(_ endpoint: Endpoint, _ bytes: [UInt8], _ random: inout SeededGenerator) {
    endpoint.receive(bytes)
    for stream in endpoint.streams.values {
      switch Int.random(in: 0..<8, using: &random) {
      case 0: endpoint.answer(stream, 200)
      case 1: endpoint.append([UInt8](repeating: 7, count: 5000), to: stream)
      case 2: endpoint.finish(stream, trailers: .random(using: &random) ? "a: b\r\n" : "")
      case 3: endpoint.session.reset(stream, code: 2)
      case 4: endpoint.session.consumed(stream, 100)
      default: break
      }
    }
    _ = endpoint.produceOnce(upTo: 10_000)
  }

  @Test("Random frames and bytes trap nowhere, and memory stays bounded", arguments: [SessionRole.server, .client])
  func randomFrames(role: SessionRole) throws {
    var random = SeededGenerator(seed: role == .server ? 41 : 42)
    var requests = 0
    for _ in 0..<3000 {
      let endpoint = try #require(role == .server ? greetedServer() : greetedClient())
      endpoint.keepsBytes = false
      if role == .client { endpoint.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n", end: false) }
      for _ in 0..<Int.random(in: 1..<20, using: &random) {
        var bytes = Self.frame(&random)
        if Int.random(in: 0..<10, using: &random) == 0, let place = bytes.indices.randomElement(using: &random) {
          bytes[place] = .random(in: 0...255, using: &random)
        }
        Self.drive(endpoint, bytes, &random)
      }
      requests += endpoint.streams.count
      #expect(endpoint.session.openStreamCount <= 100)
      endpoint.session.shutDown()
      _ = endpoint.produceOnce(upTo: 1_000_000)
      endpoint.session.releaseStorage()
    }
    #expect(requests > 100)
  }

  @Test("A conversation with a few bytes changed traps nowhere")
  func mutations() throws {
    var random = SeededGenerator(seed: 43)
    let original =
      Frames.preface + Frames.settings() + Frames.headers(1, Frames.post("/", ("cookie", "a=b"), ("cookie", "c=d")))
      + Frames.data(1, "abc") + Frames.headers(1, [("x-t", "1")], end: true)
      + Frames.headers(3, Frames.get(), end: true)
      + Frames.ping() + Frames.windowUpdate(0, 100) + Frames.goAway(0)
    var whole = 0
    for _ in 0..<5000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1..<4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(.random(in: 0...255, using: &random), at: place)
        default: bytes[place] = .random(in: 0...255, using: &random)
        }
      }
      let server = try #require(Endpoint(.server))
      Self.drive(server, bytes, &random)
      if server.seen.contains(.end(3)) { whole += 1 }
    }
    // Most changes are fatal, some only change a value.
    #expect(whole > 20 && whole < 4900)
  }
}
