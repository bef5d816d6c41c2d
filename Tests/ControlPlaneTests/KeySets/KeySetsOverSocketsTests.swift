// The registry with the real client, against an issuer on a real socket.

import Foundation
import Logging
import NIOPosix
import Synchronization
import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

private let group = MultiThreadedEventLoopGroup.singleton

/// An issuer whose answers a test lays down, and which counts what it is asked.
private final class TestIssuer: Sendable {
  let answers = Mutex<[String: SmallResponse]>([:])
  let asked = Mutex<[String]>([])
  let credentials = Mutex<[String?]>([])

  func serve() async throws -> SmallHTTPServer {
    try await SmallHTTPServer.start(group: group) { request in
      self.asked.withLock { $0.append(request.target) }
      self.credentials.withLock { $0.append(request.field("Authorization")) }
      return self.answers.withLock { $0[request.target] } ?? .text("none", status: 404)
    }
  }

  func put(_ target: String, _ response: SmallResponse) { answers.withLock { $0[target] = response } }
}

@Suite(.timeLimit(.minutes(10))) struct KeySetsOverSocketsTests {
  private func registry() -> KeySetRegistry {
    KeySetRegistry(environment: .live(DocumentFetcher(group: group)), log: Logger(label: "test")) { _, _ in }
  }

  @Test("T73 Discovery and keys are fetched, with `//` in the path as it is, and rotate on an unknown key id")
  func discovery() async throws {
    let idp = TestIssuer()
    let server = try await idp.serve()
    let base = "http://127.0.0.1:\(server.port)/realms/a"
    let document = #"{"issuer":"\#(base)","jwks_uri":"http://localhost:\#(server.port)//keys?x=//"}"#
    idp.put("/realms/a/.well-known/openid-configuration", .json(Array(document.utf8)))
    idp.put("//keys?x=//", .json(keySet("a")))
    let registry = registry()
    await registry.apply(issuers: [issuer(.discovery(issuer: base))])
    let run = Task { await registry.run() }
    await eventually { await registry.isReady }
    idp.put("//keys?x=//", .json(keySet("b")))
    #expect(await registry.requestRefresh(issuer: 0) == .refreshed)
    #expect(await registry.snapshot()[0].map(keyIDs) == ["b"])
    let outcomes = await withTaskGroup(of: RefreshOutcome.self) { tasks in
      for _ in 0..<200 { tasks.addTask { await registry.requestRefresh(issuer: 0) } }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.allSatisfy { $0 == .notNow || $0 == .refreshed })
    let asked = idp.asked.withLock { $0 }
    #expect(asked.first == "/realms/a/.well-known/openid-configuration" && asked.count <= 5)
    #expect(asked.dropFirst().allSatisfy { $0 == "//keys?x=//" })
    run.cancel()
    await run.value
    await server.stop()
  }

  @Test(
    "Keys and the end points of a login are found by one rule: past nothing and web pages, not past a fault",
    arguments: [
      (SmallResponse.text("none", status: 404), true), (.text("no", status: 403), true), (.text("<html>"), true),
      (SmallResponse(status: 302, fields: [("Location", "/login")]), true), (.text("down", status: 500), false),
      (.json(Array("{}".utf8)), false),
    ])
  func places(first: SmallResponse, isFound: Bool) async throws {
    let idp = TestIssuer()
    let server = try await idp.serve()
    let base = "http://127.0.0.1:\(server.port)"
    let document =
      #"{"issuer":"\#(base)","jwks_uri":"\#(base)/k","authorization_endpoint":"\#(base)/a","#
      + #""token_endpoint":"\#(base)/t"}"#
    idp.put("/.well-known/openid-configuration", first)
    idp.put("/.well-known/oauth-authorization-server", .json(Array(document.utf8)))
    idp.put("/k", .json(keySet("a")))
    var asking = issuer(.discovery(issuer: base))
    asking.policy.issuer = base
    let fetcher = DocumentFetcher(group: group)
    let metadata = try? await ProviderDirectory(asking, fetcher: fetcher, now: { 1000 }).metadata()
    #expect((metadata?.tokenEndpoint.text == base + "/t") == isFound)
    let loaded = await KeySetLoader(environment: .live(fetcher)).load(asking, knownURL: nil, signature: nil)
    if case .loaded = loaded { #expect(isFound) } else { #expect(!isFound) }
    await server.stop()
  }

  @Test("The token of the file of now is shown to the host that the file names, and to no other")
  func bearer() async throws {
    let idp = TestIssuer()
    let server = try await idp.serve()
    let file = "/tmp/catraca-token-\(server.port)"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let base = "http://127.0.0.1:\(server.port)"
    let document = #"{"issuer":"\#(base)","jwks_uri":"http://localhost:\#(server.port)/keys"}"#
    idp.put("/.well-known/openid-configuration", .json(Array(document.utf8)))
    idp.put("/keys", .json(keySet("a")))
    func ask(_ keys: KeySource, _ token: String?) async throws -> (asked: [String?], error: String?) {
      if let token { try Data(token.utf8).write(to: URL(filePath: file), options: .atomic) }
      idp.credentials.withLock { $0 = [] }
      var asking = issuer(keys)
      asking.policy.issuer = base
      asking.tokenFile = file
      let registry = registry()
      await registry.apply(issuers: [asking])
      await registry.turn()
      return (idp.credentials.withLock { $0 }, await registry.status()[0].lastError)
    }
    #expect(try await ask(.url(base + "/keys"), "first\n").asked == ["Bearer first"])
    #expect(try await ask(.url(base + "/keys"), "second").asked == ["Bearer second"])
    // Discovery is on the host that the file names, the keys are elsewhere.
    #expect(try await ask(.discovery(issuer: base), "third\r\n").asked == ["Bearer third", nil])
    for broken in ["", "\n", "two words", "a\r\nX-Evil: 1", "\u{E9}"] {
      let outcome = try await ask(.url(base + "/keys"), broken)
      #expect(
        outcome.asked.isEmpty && outcome.error?.hasPrefix("file_unreadable") == true, "\(broken.debugDescription)")
    }
    try FileManager.default.removeItem(atPath: file)
    let outcome = try await ask(.url(base + "/keys"), nil)
    #expect(outcome.asked.isEmpty && outcome.error?.contains(file) == true)
    await server.stop()
  }

  @Test("T24 A key URL that redirects is not followed, and the keys stay")
  func redirect() async throws {
    let idp = TestIssuer()
    let server = try await idp.serve()
    idp.put("/keys", .json(keySet("a")))
    idp.put("/evil", .json(keySet("evil")))
    let registry = registry()
    await registry.apply(issuers: [issuer(.url("http://127.0.0.1:\(server.port)/keys"))])
    let run = Task { await registry.run() }
    await eventually { await registry.isReady }
    idp.put("/keys", SmallResponse(status: 302, fields: [("Location", "/evil")]))
    #expect(await registry.requestRefresh(issuer: 0) == .failed(.fetch(.redirected(302, to: "/evil"))))
    #expect(await registry.snapshot()[0].map(keyIDs) == ["a"])
    #expect(!idp.asked.withLock { $0.contains("/evil") })
    run.cancel()
    await run.value
    await server.stop()
  }

  @Test("T23 Ten megabytes instead of keys are not read")
  func tooLarge() async throws {
    let idp = TestIssuer()
    let server = try await idp.serve()
    idp.put("/keys", .json([UInt8](repeating: 0x20, count: 10 << 20)))
    let registry = registry()
    await registry.apply(issuers: [issuer(.url("http://127.0.0.1:\(server.port)/keys"))])
    await registry.turn()
    #expect(await registry.status()[0].lastError == "too_large")
    await server.stop()
  }

  @Test("Stopping ends a fetch that hangs, and counts it as nobody's failure")
  func stop() async throws {
    let silent = try await RawServer.start("", then: .keepOpen)
    let registry = registry()
    await registry.apply(issuers: [issuer(.url("http://127.0.0.1:\(silent.port)/keys"))])
    let run = Task { await registry.run() }
    await eventually { await registry.status()[0].nextRefreshInSeconds == nil }
    run.cancel()
    await run.value
    #expect(await registry.status()[0].isReady == false)
    #expect(await registry.status()[0].results == [:])
    await silent.stop()
  }
}
