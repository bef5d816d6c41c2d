// A denylist in Redis is looked at because the store says that it has changed: the clock of these tests stands still,
// so nothing else makes a look due.

import Configuration
import Logging
import NIOPosix
import Proxy
import TestSupport
import Testing
import Tokens

@testable import ControlPlane

@Suite("Denylists of which a store tells", .timeLimit(.minutes(5)))
struct DenylistPushTests {
  /// What the store has, and who is to hear of its next change.
  private struct Scene {
    var ids: [String] = []
    var isDown = false
    var now = Duration.seconds(100)
    var changed: [@Sendable () -> Void] = []
    var entryCounts: [Int] = []
    var askedCount = 0
  }

  private static func registry(_ scene: Monitor<Scene>) throws -> (RevocationRegistry, GatewayConfiguration) {
    var environment = RevocationEnvironment.live(
      DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton), keys: [:])
    environment.now = { scene.current.now }
    environment.sleep = { _ in
      // Nobody rings.
      let never = WakeUp()
      for await _ in never.calls {}
      withExtendedLifetime(never) {}
    }
    environment.ask = { _, command, _, changed in
      scene.update { scene in
        scene.askedCount += 1
        if scene.isDown { return nil }
        scene.changed = [changed]
        func bytes(_ text: String) -> StoreReply { .bytes(Array(text.utf8)) }
        if command[0] == Array("XLEN".utf8) { return .integer(Int64(scene.ids.count)) }
        let last = String(decoding: command[2].drop { $0 == UInt8(ascii: "(") }, as: UTF8.self)
        let place = scene.ids.firstIndex(of: last).map { $0 + 1 } ?? 0
        return .list(
          scene.ids[place...].map { .list([bytes($0), .list([bytes("jti"), bytes("token-\($0)")])]) })
      }
    }
    let read = ConfigurationReader.read(
      text: """
        redis: { main: { servers: ["127.0.0.1:6379"] } }
        issuers:
          login: { issuer: "https://a/", audiences: [api], revocation: { denylist: { redis: main } } }
        routes: [{ path: /, auth: login, respond: { status: 204 } }]
        listeners: [{ address: 127.0.0.1:0 }]
        """, file: "gateway.conf", folder: "", environment: [:], readFile: { try readWholeFile($0) })
    let configuration = try read.get().configuration
    let registry = RevocationRegistry(
      environment: environment, log: Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() })
    ) { _, revocations in
      scene.update { $0.entryCounts.append(revocations.denylist?.count ?? -1) }
    }
    return (registry, configuration)
  }

  private static func tell(_ scene: Monitor<Scene>) { for call in scene.current.changed { call() } }

  @Test("A change counts because the store tells of it, and so does the one that comes during a look")
  func told() async throws {
    let scene = Monitor(Scene(ids: ["1-0"]))
    let (registry, configuration) = try Self.registry(scene)
    await registry.apply(configuration)
    let running = Task { await registry.run() }
    defer { running.cancel() }
    _ = try await scene.wait(for: "the first look") { $0.entryCounts == [1] ? true : nil }
    for count in 2...4 {
      scene.update {
        $0.ids.append("\(count)-0")
        // The pause after the last look is over.
        $0.now += .milliseconds(100)
      }
      Self.tell(scene)
      _ = try await scene.wait(for: "entry \(count)") { $0.entryCounts.last == count ? true : nil }
    }
    #expect(scene.current.entryCounts == [1, 2, 3, 4])
  }

  @Test("A store that is down is not asked more often because its connection was lost")
  func down() async throws {
    let scene = Monitor(Scene(ids: ["1-0"]))
    let (registry, configuration) = try Self.registry(scene)
    await registry.apply(configuration)
    await registry.lookFirst(within: .seconds(60))
    scene.update {
      $0.isDown = true
      $0.now += .seconds(1)
    }
    let running = Task { await registry.run() }
    defer { running.cancel() }
    let askedCount = try await scene.wait(for: "the look that fails") { $0.askedCount > 2 ? $0.askedCount : nil }
    for _ in 0..<10 {
      Self.tell(scene)
      scene.update { $0.now += .milliseconds(60) }
    }
    #expect(await registry.status().first?.lists.first?.lastError != nil)
    #expect(scene.current.askedCount == askedCount)
  }
}
