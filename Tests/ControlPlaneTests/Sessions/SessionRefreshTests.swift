// One refresh of a session at a time, in one gateway and in many.

import NIOConcurrencyHelpers
import Testing
import Tokens

@testable import ControlPlane

@Suite("Refresh the tokens of sessions", .timeLimit(.minutes(10)))
struct SessionRefreshTests {
  /// A list, a provider, and time that passes only when somebody waits.
  private final class World: Sendable {
    let milliseconds = NIOLockedValueBox<Int64>(1_000_000)
    let asked = NIOLockedValueBox<[String]>([])
    let outcome = NIOLockedValueBox<Result<String, LoginFault>>(.success("r-2"))
    /// What happens while the provider is asked.
    let meanwhile = NIOLockedValueBox<(@Sendable () async -> Void)?>(nil)
    let forgotten = NIOLockedValueBox(0)
    let lists: SessionLists
    static let digest = [UInt8](repeating: 7, count: 32)

    init() {
      let (milliseconds, forgotten) = (milliseconds, forgotten)
      lists = SessionLists(
        memory: MemorySessions(
          now: { milliseconds.withLockedValue { $0 / 1000 } },
          forget: { _, isOver in
            if isOver { return }
            forgotten.withLockedValue { $0 += 1 }
          }))
    }

    var now: Int64 { milliseconds.withLockedValue { $0 / 1000 } }

    func tokens(_ refreshToken: String, issuedAt: Int64) -> ProviderTokens {
      ProviderTokens(
        accessToken: [], refreshToken: Array(refreshToken.utf8), idToken: [], issuedAt: issuedAt, endsAt: issuedAt + 300
      )
    }

    /// A session whose tokens are due.
    func begin() async {
      var record = SessionRecord(
        session: "web", issuer: "login", subject: Array("ada".utf8), providerSession: [], claims: Array("{}".utf8),
        lifetimeSeconds: 36_000, idleSeconds: 3600)
      record.tokens = tokens("r-1", issuedAt: now - 300).encoded
      _ = await lists.change(.begin(record, digest: Self.digest, replaced: nil))
    }

    /// One gateway of the fleet.
    func gateway() -> SessionRefreshes {
      SessionRefreshes(
        lists,
        environment: SessionRefreshes.Environment(
          ask: { [self] tokens, _ throws(LoginFault) in
            asked.withLockedValue { $0.append(String(decoding: tokens.refreshToken, as: UTF8.self)) }
            if let meanwhile = meanwhile.withLockedValue({ $0 }) { await meanwhile() }
            return self.tokens(try outcome.withLockedValue { $0 }.get(), issuedAt: now)
          }, now: { [self] in now },
          sleep: { [self] duration in
            // The holder of a lock looks at it once a second, which takes no time here.
            if duration >= .seconds(1) {
              while !Task.isCancelled { await Task.yield() }
              return
            }
            // Who is done meanwhile goes first.
            for _ in 0..<20 { await Task.yield() }
            milliseconds.withLockedValue {
              $0 += duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
            }
          }))
    }

    func kept() async -> String? {
      await lists.memory.tokens(of: Self.digest).flatMap { ProviderTokens(encoded: $0.bytes) }
        .map { String(decoding: $0.refreshToken, as: UTF8.self) }
    }
  }

  private let world = World()

  private func words(_ answer: Answer) -> String {
    switch answer {
    case .renewed: "renewed"
    case .refused(let refusal): refusal.rawValue
    default: "\(answer)"
    }
  }

