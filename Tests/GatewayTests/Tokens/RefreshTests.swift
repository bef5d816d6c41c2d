// The provider's tokens are renewed while the session is used: through the running gateway, with a provider that does
// everything wrong that can be done.

import Foundation
import TestSupport
import Testing

@Suite("Renew the provider's tokens", .timeLimit(.minutes(10)))
struct RefreshTests {
  private let upstream: TestUpstream

  init() async throws { upstream = try await TestUpstream.echo() }

  private static let login = "refresh: true, forward: access_token, scopes: [openid, offline_access]"

  /// A person who has signed in, and whose access token has ended.
  private func scene(_ faults: String = "", redis: RedisServer? = nil) async throws -> LoginScene {
    let scene = try await LoginScene(upstream, login: Self.login, redis: redis)
    _ = try await scene.askProvider("POST", "/faults?expires_in=1")
    try await scene.signInWhole()
    let end = Date(timeIntervalSinceNow: 1.5)
    _ = try await scene.askProvider("POST", "/faults\(faults)")
    try await scene.gateway.waitUntil("the access token is over") { Date.now > end }
    return scene
  }

  private func refreshes(_ scene: LoginScene) async throws -> String {
    let text = try await scene.askProvider("GET", "/calls")
    return String(text.split(separator: ",").first { $0.contains("refreshes") } ?? "")
  }

  private func authorization(_ response: RawResponse) -> String? {
    response.text.split(separator: "\r\n").first { $0.hasPrefix("Authorization: ") }.map(String.init)
  }

  @Test(
    "T105 Fifty requests at once past the access token's end are one call of the provider, and nobody is signed out")
  func once() async throws {
    let scene = try await scene()
    let seen = try await withThrowingTaskGroup(of: (Int, String?).self) { tasks in
      for _ in 0..<50 {
        let browser = scene.reader()
        tasks.addTask {
          let response = try await browser.open("/page")
          return (response.status, authorization(response))
        }
      }
      return try await tasks.reduce(into: [(Int, String?)]()) { $0.append($1) }
    }
    #expect(seen.count == 50 && seen.allSatisfy { $0.0 == 200 })
    #expect(Set(seen.compactMap(\.1)).count == 1)
    #expect(try await refreshes(scene) == "\"refreshes\":1")
    // The new one counts from then on.
    #expect(authorization(try await scene.open("/page", [])) == seen.first?.1)
    #expect(try await refreshes(scene) == "\"refreshes\":1")
    await scene.stop()
  }

  @Test("A refresh that the provider refuses ends the session")
  func refused() async throws {
    let scene = try await scene("?refresh=invalid_grant")
    let call = try await scene.open("/page", [])
    #expect(call.status == 401 && call.code == "session_expired" && scene.cookieNames.isEmpty)
    await scene.stop()
  }

  @Test(
    "A provider that fails, is silent or gone is 503, the session stays, and goes on when the provider is well again",
    arguments: ["500", "silent", "html", "gone"])
  func failing(_ fault: String) async throws {
    let scene = try await scene(fault == "gone" ? "" : "?refresh=\(fault)")
    if fault == "gone" { await scene.stop() }
    let begin = ContinuousClock.now
    let call = try await scene.open("/page", [])
    #expect(
      call.status == 503 && call.code == "session_store_unavailable" && call["Retry-After"] != nil, "\(call.text)")
    #expect(ContinuousClock.now - begin < .seconds(30))
    #expect(scene.cookieNames == ["__Host-session"])
    if fault == "gone" { return }
    _ = try await scene.askProvider("POST", "/faults")
    try await scene.gateway.waitUntil("the provider is asked again") { try await scene.open("/page", []).status == 200 }
    await scene.stop()
  }

  @Test("T105 Four gateways are one call of the provider, and all of them get its token", .needs("redis-server"))
  func fleet() async throws {
    let redis = try await RedisServer.start()
    let scene = try await scene(redis: redis)
    var scenes = [scene]
    for _ in 0..<3 { scenes.append(try await LoginScene(neighbourOf: scene)) }
    let seen = try await withThrowingTaskGroup(of: (Int, String?).self) { tasks in
      for index in 0..<48 {
        let browser = scenes[index % 4].reader()
        tasks.addTask {
          let response = try await browser.open("/page")
          return (response.status, authorization(response))
        }
      }
      return try await tasks.reduce(into: [(Int, String?)]()) { $0.append($1) }
    }
    #expect(seen.count == 48 && seen.allSatisfy { $0.0 == 200 }, "\(seen.map(\.0))")
    #expect(Set(seen.compactMap(\.1)).count == 1)
    #expect(try await refreshes(scene) == "\"refreshes\":1")
    await scene.stop()
  }

  @Test("A gateway that is killed while it refreshes costs nobody the session", .needs("redis-server"))
  func killed() async throws {
    let redis = try await RedisServer.start()
    let scene = try await scene("?refresh=silent", redis: redis)
    let other = try await LoginScene(neighbourOf: scene)
    let asking = scene.reader()
    let lost = Task { try? await asking.open("/page") }
    try await other.gateway.waitUntil("the provider is asked") { try await refreshes(scene) == "\"refreshes\":1" }
    scene.gateway.signal(SIGKILL)
    _ = await lost.value
    _ = try await scene.askProvider("POST", "/faults")
    try await other.gateway.waitUntil("the other one refreshes") { try await other.open("/page", []).status == 200 }
    #expect(try await refreshes(scene) == "\"refreshes\":2")
    await scene.stop()
  }
}
