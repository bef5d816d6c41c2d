// `authorize` in shadow: the service is asked, what it says is logged and counted, and the request goes on as if nobody
// had been asked.

import Testing
import Tokens

@testable import Proxy

@Suite("Services in shadow")
struct AuthorizeShadowTests {
  /// A bench whose route asks in shadow.
  private func scene(service: String = ", answer_headers: [X-Tenant]") throws -> AuthorizeScene {
    try AuthorizeScene(
      service: service, route: "auth: login, identity: { headers: { X-User: sub } }", use: ", mode: shadow")
  }

  private func shadowCount(_ scene: AuthorizeScene, _ result: AuthorizationResult) -> UInt64 {
    scene.bench.worker.counters.copy().shadowAuthorizationCounts.first { $0.result == result }?.count ?? 0
  }

  private func reason(_ scene: AuthorizeScene) -> String? {
    scene.bench.logLines.last?.split(separator: "\"shadow_reason\":\"").dropFirst().first.map {
      String($0.prefix { $0 != "\"" })
    }
  }

  @Test(
    "Whatever the service says, the request goes on with its caller and without anything of the answer",
    arguments: [
      ("HTTP/1.1 204 No Content\r\nX-Tenant: acme\r\n\r\n", AuthorizationResult.passed, nil),
      (
        "HTTP/1.1 403 Forbidden\r\nX-Tenant: acme\r\nContent-Length: 2\r\n\r\nno", .refused,
        "authorize_refused"
      ),
      (
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Custom\r\nContent-Length: 0\r\n\r\n", .refused,
        "authorize_refused"
      ),
      ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", .unavailable, "authorize_unavailable"),
    ] as [(String, AuthorizationResult, String?)])
  func verdicts(_ said: String, _ result: AuthorizationResult, _ reason: String?) throws {
    let scene = try scene()
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer(), "X-Tenant: root", "x_tenant: root"))
    try scene.service().send(said)
    let sent = try scene.app().text
    #expect(values("X-User", in: sent) == ["alice"])
    #expect(!sent.lowercased().contains("tenant"), "\(sent)")
    try scene.expectServed(client)
    #expect(shadowCount(scene, result) == 1 && scene.count(result) == 0)
    #expect(self.reason(scene) == reason)
    #expect(scene.bench.logLines.last?.contains("\"authorize\":\"\(result.label)\"") == true)
    #expect(scene.bench.logLines.last?.contains("\"reason\":") == false)
    scene.bench.expectNothingHeld()
  }

  @Test("A service that cannot be reached, or does not answer in time, holds nobody up for longer than its timeout")
  func unavailable() throws {
    let scene = try scene()
    for round in 0..<2 {
      let client = scene.bench.connect()
      client.send(get("/", try scene.bearer()))
      if round == 0 { try scene.service().reset() } else { scene.bench.wait(.milliseconds(700)) }
      try scene.expectServed(client)
      #expect(reason(scene) == "authorize_unavailable")
    }
    #expect(shadowCount(scene, .unavailable) == 2)
    scene.bench.expectNothingHeld()
  }

  @Test("What is remembered in shadow gives nothing either, and on_failure: pass is no refusal")
  func remembered() throws {
    let scene = try scene(service: ", answer_headers: [X-Tenant], cache: { for: 10s }, on_failure: pass")
    let client = scene.bench.connect()
    let bearer = try scene.bearer()
    client.send(get("/", bearer))
    try scene.service().send("HTTP/1.1 200 OK\r\nX-Tenant: acme\r\nContent-Length: 0\r\n\r\n")
    try scene.expectServed(client)
    client.send(get("/", bearer))
    #expect(!(try scene.app().text.contains("acme")) && scene.askedCount == 1)
    try scene.expectServed(client)
    client.send(get("/other", bearer))
    try scene.service().send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
    try scene.expectServed(client)
    #expect(shadowCount(scene, .remembered) == 1 && shadowCount(scene, .unasked) == 1)
    #expect(scene.bench.logLines.allSatisfy { !$0.contains("shadow_reason") })
    scene.bench.expectNothingHeld()
  }

  @Test("A reload that turns it to enforce makes the same answer a refusal")
  func enforced() throws {
    let scene = try scene()
    let text = AuthorizeScene.text(
      scene.issuer, service: ", answer_headers: [X-Tenant]",
      route: "auth: login, identity: { headers: { X-User: sub } }")
    try scene.bench.reload(text, keySets: [scene.issuer.keySet()])
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer()))
    try scene.service().send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    #expect(status(client.take()) == 403 && scene.apps.isEmpty && reason(scene) == nil)
    #expect(scene.count(.refused) == 1 && shadowCount(scene, .refused) == 0)
    scene.bench.expectNothingHeld()
  }

  @Test("A WebSocket that was opened in shadow stays with a reload, and ends when the service counts")
  func tunnel() throws {
    func text(_ use: String, _ more: String = "") -> String {
      AuthorizeScene.text(scene.issuer, route: "auth: login, websocket: true", use: use, more: more)
    }
    let scene = try AuthorizeScene(route: "auth: login, websocket: true", use: ", mode: shadow")
    let client = scene.bench.connect()
    client.send(handshake("/", try scene.bearer()))
    try scene.service().send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    try scene.app().send(switching())
    #expect(client.text.hasPrefix("HTTP/1.1 101"))
    let more = ", { path: /other, auth: public, upstream: app }"
    try scene.bench.reload(text(", mode: shadow", more), keySets: [scene.issuer.keySet()])
    scene.bench.wait(.seconds(30))
    #expect(!client.isGone)
    try scene.bench.reload(text(""), keySets: [scene.issuer.keySet()])
    scene.bench.wait(.seconds(30))
    #expect(client.isGone)
    scene.bench.expectNothingHeld()
  }
}
