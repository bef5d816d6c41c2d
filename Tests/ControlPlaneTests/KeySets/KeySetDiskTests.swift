// Key sets across a restart: what is stored, what is taken back, and from whom.

import Synchronization
import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

private let url = "https://idp.test/keys"

@Suite(.timeLimit(.minutes(10))) struct KeySetDiskTests {
  let world = VirtualWorld()

  private func ids(_ registry: KeySetRegistry) async -> [[String]?] {
    await registry.snapshot().map { $0.map(keyIDs) }
  }

  @Test("Keys survive a restart on disk within `stale`, and are replaced by the issuer's")
  func stored() async {
    world.put(url, keySet("a"))
    var login = issuer(.url(url))
    login.stale = .seconds(3600)
    let before = world.registry(stateDirectory: "/state")
    await before.apply(issuers: [login])
    await before.turn()
    #expect(world.file("/state/keys-login.json") != nil)
    world.put(url, .connectFailed("down"))
    world.advance(to: .seconds(3000))
    let after = world.registry(stateDirectory: "/state")
    await after.apply(issuers: [login])
    #expect(await ids(after) == [["a"]])
    #expect(await after.status()[0].ageSeconds == 3000)
    await after.turn()
    #expect(await ids(after) == [["a"]])
    world.advance(to: .seconds(3600))
    await after.turn()
    #expect(await ids(after) == [nil])
    let late = world.registry(stateDirectory: "/state")
    await late.apply(issuers: [login])
    #expect(await ids(late) == [nil])
    world.put(url, keySet("b"))
    await late.turn()
    #expect(await ids(late) == [["b"]])
  }

  @Test("T88 Stored keys in a folder that others may write are neither used nor written")
  func strangersFolder() async {
    world.put(url, keySet("a"))
    let before = world.registry(stateDirectory: "/state")
    await before.apply(issuers: [issuer(.url(url))])
    await before.turn()
    let stored = world.file("/state/keys-login.json")
    #expect(stored != nil)
    world.state.withLock { $0.folderProblem = "others may write" }
    world.put(url, keySet("b"))
    let after = world.registry(stateDirectory: "/state")
    await after.apply(issuers: [issuer(.url(url))])
    #expect(await ids(after) == [nil])
    await after.turn()
    #expect(await ids(after) == [["b"]])
    #expect(world.file("/state/keys-login.json") == stored)
  }

  @Test("A broken file on disk is ignored")
  func brokenStore() async {
    world.putFile("/state/keys-login.json", Array("{\"keys\":".utf8))
    world.put(url, keySet("a"))
    let registry = world.registry(stateDirectory: "/state")
    await registry.apply(issuers: [issuer(.url(url))])
    #expect(await ids(registry) == [nil])
    await registry.turn()
    #expect(await ids(registry) == [["a"]])
  }

  @Test("Keys that are on this machine anyway are not stored")
  func notStored() async {
    world.putFile("/keys.json", keySet("a"))
    let registry = world.registry(stateDirectory: "/state")
    await registry.apply(issuers: [issuer(.file("/keys.json"), name: "f"), issuer(.inline(keySet("b")), name: "i")])
    await registry.turn()
    #expect(world.file("/state/keys-f.json") == nil && world.file("/state/keys-i.json") == nil)
  }
}
