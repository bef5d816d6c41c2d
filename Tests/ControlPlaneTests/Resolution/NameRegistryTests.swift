// Names over time: when they are looked up again, what a failure leaves, and what is reported.

import Logging
import Synchronization
import TestSupport
import Testing

@testable import ControlPlane

@Suite("Names")
struct NameRegistryTests {
  /// Answers in turn, the last one for ever. Notes the pauses.
  private final class World: Sendable {
    private let answers: [Resolution]
    private let askedCount = Mutex(0)
    let pauses = Monitor<[Duration]>([])

    init(_ answers: [Resolution]) { self.answers = answers }

    var environment: NameRegistry.Environment {
      NameRegistry.Environment(
        resolve: { _, _ in
          self.askedCount.withLock { count in
            count += 1
            return self.answers[min(count, self.answers.count) - 1]
          }
        },
        sleep: { pause in
          self.pauses.update { $0.append(pause) }
          if self.askedCount.withLock({ $0 }) < self.answers.count { return }
          // Until the task is cancelled.
          let (never, continuation) = AsyncStream<Void>.makeStream()
          for await _ in never {}
          continuation.finish()
        }, random: { 0.5 })
    }
  }

  private static func found(_ ipv4: [String], _ ipv6: [String] = [], seconds: UInt32 = 60) -> Resolution {
    Resolution(ipv4: .known(ipv4), ipv6: .known(ipv6), seconds: seconds)
  }

  private static let failure = Resolution(ipv4: .failed, ipv6: .failed, seconds: .max)

  private func run(_ answers: [Resolution]) async throws -> (NameRegistry, [Duration]) {
    let world = World(answers)
    let registry = NameRegistry(environment: world.environment, log: Logger(label: "test"))
    _ = await registry.apply(["n"], servers: [])
    // The wait for new names sleeps, too, where the first look-up has not ended by then.
    let pauses = try await world.pauses.wait(for: "all look-ups") { pauses in
      let own = pauses.filter { $0 != .seconds(2) }
      return own.count >= answers.count ? own : nil
    }
    return (registry, pauses)
  }

  @Test("Both families are used, and looked up again when their time is over, within bounds and not to the moment")
  func times() async throws {
    let (registry, pauses) = try await run([
      Self.found(["10.0.0.1"], ["fd00::1"]), Self.found(["10.0.0.1"], seconds: 0),
      Self.found(["10.0.0.2", "10.0.0.1"], seconds: 86_400),
    ])
    #expect(pauses == [.milliseconds(63_000), .milliseconds(1050), .milliseconds(315_000)])
    #expect(await registry.addresses == ["n": ["10.0.0.2", "10.0.0.1"]])
    #expect(await registry.results == ["n": ["ok": 3]])
  }

  @Test("A failure keeps the last addresses, and is tried again soon, then less often")
  func failures() async throws {
    let (registry, pauses) = try await run(
      [Self.found(["10.0.0.1"])] + Array(repeating: Self.failure, count: 5) + [Self.found([]), Self.failure])
    #expect(pauses.map { Int($0.components.seconds) } == [63, 1, 2, 4, 8, 10, 10, 10])
    #expect(await registry.addresses == ["n": ["10.0.0.1"]])
    #expect(await registry.results == ["n": ["ok": 1, "failed": 7]])
  }

  @Test("A family that nobody can say anything of stays, the other one moves")
  func oneFamily() async throws {
    let (registry, _) = try await run([
      Self.found(["10.0.0.1"], ["fd00::1"]),
      Resolution(ipv4: .known(["10.0.0.2"]), ipv6: .failed, seconds: 60),
    ])
    #expect(await registry.addresses == ["n": ["10.0.0.2", "fd00::1"]])
  }

  @Test("A name that was never resolved is not there, and one that is not used any more is forgotten")
  func unknown() async throws {
    let (registry, _) = try await run([Self.failure])
    #expect(await registry.addresses == [:])
    _ = await registry.apply([], servers: [])
    #expect(await registry.results == [:])
  }
}
