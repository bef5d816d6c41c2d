// People sign in through the running gateway at the demo's issuer: what a browser is told at each step, who is known
// then, and what is left when the person signs out.

import Cryptography
import Demo
import Foundation
import NIOPosix
import TestSupport
import Testing
import Tokens

@Suite("Sign in and out", .timeLimit(.minutes(10)))
struct LoginTests {
  private let upstream: TestUpstream

  init() async throws { upstream = try await TestUpstream.echo() }

  @Test("T107 A page leads to the provider and back to itself, and the person is known")
  func signIn() async throws {
    let scene = try await LoginScene(upstream)
    let first = try await scene.open("/orders?page=2&x=%C3%A9")
    #expect(first.status == 303)
    #expect(first["Location"] == "/login?return_to=/orders%3Fpage%3D2%26x%3D%25C3%25A9")
    let start = try await scene.open(try #require(first["Location"]))
    #expect(start.status == 303 && start["Cache-Control"] == "no-store")
    let place = try #require(start["Location"])
    #expect(place.hasPrefix("\(scene.provider.url)/authorize?response_type=code&client_id=shop-web&"))
    let callback = try await scene.signIn(place)
    let back = try await scene.open(callback)
    #expect(back.status == 303 && back["Location"] == "/orders?page=2&x=%C3%A9")
    #expect(scene.cookieNames == ["__Host-session"])
    let page = try await scene.open("/orders?page=2")
    #expect(page.status == 200)
    #expect(page.text.contains("X-User: ada\r\n") && !page.text.contains("__Host-session"))
    let me = try await scene.open("/login/me")
    #expect(me.text == "{\"sub\":\"ada\",\"email\":\"ada@example.com\"}\n")
    // The answer of the provider counts once.
    #expect(try await scene.open(callback).code == "login_unknown")
    await scene.stop()
  }

  @Test("T108 Calls of scripts are answered with 401 and are sent nowhere")
  func calls() async throws {
    let scene = try await LoginScene(upstream)
    for fields in [
      ["Sec-Fetch-Mode: cors", "Accept: text/html"], ["Accept: application/json"], [], ["Accept: */*"],
    ] {
      let response = try await scene.open("/api", fields)
      #expect(response.status == 401 && response.code == "session_missing" && response["Location"] == nil, "\(fields)")
    }
    // Where redirects are off, a page is a call as well.
    #expect(try await scene.open("/api/page").code == "session_missing")
    let posted = try await scene.open("/form", method: "POST", ["Sec-Fetch-Mode: navigate"])
    #expect(posted.status == 401)
    // Who opens the path of `me` as a page is on a page like any other.
    #expect(try await scene.open("/login/me", ["Sec-Fetch-Mode: cors"]).code == "session_missing")
    let me = try await scene.open("/login/me")
    #expect(me.status == 303 && me["Location"] == "/login?return_to=/login/me")
    let old = try await scene.open("/page", ["Accept: text/html,application/xhtml+xml"])
    #expect(old.status == 303)
    await scene.stop()
  }

  @Test("A route that requires a way to sign in leads there once more, and calls are told so")
  func stepUp() async throws {
    let scene = try await LoginScene(
      upstream, routes: "- { path: /pay, auth: { sessions: [web], claims: { acr: [phr, phrh] } }, upstream: echo }")
    try await scene.signInWhole()
    let call = try await scene.open("/pay", [])
    #expect(call.status == 401 && call.code == "authentication_insufficient")
    #expect(
      call["WWW-Authenticate"]?.hasSuffix(#"error="insufficient_user_authentication", acr_values="phr phrh""#) == true)
    let page = try await scene.open("/pay?x=1")
    #expect(page.status == 303 && page["Location"] == "/login?return_to=/pay%3Fx%3D1&acr_values=phr%20phrh")
    let again = try await scene.open(try #require(page["Location"]))
    let place = try #require(again["Location"])
    #expect(place.hasSuffix("&acr_values=phr%20phrh"))
    #expect(try await scene.open(try await scene.signIn(place))["Location"] == "/pay?x=1")
    #expect(try await scene.open("/pay", []).status == 200)
    // Nobody can have the provider asked for anything else.
    let other = try await scene.open("/login?acr_values=evil&prompt=none")
    #expect(other["Location"]?.contains("acr_values") == false && other["Location"]?.contains("prompt") == false)
    let asking = try await scene.open("/login?prompt=login")
    #expect(asking["Location"]?.hasSuffix("&prompt=login") == true)
    // A provider that does not care ends the login, so that nobody is sent around in a circle.
    _ = try await scene.askProvider("POST", "/faults?id_token=acr")
    let start = try await scene.open("/login?acr_values=phr")
    let refused = try await scene.open(try await scene.signIn(try #require(start["Location"])))
    #expect(refused.status == 403 && refused.code == "login_refused")
    await scene.stop()
  }

  @Test("A client without a secret signs with its key, or is a public one")
  func clients() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "catraca-client-\(UUID().uuidString).pem")
    defer { try? FileManager.default.removeItem(at: file) }
    let pem = try #require(SigningKey.generate(.ellipticCurve(.p256)).pem())
    try Data(pem).write(to: file)
    for (client, way) in [("private_key: \"\(file.path)\"", "private_key_jwt"), ("scopes: [openid]", "none")] {
      let scene = try await LoginScene(upstream, login: client)
      let start = try await scene.open("/login")
      let back = try await scene.open(try await scene.signIn(try #require(start["Location"])))
      #expect(back.status == 303 && back["Location"] == "/home")
      #expect(try await scene.askProvider("GET", "/calls").contains(way))
      await scene.stop()
    }
  }

  @Test("Signing out ends the session here, leads to the provider, and takes the cookie back")
  func signOut() async throws {
    let scene = try await LoginScene(upstream)
    let start = try await scene.open("/login?return_to=//evil.example/")
    let back = try await scene.open(try await scene.signIn(try #require(start["Location"])))
    #expect(back["Location"] == "/home")
    // A link or a picture of another page cannot do it.
    let foreign = try await scene.open("/logout", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"])
    #expect(foreign.code == "origin_not_allowed")
    let posted = try await scene.open("/logout", method: "POST", ["Origin: https://evil.example"])
    #expect(posted.code == "origin_not_allowed")
    #expect(scene.cookieNames == ["__Host-session"])
    let out = try await scene.open("/logout", method: "POST", ["Origin: http://shop.example.com"])
    #expect(out.status == 303)
    let place = try #require(out["Location"])
    #expect(place.hasPrefix("\(scene.provider.url)/logout?client_id=shop-web&"))
    #expect(place.contains("&post_logout_redirect_uri=http%3A%2F%2Fshop.example.com%2Fbye&id_token_hint=ey"))
    #expect(scene.cookieNames.isEmpty)
    #expect(try await scene.open("/orders").status == 303)
    // Without a session there is nothing to end.
    #expect(try await scene.open("/logout", ["Sec-Fetch-Site: same-origin"]).status == 303)
    await scene.stop()
  }

  @Test("Who says no, and a provider that is not there, get an answer that names it")
  func failures() async throws {
    let scene = try await LoginScene(upstream)
    let start = try await scene.open("/login")
    let place = try #require(start["Location"])
    let state = try #require(place.split(separator: "&").first { $0.hasPrefix("state=") })
    let iss = scene.provider.url.replacing(":", with: "%3A").replacing("/", with: "%2F")
    let denied = try await scene.open("/login/callback?error=access_denied&\(state)&iss=\(iss)")
    #expect(denied.status == 403 && denied.code == "login_refused")
    #expect(try await scene.open("/login/callback?\(state)").code == "login_answer_malformed")
    #expect(try await scene.open("/login/callback?code=c&\(state)").code == "login_unknown")
    let again = try await scene.open("/login")
    let callback = try await scene.signIn(try #require(again["Location"]))
    await scene.stop()
    let response = try await scene.open(callback)
    #expect(response.status == 503 && response.code == "login_provider_unavailable")
    #expect(response["Retry-After"] == "1")
  }
}
