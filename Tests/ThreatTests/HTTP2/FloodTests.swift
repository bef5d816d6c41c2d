// Floods over HTTP/2 against the running gateway, in raw frames: what they cost is bounded, and others are served
// meanwhile.

import TestSupport
import Testing

@Suite("Floods over HTTP/2", .serialized, .timeLimit(.minutes(10)))
struct FloodTests {
  /// A flood: what is sent first on a connection, and then over and over. The number is the repetition's.
  struct Flood: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var opening: [UInt8] = []
    var repetition: @Sendable (UInt32) -> [UInt8]
  }

  private static let request = Frames.get("/stalled")

  static let floods: [Flood] = [
    Flood(testDescription: "T54 streams that are reset at once") {
      Frames.headers($0 * 2 + 1, request, end: true) + Frames.reset($0 * 2 + 1)
    },
    Flood(testDescription: "T55 streams that the gateway is made to reset") {
      Frames.headers($0 * 2 + 1, request) + Frames.windowUpdate($0 * 2 + 1, 0)
    },
    Flood(testDescription: "T56 CONTINUATION without end", opening: Frames.headers(1, request, endHeaders: false)) {
      _ in
      Frames.continuation(1, Frames.literal("x-a", String(repeating: "a", count: 8000)))
    },
    Flood(testDescription: "T57 heads that grow in the decoder, on streams whose windows are shut") { number in
      // One large value in the table, named by one byte each.
      let value = String(repeating: "v", count: 3900)
      let entry = [0x40] + Frames.string(Array("x".utf8)) + Frames.string(Array(value.utf8))
      let block = Frames.block(request) + (number % 100 == 0 ? entry : []) + [UInt8](repeating: 0xBE, count: 4000)
      return Frames.frame(1, flags: 5, stream: number * 2 + 1, block)
    },
    Flood(testDescription: "T58 empty DATA", opening: Frames.headers(1, Frames.post("/stalled"))) { _ in
      Frames.data(1, [])
    },
    Flood(testDescription: "T58 PING") { _ in Frames.ping() },
    Flood(testDescription: "T58 SETTINGS") { _ in Frames.settings([(4, 0)]) },
    Flood(testDescription: "T58 PRIORITY") { Frames.frame(2, stream: $0 * 2 + 1, [0, 0, 0, 0, 1]) },
    Flood(testDescription: "T58 WINDOW_UPDATE") { _ in Frames.windowUpdate(0, 1) },
    Flood(testDescription: "T58 frames that nobody knows") { _ in Frames.frame(200, []) },
    Flood(testDescription: "T68 more streams than announced") { Frames.headers($0 * 2 + 1, request) },
  ]

  @Test(
    "T69 A flood costs less than 32 MiB, and others wait for less than two seconds of the gateway's work",
    arguments: floods)
  func flood(_ flood: Flood) async throws {
    let silent = try await TestUpstream.start { try await $0.stream.waitUntilGone() }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { silent: { servers: ["\(silent.address)"] } }
      routes:
        - { path: /stalled, auth: public, upstream: silent }
        - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
      access_log: off
      """)
    for _ in 0..<20 { #expect(try await gateway.get("/fixed").status == 200) }
    let before = try gateway.beginPeak()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<3 { try await Self.attack(gateway, flood) } }
      }
      // Its processor time: how much of it the machine has left for the gateway makes no difference.
      var waits: [Double] = []
      for _ in 0..<5 {
        let start = try gateway.processorSeconds()
        let response = try await gateway.get("/fixed")
        #expect(response.status == 200)
        waits.append(try gateway.processorSeconds() - start)
      }
      #expect(waits.min() ?? 0 < 2, "\(waits)")
      try await group.waitForAll()
    }
    let growth = try gateway.peakByteCount() - before
    #expect(growth < 32 << 20, "\(growth >> 20) MiB")
    #expect(gateway.isRunning)
    try await gateway.waitForMetrics("the attackers to be gone") {
      $0.sum("catraca_connections") == 0 && $0.sum("catraca_upstream_connections") == 0
    }
    #expect(try await gateway.get("/fixed").status == 200)
  }

  /// One connection that floods until it is thrown out, or has sent enough.
  private static func attack(_ gateway: GatewayProcess, _ flood: Flood) async throws {
    let client = try await gateway.connect()
    client.discardInput()
    client.startSending(Frames.preface + Frames.settings([(4, 0)]) + flood.opening)
    for round in 0..<30 as Range<UInt32> where !client.isEnded {
      let bytes = (0..<100).flatMap { flood.repetition(round * 100 + $0) }
      // The gateway may be gone in the middle of it.
      do { try await client.send(bytes) } catch { break }
    }
    client.close()
  }
}
