// Key sets across a reload: what workers receive when it meets a load, and what is kept when rules change.

import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

private let url = "https://idp.test/keys"

@Suite(.timeLimit(.minutes(10))) struct KeySetReloadTests {
  let world = VirtualWorld()

  @Test("After a reload every set is published again by the registry itself, in one order with what its loads bring")
  func publishAll() async {
    world.put(url, keySet("a"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.apply(issuers: [issuer(.inline(keySet("i")), name: "first"), issuer(.url(url))])
    await registry.publishAll()
    await registry.turn()
    await registry.publishAll()
    #expect(
      world.published == [
        .init(issuer: 0, keyIDs: ["i"]), .init(issuer: 1, keyIDs: nil), .init(issuer: 1, keyIDs: ["a"]),
        .init(issuer: 0, keyIDs: ["i"]), .init(issuer: 1, keyIDs: ["a"]),
      ])
  }

  @Test("A reload that changes the algorithms keeps the keys that these can use, though the issuer is down")
  func otherAlgorithms() async {
    world.put(url, keySet("a"))
    let registry = world.registry()
    var login = issuer(.url(url))
    login.stale = .seconds(3600)
    await registry.apply(issuers: [login])
    await registry.turn()
    world.put(url, .timeout)
    for algorithms: Set<SignatureAlgorithm> in [[.edDSA], [.edDSA, .es256]] {
      login.policy.algorithms = algorithms
      let sets = await registry.apply(issuers: [login])
      #expect(sets[0].map(keyIDs) == ["a"])
      #expect(sets[0]?.keys.first?.algorithms == [.edDSA])
      await registry.turn()
      #expect(await registry.snapshot()[0] === sets[0])
    }
    // As long as they were good for, and no longer.
    world.advance(to: .seconds(3600))
    await registry.turn()
    #expect(await registry.snapshot()[0] == nil)
    #expect(world.published.last == .init(issuer: 0, keyIDs: nil))
    login.policy.algorithms = [.edDSA]
    #expect(await registry.apply(issuers: [login])[0] == nil)
  }
}