  @Test("T105 Fifty that ask at once are one refresh, and what the provider issued is stored once")
  func once() async {
    await world.begin()
    let gateway = world.gateway()
    let answers = await withTaskGroup(of: String.self) { tasks in
      for _ in 0..<50 { tasks.addTask { words(await gateway.refresh(World.digest, of: "web")) } }
      return await tasks.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(answers == ["renewed"])
    #expect(world.asked.withLockedValue { $0 } == ["r-1"])
    #expect(await world.kept() == "r-2")
    #expect(world.forgotten.withLockedValue { $0 } == 1)
    // They are fresh, so there is nothing to do.
    #expect(words(await gateway.refresh(World.digest, of: "web")) == "renewed")
    #expect(world.asked.withLockedValue { $0.count } == 1)
  }

  @Test("T105 Four gateways are one refresh, and the others see what came of it")
  func fleet() async {
    await world.begin()
    let gateways = (0..<4).map { _ in world.gateway() }
    // The others wait for the lock while the provider takes its time.
    world.meanwhile.withLockedValue { $0 = { for _ in 0..<200 { await Task.yield() } } }
    let answers = await withTaskGroup(of: String.self) { tasks in
      for gateway in gateways { tasks.addTask { words(await gateway.refresh(World.digest, of: "web")) } }
      return await tasks.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(answers == ["renewed"])
    #expect(world.asked.withLockedValue { $0 } == ["r-1"])
    #expect(await world.kept() == "r-2")
  }

  @Test("A gateway that dies with the lock holds the others up for seconds only")
  func dead() async {
    await world.begin()
    #expect(await world.lists.memory.lock(World.digest, holder: [1], seconds: 4))
    let begin = world.now
    #expect(words(await world.gateway().refresh(World.digest, of: "web")) == "renewed")
    #expect(world.now - begin <= 5)
    #expect(world.asked.withLockedValue { $0 } == ["r-1"])
  }

  @Test("A gateway that holds the lock for ever keeps nobody waiting for ever")
  func stuck() async {
    await world.begin()
    #expect(await world.lists.memory.lock(World.digest, holder: [1], seconds: 3600))
    let begin = world.now
    #expect(words(await world.gateway().refresh(World.digest, of: "web")) == "session_store_unavailable")
    #expect(world.now - begin <= 7)
    #expect(world.asked.withLockedValue { $0.isEmpty })
  }

  @Test("A refresh that the provider refuses ends the session, and one that it does not answer does not")
  func failures() async {
    await world.begin()
    let gateway = world.gateway()
    for fault in [
      LoginFault.providerUnavailable("status 500"), .providerUnavailable("timeout"), .refused("invalid_client"),
      .tokenInvalid("sub_mismatch"),
    ] {
      world.outcome.withLockedValue { $0 = .failure(fault) }
      #expect(words(await gateway.refresh(World.digest, of: "web")) == "session_store_unavailable")
      let count = world.asked.withLockedValue { $0.count }
      // Nobody waits for the provider at once again.
      #expect(words(await gateway.refresh(World.digest, of: "web")) == "session_store_unavailable")
      #expect(world.asked.withLockedValue { $0.count } == count)
      #expect(await world.kept() == "r-1")
      world.milliseconds.withLockedValue { $0 += 1000 }
    }
    world.outcome.withLockedValue { $0 = .failure(.refused("invalid_grant")) }
    #expect(words(await gateway.refresh(World.digest, of: "web")) == "session_expired")
    #expect(await world.kept() == nil)
    #expect(words(await gateway.refresh(World.digest, of: "web")) == "session_expired")
  }

  @Test("A gateway that has lost the lock on the way neither overwrites nor ends what another one has stored")
  func fenced() async {
    await world.begin()
    let world = world
    world.meanwhile.withLockedValue {
      $0 = {
        let kept = await world.lists.memory.tokens(of: World.digest)
        let fresh = world.tokens("r-other", issuedAt: world.now)
        _ = await world.lists.memory.replaceTokens(of: World.digest, with: fresh.encoded, fence: kept?.fence ?? 0)
      }
    }
    #expect(words(await world.gateway().refresh(World.digest, of: "web")) == "renewed")
    #expect(await world.kept() == "r-other")
    // The same where the provider has seen that the token is used twice.
    let second = World()
    await second.begin()
    second.outcome.withLockedValue { $0 = .failure(.refused("invalid_grant")) }
    second.meanwhile.withLockedValue {
      $0 = {
        let fresh = second.tokens("r-other", issuedAt: second.now)
        _ = await second.lists.memory.replaceTokens(of: World.digest, with: fresh.encoded, fence: 0)
      }
    }
    #expect(words(await second.gateway().refresh(World.digest, of: "web")) == "renewed")
    #expect(await second.kept() == "r-other")
  }

  @Test("A session that is over, or that nobody can refresh, asks the provider nothing")
  func nothing() async {
    #expect(words(await world.gateway().refresh(World.digest, of: "web")) == "session_expired")
    await world.begin()
    let kept = await world.lists.memory.tokens(of: World.digest)
    let rubbish = await world.lists.memory.replaceTokens(of: World.digest, with: [9, 9], fence: kept?.fence ?? 0)
    #expect(rubbish)
    #expect(words(await world.gateway().refresh(World.digest, of: "web")) == "renewed")
    #expect(world.asked.withLockedValue { $0.isEmpty })
  }
}
