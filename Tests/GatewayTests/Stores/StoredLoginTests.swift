// People who sign in at one gateway of a fleet: their sessions, with the provider's tokens, are in Redis for all.

import TestSupport
import Testing

@Suite("Logins of a fleet", .needs("redis-server"), .timeLimit(.minutes(10)))
struct StoredLoginTests {
  private let upstream: TestUpstream

  init() async throws { upstream = try await TestUpstream.echo() }

  @Test("Who signs in at one gateway is known at all, with the provider's token, which is sealed in Redis")
  func forward() async throws {
    let redis = try await RedisServer.start()
    let scene = try await LoginScene(upstream, login: "forward: access_token", redis: redis)
    try await scene.signInWhole()
    let other = try await LoginScene(neighbourOf: scene)
    for browser in [scene, other] {
      let page = try await browser.open("/page", [])
      #expect(page.status == 200)
      #expect(page.text.contains("Authorization: Bearer ey") && page.text.contains("X-User: ada"))
    }
    let key = try #require(
      try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
    #expect(try await !redis.ask("GET", key).contains("eyJ"))
    // The box is bound to its place, and a session whose tokens are not its own is none.
    let count = try #require(Int(try await redis.ask("STRLEN", key)))
    try await redis.ask("SETRANGE", key, "\(count - 4)", "xxxx")
    try await scene.waitForEnd()
    await scene.stop()
  }

  @Test("T112 A logout token that one gateway gets ends the session at all, and counts once in all")
  func backChannel() async throws {
    let redis = try await RedisServer.start()
    let scene = try await LoginScene(upstream, session: "cache: 3m", redis: redis)
    try await scene.signInWhole()
    let other = try await LoginScene(neighbourOf: scene)
    let stranger = scene.sibling()
    try await stranger.signInWhole(as: "grace")
    for browser in [scene, other, stranger] { #expect(try await browser.open("/page", []).status == 200) }
    #expect(try await scene.endEverywhere("sub=ada&sid=true").contains("200"))
    try await scene.waitForEnd()
    try await other.waitForEnd()
    #expect(try await stranger.open("/page", []).status == 200)
    await scene.stop()
  }

  @Test("Signing out at another gateway than where one signed in ends the session at both")
  func signOut() async throws {
    let redis = try await RedisServer.start()
    let scene = try await LoginScene(upstream, session: "cache: 3m", redis: redis)
    try await scene.signInWhole()
    let other = try await LoginScene(neighbourOf: scene)
    for browser in [scene, other] { #expect(try await browser.open("/page", []).status == 200) }
    let out = try await other.open("/logout", method: "POST", ["Origin: http://shop.example.com"])
    #expect(out.status == 303)
    #expect(out["Location"]?.contains("id_token_hint=ey") == true)
    try await scene.waitForEnd()
    await scene.stop()
  }
}
