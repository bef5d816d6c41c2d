// The demo's issuer as an OpenID provider, asked as a browser and a client ask it.

import ControlPlane
import Cryptography
import JSON
import NIOPosix
import Testing
import Tokens

@testable import Demo

private let group = MultiThreadedEventLoopGroup.singleton
private let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
private let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

@Suite("Logins at the demo's issuer", .timeLimit(.minutes(10)))
struct DemoLoginTests {
  private let query =
    "client_id=web&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&response_type=code&scope=openid%20offline_access"
    + "&state=s&nonce=n&code_challenge=\(challenge)&code_challenge_method=S256"

  private func location(_ response: SmallResponse) -> String {
    response.fields.first { $0.name == "Location" }?.value ?? ""
  }

  /// A code, as a browser gets it.
  private func code(_ issuer: DemoIssuer, _ more: String = "") async throws -> String {
    let request = SmallRequest(method: "POST", target: "/authorize?\(query)\(more)", body: Array("sub=ada".utf8))
    let place = location(await issuer.authorize(request))
    let answer = SmallRequest(method: "GET", target: place)
    #expect(answer.parameter("state") == "s")
    return try #require(answer.parameter("code"))
  }

  /// What the token end point answers, as its status and its members.
  private func grant(
    _ issuer: DemoIssuer, _ form: String, fields: [(name: String, value: String)] = []
  ) async throws -> (status: Int, members: JSONDocument) {
    let request = SmallRequest(method: "POST", target: "/token", fields: fields, body: Array(form.utf8))
    let response = try #require(await issuer.grant(SmallRequest.parameters(form), request))
    return (response.status, try JSONDocument(response.body))
  }

  private func text(_ name: String, of document: JSONDocument) -> String? {
    document.member(name.utf8.span, of: document.root).flatMap { document.string(at: $0) }
  }

  private func form(code: String, verifier: String = verifier) -> String {
    "grant_type=authorization_code&code=\(code)&client_id=web&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb"
      + "&code_verifier=\(verifier)"
  }

  @Test("The page asks who it is, and sends the browser back with a code")
  func page() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let page = await issuer.authorizationPage(SmallRequest(method: "GET", target: "/authorize?\(query)"))
    #expect(page.status == 200)
    #expect(String(decoding: page.body, as: UTF8.self).contains("action=\"/authorize?client_id=web&amp;"))
    let deny = SmallRequest(method: "POST", target: "/authorize?\(query)", body: Array("deny=true".utf8))
    let denied = SmallRequest(method: "GET", target: location(await issuer.authorize(deny)))
    #expect(denied.parameter("error") == "access_denied" && denied.parameter("iss") == issuer.url)
    for left in ["client_id", "redirect_uri", "response_type", "code_challenge", "scope"] {
      let other = query.replacing("\(left)=", with: "x=")
      #expect(await issuer.authorize(SmallRequest(method: "POST", target: "/authorize?\(other)")).status == 400)
    }
    await issuer.stop()
  }

  @Test("A code counts once, for its client, with its verifier")
  func codes() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let first = try await code(issuer)
    let granted = try await grant(issuer, form(code: first))
    #expect(granted.status == 200 && text("token_type", of: granted.members) == "Bearer")
    let idToken = try #require(text("id_token", of: granted.members))
    let payload = Array(idToken.split(separator: ".")[1].utf8)
    let decoded = Base64URL.decode(payload.span)
    let claims = try JSONDocument(try #require(decoded))
    #expect(text("nonce", of: claims) == "n" && text("sub", of: claims) == "ada")
    #expect(try await grant(issuer, form(code: first)).status == 400)
    #expect(try await grant(issuer, form(code: try await code(issuer), verifier: "other")).status == 400)
    let other = form(code: try await code(issuer)).replacing("client_id=web", with: "client_id=other")
    #expect(try await grant(issuer, other).status == 400)
    await issuer.stop()
  }

  @Test("A refresh token is replaced with each use, and one that is used again ends the login")
  func refreshes() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let granted = try await grant(issuer, form(code: try await code(issuer)))
    let first = try #require(text("refresh_token", of: granted.members))
    func refresh(_ token: String) async throws -> (status: Int, members: JSONDocument) {
      try await grant(issuer, "grant_type=refresh_token&refresh_token=\(token)&client_id=web")
    }
    let second = try await refresh(first)
    let next = try #require(text("refresh_token", of: second.members))
    #expect(second.status == 200 && next != first)
    #expect(try await refresh(first).status == 400)
    #expect(try await refresh(next).status == 400)
    let calls = await issuer.calls
    #expect(calls.refreshes == 3 && calls.codes == 1)
    await issuer.stop()
  }

  @Test("The client's proof is seen in each of its forms")
  func clients() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let plain = form(code: try await code(issuer)).replacing("&client_id=web", with: "")
    let basic = try await grant(issuer, plain, fields: [("Authorization", "Basic d2ViOnM=")])
    #expect(basic.status == 200)
    #expect(await issuer.calls.authentication == "client_secret_basic")
    let posted = try await grant(issuer, form(code: try await code(issuer)) + "&client_secret=s")
    #expect(posted.status == 200)
    #expect(await issuer.calls.authentication == "client_secret_post")
    await issuer.stop()
  }

  @Test("Faults are done as asked for, and taken back")
  func faults() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let fetcher = DocumentFetcher(group: group)
    func ask(_ faults: String) async throws {
      let answer = try await fetcher.post(
        Posting(fields: [], body: []), to: issuer.url + "/faults?" + faults, deadline: .seconds(60))
      #expect(answer.status == 200)
    }
    try await ask("token=503")
    #expect(try await grant(issuer, form(code: "x")).status == 503)
    try await ask("id_token=missing&iss=wrong&expires_in=7")
    let granted = try await grant(issuer, form(code: try await code(issuer)))
    #expect(granted.status == 200 && text("id_token", of: granted.members) == nil)
    let lifetime = granted.members.member("expires_in".utf8.span, of: granted.members.root)
    #expect(lifetime.flatMap { granted.members.integer(at: $0) } == 7)
    try await ask("")
    #expect(await issuer.faults == DemoFaults())
    await issuer.stop()
  }

  @Test("Ending a session sends the browser back, and what it had is of no use any more")
  func ends() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let granted = try await grant(issuer, form(code: try await code(issuer)))
    let idToken = try #require(text("id_token", of: granted.members))
    let target = "/logout?id_token_hint=\(idToken)&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&state=x"
    let response = await issuer.endSession(SmallRequest(method: "GET", target: target))
    #expect(response.status == 303 && location(response) == "http://127.0.0.1:1/?state=x")
    let token = try #require(text("refresh_token", of: granted.members))
    #expect(try await grant(issuer, "grant_type=refresh_token&refresh_token=\(token)&client_id=web").status == 400)
    await issuer.stop()
  }
}
