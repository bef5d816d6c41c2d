// When issuers are asked: at the start, after failures, by a reload. On virtual time.

import Synchronization
import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

private let url = "https://idp.test/keys"

@Suite(.timeLimit(.minutes(10))) struct KeySetTimesTests {
  let world = VirtualWorld()

  private func ids(_ registry: KeySetRegistry) async -> [[String]?] {
    await registry.snapshot().map { $0.map(keyIDs) }
  }

  @Test("T64 An issuer that answers 500 is asked ever more rarely, as long as there are keys of it")
  func backOff() async {
    world.put(url, keySet("a"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.turn()
    world.put(url, .status(500))
    for second in 600..<4200 {
      world.advance(to: .seconds(second))
      await registry.turn()
    }
    // 1 + 2 + 4 … + 512 s, then every 600 s.
    #expect(world.fetched.count == 1 + 15)
    #expect(world.published.count == 1)
  }

  @Test(
    "T100 An issuer that answers 500 from the start is asked again within 5 s each time, and serves once it is back")
  func backOffWithoutKeys() async {
    world.put(url, .status(500))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    for second in 0..<3600 {
      world.advance(to: .seconds(second))
      await registry.turn()
    }
    // 1 + 2 s, then every 4 s.
    #expect(world.fetched.count == 902)
    world.put(url, keySet("a"))
    world.advance(to: .seconds(3604))
    await registry.turn()
    #expect(world.published.map(\.keyIDs) == [["a"]])
  }

  @Test("T100 A reload asks an issuer without keys at once")
  func reloadWithoutKeys() async {
    world.put(url, .status(500))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    for second in 0..<30 {
      world.advance(to: .seconds(second))
      await registry.turn()
    }
    let before = world.fetched.count
    await registry.turn()
    #expect(world.fetched.count == before)
    world.put(url, keySet("a"))
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.turn()
    #expect(await ids(registry) == [["a"]])
  }

  @Test("The first answers are waited for, of issuers that have no keys, and no longer than the limit")
  func askFirst() async {
    world.put(url, keySet("a"))
    world.putFile("/keys.json", keySet("f"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url)), issuer(.file("/keys.json"), name: "file")])
    await registry.askFirst(within: .seconds(1))
    #expect(await ids(registry) == [["a"], ["f"]])
    await registry.askFirst(within: .seconds(1))
    #expect(world.fetched == [url])
    world.closeGate()
    await registry.apply(issuers: [issuer(.url(url), name: "silent")])
    let start = Task { await registry.askFirst(within: .seconds(1)) }
    await eventually { world.state.withLock { $0.waiting.count == 1 && $0.sleepers.count == 1 } }
    world.advance(to: .seconds(1))
    await start.value
    #expect(await ids(registry) == [nil])
    // What was under way goes on.
    world.openGate()
    await eventually { await registry.isReady }
  }
}
