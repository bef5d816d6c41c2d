// What workers are told of key sets when a reload and a load meet.

import Testing

@testable import ControlPlane

private let url = "https://idp.test/keys"

@Suite(.timeLimit(.minutes(1))) struct KeySetPublishTests {
  let world = VirtualWorld()

  @Test("After a reload every set is told again by the registry itself, in one order with what its loads bring")
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
}
