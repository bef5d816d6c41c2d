// What a session has of its provider, through the running gateway: the access token for services, and its end at the
// provider's word.

import TestSupport
import Testing

@Suite("Tokens and log-outs of a provider", .timeLimit(.minutes(10)))
struct ProviderTokenTests {
  private let upstream: TestUpstream

  init() async throws { upstream = try await TestUpstream.echo() }

  @Test("Services get the provider's access token, and the session ends with it where it is not refreshed")
  func forward() async throws {
    let scene = try await LoginScene(upstream, login: "forward: access_token")
    _ = try await scene.askProvider("POST", "/faults?expires_in=2")
    try await scene.signInWhole()
    let page = try await scene.open("/page", ["Authorization: Bearer mine"])
    #expect(page.status == 200)
    #expect(page.text.contains("Authorization: Bearer ey") && !page.text.contains("Bearer mine"))
    try await scene.waitForEnd()
    await scene.stop()
  }

  @Test("Services get no token of the provider's unless the file says so")
  func none() async throws {
    let scene = try await LoginScene(upstream)
    try await scene.signInWhole()
    #expect(try await !scene.open("/page").text.contains("Authorization"))
    await scene.stop()
  }

  @Test("T112 A logout token of the provider ends the person's sessions at once, and their WebSockets")
  func person() async throws {
    let talk = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      try await connection.send(webSocketAgreement(to: request))
      _ = try await connection.stream.receiveToEnd()
    }
    let scene = try await LoginScene(
      upstream, session: "cache: 3m",
      routes: "- { path: /talk, auth: { sessions: [web] }, websocket: true, upstream: talk }",
      upstreams: "talk: { servers: [\"\(talk.address)\"] }")
    let other = scene.sibling()
    let stranger = scene.sibling()
    try await scene.signInWhole()
    try await other.signInWhole()
    try await stranger.signInWhole(as: "grace")
    for browser in [scene, other, stranger] { #expect(try await browser.open("/page", []).status == 200) }
    let socket = try await scene.gateway.connect()
    try await socket.send(webSocketHandshake("/talk", [scene.cookieLine, "Origin: http://test"]))
    #expect(try await socket.receive(through: "\r\n").starts(with: Array("HTTP/1.1 101 ".utf8)))
    let readers = [scene.reader(), other.reader()]
    for reader in readers { #expect(try await reader.codes() == [""]) }
    #expect(try await scene.endEverywhere("sub=ada").contains("200"))
    // Wherever the next request comes in: both workers had the sessions in mind.
    for reader in readers { #expect(try await reader.codes() == ["session_expired"]) }
    #expect(try await stranger.open("/page", []).status == 200)
    _ = try await socket.receive(through: "\r\n\r\n")
    // 4401.
    #expect(try await socket.receive(4) == [0x88, 2, 0x11, 0x31])
    await scene.stop()
  }

  @Test("T112 A logout token of one session ends that one alone")
  func one() async throws {
    let scene = try await LoginScene(upstream)
    let other = scene.sibling()
    try await scene.signInWhole()
    try await other.signInWhole()
    // The provider names the one that began last.
    #expect(try await scene.endEverywhere("sub=ada&sid=true").contains("200"))
    try await other.waitForEnd()
    #expect(try await scene.open("/page", []).status == 200)
    await scene.stop()
  }

  @Test("T112 A provider ends a session over HTTP/2 as well", .needs("curl"))
  func http2() async throws {
    let scene = try await LoginScene(upstream)
    try await scene.signInWhole()
    // Catches the provider's form, which the test then sends itself.
    let ear = try await TestUpstream.answering("")
    let place = "http%3A%2F%2F\(ear.address.replacing(":", with: "%3A"))%2F"
    #expect(try await scene.askProvider("POST", "/logout-everywhere?sub=ada&to=\(place)").contains("200"))
    let form = String(decoding: try await ear.waitForRequests(1)[0].body, as: UTF8.self)
    #expect(form.hasPrefix("logout_token="))
    for status in ["200", "400"] {
      let result = try await ChildProcess.run(
        "curl",
        [
          "-sS", "--noproxy", "*", "--max-time", "100", "--http2-prior-knowledge", "--data", form, "-o", "/dev/null",
          "-w", "%{http_version} %{http_code}", "http://127.0.0.1:\(scene.gateway.port)/login/back-channel",
        ])
      #expect(result.standardOutput == "2 \(status)", "\(result.standardError)")
      #expect(try await scene.reader().codes() == ["session_expired"])
    }
    await scene.stop()
  }

  @Test(
    "T112 Logout tokens without events, with a nonce, or of another issuer or client end nothing",
    arguments: ["fault=events", "fault=nonce", "fault=iss", "client_id=another"])
  func faults(_ fault: String) async throws {
    let scene = try await LoginScene(upstream)
    try await scene.signInWhole()
    #expect(try await scene.endEverywhere("sub=ada&\(fault)").contains("400"))
    #expect(try await scene.open("/page", []).status == 200)
    await scene.stop()
  }

  @Test("T112 A logout token that is shown twice counts once")
  func replayed() async throws {
    let scene = try await LoginScene(upstream)
    try await scene.signInWhole()
    #expect(try await scene.endEverywhere("sub=ada&fault=replay").contains("200 400"))
    // Posted by hand, and not a form at all.
    for body in ["", "logout_token=", "logout_token=a.b.c", "logout_token=a&logout_token=b", "{}"] {
      let lines = ["POST /login/back-channel HTTP/1.1", "Host: h", "Connection: close"]
      let head = (lines + ["Content-Length: \(body.utf8.count)"]).map { $0 + "\r\n" }.joined()
      let response = try await scene.gateway.exchange(head + "\r\n" + body, method: "POST")
      #expect(response.status == 400 && response.code == "logout_token_invalid", "\(body)")
      #expect(response["Cache-Control"] == "no-store")
    }
    await scene.stop()
  }
}
