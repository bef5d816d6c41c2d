// The registry on virtual time: what it publishes, keeps, shares and stores.

import Synchronization
import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

private let url = "https://idp.test/keys"
private let wellKnown = "https://idp.test/.well-known/openid-configuration"

@Suite(.timeLimit(.minutes(10))) struct KeySetRegistryTests {
  let world = VirtualWorld()

  private func ids(_ registry: KeySetRegistry) async -> [[String]?] {
    await registry.snapshot().map { $0.map(keyIDs) }
  }

  @Test("Inline and file keys are there at once, the others after their first load")
  func start() async {
    world.putFile("/keys.json", keySet("f"))
    world.put(url, keySet("u"))
    let registry = world.registry()
    await registry.apply(issuers: [
      issuer(.inline(keySet("i")), name: "a"), issuer(.file("/keys.json"), name: "b"), issuer(.url(url), name: "c"),
    ])
    #expect(await ids(registry) == [["i"], ["f"], nil])
    #expect(await !registry.isReady)
    #expect(world.published == [])
    await registry.turn()
    #expect(await ids(registry) == [["i"], ["f"], ["u"]])
    #expect(await registry.isReady)
    #expect(world.published == [.init(issuer: 2, keyIDs: ["u"])])
  }

  @Test("A rotation is published, a refresh that changes nothing is not")
  func rotation() async {
    world.put(url, keySet("a"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.turn()
    world.advance(to: .seconds(600))
    await registry.turn()
    world.put(url, keySet("b"))
    world.advance(to: .seconds(1200))
    await registry.turn()
    #expect(world.published.map(\.keyIDs) == [["a"], ["b"]])
    #expect(world.fetched == [url, url, url])
  }

  @Test("A changed file is picked up within a second. A broken or missing one changes nothing")
  func file() async {
    world.putFile("/keys.json", keySet("a"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.file("/keys.json"))])
    let steps: [([UInt8]?, [String])] = [
      (keySet("b"), ["b"]), (Array("{\"keys\":[".utf8), ["b"]), (nil, ["b"]), (keySet("c"), ["c"]),
      (keySet("c"), ["c"]),
    ]
    for (turn, (bytes, expected)) in steps.enumerated() {
      world.putFile("/keys.json", bytes)
      world.advance(to: .seconds(1 + turn))
      await registry.turn()
      #expect(await ids(registry) == [expected])
    }
    world.advance(to: .seconds(20))
    await registry.turn()
    let status = await registry.status()[0]
    #expect(status.results == ["success": 4, "not_json": 1, "file_unreadable": 1])
    #expect(status.lastError == nil)
  }

  @Test(
    "T23 A bad answer leaves the last good set and is counted by its reason",
    arguments: [
      (.success("<html>502 Bad Gateway</html>"), "not_json"), (.success("{\"keys\":[{\"kty\""), "not_json"),
      (.success(""), "not_json"), (.success("{\"keys\":[]}"), "no_usable_key"), (.success("{}"), "key_set_invalid"),
      (.success("[]"), "key_set_invalid"), (.success("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"), "no_usable_key"),
      (.failure(.status(500)), "status"), (.failure(.timeout), "timeout"), (.failure(.tooLarge), "too_large"),
      (.failure(.redirected(302)), "redirected"), (.failure(.connectFailed("x")), "connect_failed"),
      (.failure(.tlsFailed("x")), "tls_failed"), (.failure(.truncated), "truncated"),
    ] as [(Result<String, FetchError>, String)])
  func badAnswer(answer: Result<String, FetchError>, code: String) async {
    world.put(url, keySet("a"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.turn()
    switch answer {
    case .success(let text): world.put(url, Array(text.utf8))
    case .failure(let error): world.put(url, error)
    }
    world.advance(to: .seconds(600))
    await registry.turn()
    #expect(await ids(registry) == [["a"]])
    #expect(world.published.count == 1)
    let status = await registry.status()[0]
    #expect(status.results == ["success": 1, code: 1])
    #expect(status.lastError?.hasPrefix(code) == true)
    #expect(status.isReady && status.failureCount == 1 && status.nextRefreshInSeconds == 1)
    #expect(status.ageSeconds == 600)
  }

  @Test("T10 A bad key in a good set is dropped alone")
  func droppedKey() async {
    let good = String(decoding: keySet("a"), as: UTF8.self).dropLast(2)
    world.put(url, Array((good + ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"b\",\"x\":\"AA\"}]}").utf8))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    await registry.turn()
    #expect(await ids(registry) == [["a"]])
    #expect(await registry.status()[0].droppedKeyCount == 1)
  }

  @Test("Keys are withdrawn when `stale` is over, and come back with the issuer")
  func withdrawal() async {
    world.put(url, keySet("a"))
    var login = issuer(.url(url))
    login.stale = .seconds(60)
    let registry = world.registry()
    await registry.apply(issuers: [login])
    await registry.turn()
    world.put(url, .status(503))
    world.advance(to: .seconds(600))
    await registry.turn()
    #expect(await registry.isReady)
    world.advance(to: .seconds(660))
    await registry.turn()
    #expect(await !registry.isReady)
    world.put(url, keySet("a"))
    world.advance(to: .seconds(900))
    await registry.turn()
    #expect(world.published.map(\.keyIDs) == [["a"], nil, ["a"]])
  }

  @Test("T72 A reload that leaves an issuer as it was leaves its keys, wherever it is in the file")
  func reload() async {
    world.put(url, keySet("a"))
    world.put("https://b.test/keys", keySet("b"))
    let registry = world.registry()
    var first = issuer(.url(url), name: "first")
    await registry.apply(issuers: [first])
    await registry.turn()
    let before = await registry.snapshot()[0]
    // Other audiences and times are no reason to fetch.
    first.policy.audiences = ["other"]
    first.policy.leewaySeconds = 1
    first.stale = .seconds(1)
    let applied = await registry.apply(issuers: [issuer(.url("https://b.test/keys"), name: "second"), first])
    #expect(applied[0] == nil && applied[1] === before)
    await registry.turn()
    #expect(world.fetched == [url, "https://b.test/keys"])
    #expect(world.published.last == .init(issuer: 0, keyIDs: ["b"]))
    #expect(await registry.status()[1].results == ["success": 1])
  }

  @Test("A reload that changes where keys come from, or which are allowed, starts again")
  func changedReload() async {
    world.put(url, keySet("a"))
    let original = issuer(.url(url))
    var algorithms = original
    algorithms.policy.algorithms = [.rs256]
    var authority = original
    authority.certificateAuthority = "/ca.crt"
    for changed in [algorithms, authority, issuer(.url(url + "2")), issuer(.url(url), name: "x")] {
      let registry = world.registry()
      await registry.apply(issuers: [original])
      await registry.turn()
      let sets = await registry.apply(issuers: [changed])
      #expect(sets.count == 1 && sets[0] == nil)
    }
  }

  @Test("Discovery leads to the keys, and tries the next place where there is no document")
  func discovery() async {
    world.put(
      "https://idp.test/.well-known/oauth-authorization-server",
      Array(#"{"issuer":"https://idp.test/","jwks_uri":"https://idp.test//keys"}"#.utf8))
    world.put("https://idp.test//keys", keySet("d"))
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.discovery(issuer: "https://idp.test/"))])
    await registry.turn()
    #expect(await ids(registry) == [["d"]])
    #expect(
      world.fetched == [
        wellKnown, "https://idp.test/.well-known/oauth-authorization-server", "https://idp.test//keys",
      ])
  }

  @Test("An issuer that is down is not asked for its other documents")
  func discoveryDown() async {
    world.put(wellKnown, .timeout)
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.discovery(issuer: "https://idp.test/"))])
    await registry.turn()
    #expect(world.fetched == [wellKnown])
    #expect(await registry.status()[0].lastError == "timeout")
  }

  @Test("T25 A plain http URL of keys is never asked, but on loopback or where it is allowed")
  func plainURL() async {
    var allowed = issuer(.url("http://b.test/k"), name: "allowed")
    allowed.isInsecureAllowed = true
    let registry = world.registry()
    await registry.apply(issuers: [
      issuer(.url("http://a.test/k"), name: "a"), issuer(.discovery(issuer: "http://c.test/"), name: "c"), allowed,
      issuer(.url("http://127.0.0.1:9/k"), name: "loopback"),
    ])
    await registry.turn()
    #expect(world.fetched == ["http://b.test/k", "http://127.0.0.1:9/k"])
    #expect(await registry.status()[0].results == ["url_not_allowed": 1])
    #expect(await registry.status()[1].results == ["url_not_allowed": 1])
  }

  // MARK: Unknown key ids

  private func running(_ issuers: [Issuer], _ test: (KeySetRegistry) async -> Void) async {
    let registry = world.registry()
    await registry.apply(issuers: issuers)
    let run = Task { await registry.run() }
    await eventually { await registry.isReady }
    await test(registry)
    run.cancel()
    world.openGate()
    world.end()
    await run.value
  }

  @Test("T21 A storm of unknown key ids makes a few fetches and one in 10 s, and all who came meanwhile share each")
  func storm() async {
    world.put(url, keySet("a"))
    world.put("https://b.test/keys", keySet("b"))
    await running([issuer(.url(url), name: "a"), issuer(.url("https://b.test/keys"), name: "b")]) { registry in
      world.closeGate()
      let callers = (0..<500).map { number in Task { await registry.requestRefresh(issuer: number % 2) } }
      await eventually { await registry.waiterCount == 500 }
      world.put(url, keySet("new"))
      world.openGate()
      for caller in callers { #expect(await caller.value == .refreshed) }
      #expect(await ids(registry) == [["new"], ["b"]])
      #expect(world.fetched.count == 4)
      for _ in 0..<2 { #expect(await registry.requestRefresh(issuer: 0) == .refreshed) }
      for _ in 0..<100 { #expect(await registry.requestRefresh(issuer: 0) == .notNow) }
      #expect(world.fetched.count == 6)
      world.advance(to: .milliseconds(9_999))
      #expect(await registry.requestRefresh(issuer: 0) == .notNow)
      world.advance(to: .seconds(10))
      #expect(await registry.requestRefresh(issuer: 0) == .refreshed)
      #expect(await registry.requestRefresh(issuer: 0) == .notNow)
      #expect(world.fetched.count == 7)
    }
  }

  @Test("T26 A fetch that fails while several wait for it fails for all of them, and harms nobody")
  func failureWithWaiters() async {
    world.put(url, keySet("a"))
    await running([issuer(.url(url))]) { registry in
      world.closeGate()
      world.put(url, .status(500))
      let callers = (0..<3).map { _ in Task { await registry.requestRefresh(issuer: 0) } }
      await eventually { await registry.waiterCount == 3 }
      world.openGate()
      for caller in callers { #expect(await caller.value == .failed(.fetch(.status(500)))) }
      #expect(await ids(registry) == [["a"]])
    }
  }

  @Test("An unknown key id after discovery asks only for the keys")
  func onDemandDiscovery() async {
    world.put(wellKnown, Array(#"{"issuer":"https://idp.test/","jwks_uri":"https://idp.test/keys"}"#.utf8))
    world.put(url, keySet("d"))
    await running([issuer(.discovery(issuer: "https://idp.test/"))]) { registry in
      #expect(await registry.requestRefresh(issuer: 0) == .refreshed)
      #expect(world.fetched == [wellKnown, url, url])
    }
  }

  @Test("A caller that is cancelled comes back at once, the others go on waiting")
  func cancelledCaller() async {
    world.put(url, keySet("a"))
    await running([issuer(.url(url))]) { registry in
      world.closeGate()
      let impatient = Task { await registry.requestRefresh(issuer: 0) }
      let patient = Task { await registry.requestRefresh(issuer: 0) }
      await eventually { await registry.waiterCount == 2 }
      impatient.cancel()
      #expect(await impatient.value == .notNow)
      world.openGate()
      #expect(await patient.value == .refreshed)
    }
  }

  @Test("A reload that removes an issuer lets those who wait for it go, and its late answer is dropped")
  func removedWhileLoading() async {
    world.put(url, keySet("a"))
    await running([issuer(.url(url))]) { registry in
      world.closeGate()
      let caller = Task { await registry.requestRefresh(issuer: 0) }
      await eventually { await registry.waiterCount == 1 }
      await registry.apply(issuers: [issuer(.inline(keySet("i")), name: "other")])
      #expect(await caller.value == .notNow)
      world.put(url, keySet("late"))
      world.openGate()
      #expect(await registry.requestRefresh(issuer: 0) == .notNow)
      #expect(await ids(registry) == [["i"]])
    }
    #expect(world.published.map(\.keyIDs) == [["a"]])
  }

  @Test("Nobody waits for a registry that does not run, or an issuer that is not there")
  func notRunning() async {
    let registry = world.registry()
    await registry.apply(issuers: [issuer(.url(url))])
    #expect(await registry.requestRefresh(issuer: 0) == .notNow)
    #expect(await registry.requestRefresh(issuer: 1) == .notNow)
    #expect(await registry.requestRefresh(issuer: -1) == .notNow)
  }

  @Test("The loop wakes for what is due, on its own")
  func loop() async {
    world.put(url, keySet("a"))
    await running([issuer(.url(url))]) { registry in
      world.put(url, keySet("b"))
      await eventually { world.state.withLock { !$0.sleepers.isEmpty } }
      world.advance(to: .seconds(600))
      await eventually { await ids(registry) == [["b"]] }
      #expect(world.fetched.count == 2)
    }
  }
}
