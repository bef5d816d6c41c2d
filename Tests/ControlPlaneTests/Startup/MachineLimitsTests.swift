// What a small machine or container leaves of a configuration, and how the operator is warned.

import Configuration
import Testing

@testable import ControlPlane

@Suite("Limits of the machine")
struct MachineLimitsTests {
  private func configuration(_ connections: Int = 10_000, tokenCache: Int? = nil) -> GatewayConfiguration {
    var configuration = GatewayConfiguration()
    configuration.limits.connections = connections
    configuration.limits.tokenCache = tokenCache
    return configuration
  }

  private func machine(descriptors: Int = 1 << 20, memory: Int = 16 << 30) -> MachineLimits {
    MachineLimits(descriptorCount: descriptors, memoryByteCount: memory, coreCount: 2)
  }

  @Test("T83: Half of the descriptors that are not kept back are for clients, and the warning says what to set")
  func descriptors() throws {
    let (fitted, warnings) = machine(descriptors: 256).fitted(configuration(), workers: 2)
    let warning = try #require(warnings.first)
    let reserve = 256 - machine(descriptors: 256).socketsMax(configuration(), workers: 2)
    #expect(warnings.count == 1 && reserve >= 64 && fitted.limits.connections == (256 - reserve) / 2)
    #expect(warning.contains("\(20_000 + reserve) descriptors") && warning.contains("may have 256"))
    #expect(warning.hasSuffix("write connections: \(fitted.limits.connections)"))
    // What it says is enough.
    #expect(machine(descriptors: 256).fitted(fitted, workers: 2).warnings.isEmpty)
    let plenty = machine(descriptors: 1 << 20).fitted(configuration(), workers: 64)
    #expect(plenty.warnings.isEmpty && plenty.0.limits.connections == 10_000)
  }

  @Test(
    "T83: Even with hardly any descriptors there is one for a client and one for its server", arguments: [0, 8, 64])
  func few(_ count: Int) {
    let machine = machine(descriptors: count)
    let (fitted, warnings) = machine.fitted(configuration(), workers: 8)
    #expect(warnings.count == 1 && fitted.limits.connections >= 1)
    #expect(machine.socketsMax(configuration(), workers: 8) >= 2 * fitted.limits.connections)
  }

  @Test("T121: token_cache is an eighth of the memory for all workers, or 64 MiB in each if that is less")
  func tokenCache() {
    for (memory, workers, expected) in [
      (64 << 20, 1, 8 << 20), (64 << 20, 4, 2 << 20), (1 << 30, 2, 64 << 20), (Int.max, 2, 64 << 20),
    ] {
      let (fitted, warnings) = machine(memory: memory).fitted(configuration(), workers: workers)
      #expect(fitted.limits.tokenCache == expected && warnings.isEmpty)
    }
  }

  @Test("T121: A token_cache that cannot fit is kept as it is written, and warned of")
  func tooLarge() throws {
    let (fitted, warnings) = machine(memory: 64 << 20).fitted(configuration(tokenCache: 64 << 20), workers: 2)
    #expect(fitted.limits.tokenCache == 64 << 20)
    let warning = try #require(warnings.first)
    #expect(
      warning.contains("'limits.token_cache' of 64MiB in each of 2 workers") && warning.hasSuffix("4MiB or less"))
    for small in [0, 8 << 20, 16 << 20] {
      #expect(machine(memory: 64 << 20).fitted(configuration(tokenCache: small), workers: 2).warnings.isEmpty)
    }
  }
}
