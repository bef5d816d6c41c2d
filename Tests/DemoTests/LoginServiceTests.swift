// Whole logins: the gateway's side against the demo's issuer, which also does everything wrong that can be done.

import Configuration
import Cryptography
import JSON
import NIOPosix
import Testing
import Tokens

@testable import ControlPlane
@testable import Demo

private let group = MultiThreadedEventLoopGroup.singleton

@Suite("Logins with a provider", .timeLimit(.minutes(10)))
struct LoginServiceTests {
  /// A login and its provider.
  private struct Scene {
    let provider: DemoIssuer
    let service: LoginService
    let origin = "https://shop.example.com"

    init(
      secret: String? = "s:1", keys: [UInt8] = Array("0123456789abcdef0123456789abcdef".utf8), maxAge: Int64? = nil
    ) async throws {
      let provider = try await DemoIssuer.start(group: group)
      let policy = IssuerPolicy(issuer: provider.url, audiences: ["another"])
      var login = SessionLogin(issuer: 0, clientID: "shop-web")
      login.scopes = ["openid", "profile", "offline_access"]
      login.clientSecret = secret
      login.afterLogin = "/welcome"
      login.maxAgeSeconds = maxAge
      let rules = LoginRules(
        session: "web", issuer: Issuer(name: "demo", policy: policy, keys: .discovery(issuer: provider.url)),
        login: login)
      let fetcher = DocumentFetcher(group: group)
      let sealing = try #require(SealingKeys(secrets: [keys], purpose: "login"))
      self.provider = provider
      service = LoginService(
        rules, keys: sealing,
        environment: LoginService.Environment(
          fetcher: fetcher,
          keys: {
            guard let document = try? await fetcher.get(url: provider.url + "/keys", deadline: .seconds(60)) else {
              return nil
            }
            return try? KeySet.parse(document.body.span, algorithms: SignatureAlgorithm.asymmetric)
          },
          refreshKeys: {}, now: { Int64(time(nil)) }))
    }

    /// The cookies that a browser has after a response.
    func jar(_ lines: [String], on before: [(name: String, value: String)] = []) -> [(name: String, value: String)] {
      var jar = before
      for line in lines {
        let pair = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        jar.removeAll { $0.name == pair[0] }
        if !line.contains("Max-Age=0") { jar.append((String(pair[0]), String(pair[1]))) }
      }
      return jar
    }

    /// Where a login leads, and the browser's cookies then.
    func start(
      _ returnTo: String? = nil, cookies: [(name: String, value: String)] = []
    ) async throws -> (place: String, jar: [(name: String, value: String)]) {
      let parameters = returnTo.map { [(name: "return_to", value: $0)] } ?? []
      let outcome = await service.start(LoginVisit(origin: origin, parameters: parameters, cookies: cookies))
      guard case .redirect(let place, let lines) = outcome else {
        Issue.record("no redirect: \(outcome)")
        return ("", [])
      }
      return (place, jar(lines, on: cookies))
    }

    /// The person signs in: the parameters of the answer.
    func signIn(_ place: String, as subject: String = "ada") async -> [(name: String, value: String)] {
      let target = String(place.dropFirst(provider.url.count))
      let response = await provider.authorize(
        SmallRequest(method: "POST", target: target, body: Array("sub=\(subject)".utf8)))
      return SmallRequest(method: "GET", target: response.fields.first { $0.name == "Location" }?.value ?? "").query
    }

    func callback(
      _ parameters: [(name: String, value: String)], _ jar: [(name: String, value: String)]
    ) async -> LoginOutcome {
      await service.callback(LoginVisit(origin: origin, parameters: parameters, cookies: jar))
    }

    /// The outcome of a whole login, in words.
    func login(_ returnTo: String? = nil) async throws -> String {
      let (place, jar) = try await start(returnTo)
      return words(await callback(await signIn(place), jar))
    }

    func words(_ outcome: LoginOutcome) -> String {
      switch outcome {
      case .redirect(let place, _): "to \(place)"
      case .failed(.tokenInvalid(let word), _), .failed(.refused(let word), _): word
      case .failed(.providerUnavailable(let word), _): "unavailable: \(word)"
      case .failed(let fault, _): fault.code
      case .signedIn(let person, _):
        (try? JSONDocument(person.claims)).flatMap { claims in
          claims.member("sub".utf8.span, of: claims.root).flatMap { claims.string(at: $0) }
        }.map { "\($0) at \(person.returnTo)" } ?? "nobody"
      }
    }
  }

  @Test("A person signs in and is back where the login began")
  func good() async throws {
    let scene = try await Scene()
    let (place, jar) = try await scene.start("/orders?page=2")
    let asked = SmallRequest(method: "GET", target: place)
    #expect(place.hasPrefix(scene.provider.url + "/authorize?"))
    #expect(asked.parameter("redirect_uri") == "https://shop.example.com/login/callback")
    #expect(asked.parameter("scope") == "openid profile offline_access")
    #expect(jar.count == 1 && jar[0].name.hasPrefix("__Secure-login-"))
    let outcome = await scene.callback(await scene.signIn(place), jar)
    #expect(scene.words(outcome) == "ada at /orders?page=2")
    guard case .signedIn(let person, let cookies) = outcome else { return }
    #expect(person.tokens.refreshToken != nil && person.tokens.expiresInSeconds == 300)
    #expect(cookies == ["\(jar[0].name)=; Max-Age=0; Path=/login/callback; Secure; HttpOnly; SameSite=Lax"])
    #expect(await scene.provider.calls.authentication == "client_secret_basic")
    await scene.provider.stop()
  }

  @Test("T107 Nobody is sent anywhere but to a path of this host")
  func places() async throws {
    let scene = try await Scene(secret: nil)
    for place in ["//evil.example", "/\\evil.example", "https:evil.example", "/a\u{9}b"] {
      #expect(try await scene.login(place) == "ada at /welcome")
    }
    #expect(try await scene.login() == "ada at /welcome")
    #expect(await scene.provider.calls.authentication == "none")
    await scene.provider.stop()
  }

  @Test("T107 An answer counts in the browser that began, once, and in no other")
  func browsers() async throws {
    let scene = try await Scene()
    let (place, jar) = try await scene.start()
    let answer = await scene.signIn(place)
    #expect(scene.words(await scene.callback(answer, [])) == "login_unknown")
    let (_, other) = try await scene.start()
    #expect(scene.words(await scene.callback(answer, other)) == "login_unknown")
    // Under the right name, but of another login.
    let forged = [(name: jar[0].name, value: other[0].value)]
    #expect(scene.words(await scene.callback(answer, forged)) == "login_unknown")
    #expect(scene.words(await scene.callback(answer, jar)) == "ada at /welcome")
    #expect(scene.words(await scene.callback(answer, jar)) == "invalid_grant")
    let stranger = try await Scene(keys: Array("fedcba9876543210fedcba9876543210".utf8))
    #expect(stranger.words(await stranger.callback(answer, jar)) == "login_unknown")
    await stranger.provider.stop()
    await scene.provider.stop()
  }

  @Test("T106 Tabs log in side by side, and logins that never end do not pile up")
  func tabs() async throws {
    let scene = try await Scene()
    let (first, one) = try await scene.start("/a")
    let (second, two) = try await scene.start("/b", cookies: one)
    #expect(two.count == 2)
    #expect(scene.words(await scene.callback(await scene.signIn(second), two)) == "ada at /b")
    #expect(scene.words(await scene.callback(await scene.signIn(first), two)) == "ada at /a")
    var jar = two + [(name: "__Secure-login-rubbish", value: "x"), (name: "other", value: "y")]
    for _ in 0..<5 { jar = try await scene.start(cookies: jar).jar }
    #expect(jar.filter { $0.name.hasPrefix("__Secure-login-") }.count == 3)
    #expect(jar.contains { $0.name == "other" })
    await scene.provider.stop()
  }

  @Test(
    "T107 What a provider gets wrong ends the login, with a word for it",
    arguments: [
      ("iss=missing", "login_issuer_mismatch"), ("iss=wrong", "login_issuer_mismatch"),
      ("id_token=nonce", "nonce_mismatch"), ("id_token=aud", "audience_mismatch"), ("id_token=azp", "azp_mismatch"),
      ("id_token=at_hash", "at_hash_mismatch"), ("id_token=iss", "issuer_unknown"),
      ("id_token=expired", "token_expired"), ("id_token=forged", "signature_invalid"),
      ("id_token=missing", "no_id_token"), ("token=500", "unavailable: status 500"),
      ("token=429", "unavailable: status 429"), ("token=html", "unavailable: status 200, not JSON"),
      ("token=invalid_grant", "invalid_grant"), ("", "ada at /welcome"),
    ])
  func faults(_ fault: String, _ expected: String) async throws {
    let scene = try await Scene()
    let answer = try await DocumentFetcher(group: group).post(
      Posting(fields: [], body: []), to: scene.provider.url + "/faults?" + fault, deadline: .seconds(60))
    #expect(answer.status == 200)
    #expect(try await scene.login() == expected)
    await scene.provider.stop()
  }

  @Test(
    "A login with max_age asks for it, and takes no sign-in of longer ago",
    arguments: [
      (0, "", "ada at /welcome"), (3600, "", "ada at /welcome"), (3600, "id_token=auth_time", "auth_time_missing"),
      (3600, "id_token=max_age", "auth_time_too_old"), (90_000, "id_token=max_age", "ada at /welcome"),
    ])
  func maxAge(_ seconds: Int64, _ fault: String, _ expected: String) async throws {
    let scene = try await Scene(maxAge: seconds)
    let answer = try await DocumentFetcher(group: group).post(
      Posting(fields: [], body: []), to: scene.provider.url + "/faults?" + fault, deadline: .seconds(60))
    #expect(answer.status == 200)
    let (place, jar) = try await scene.start()
    #expect(SmallRequest(method: "GET", target: place).parameter("max_age") == "\(seconds)")
    #expect(scene.words(await scene.callback(await scene.signIn(place), jar)) == expected)
    await scene.provider.stop()
  }

  @Test(
    "A refresh whose ID token is of another sign-in is not taken",
    arguments: [("", nil), ("id_token=auth_time", nil), ("id_token=max_age", "auth_time_mismatch")])
  func otherSignIn(_ fault: String, _ expected: String?) async throws {
    let scene = try await Scene(maxAge: 3600)
    let (place, jar) = try await scene.start()
    let outcome = await scene.callback(await scene.signIn(place), jar)
    guard case .signedIn(let person, _) = outcome else {
      Issue.record("\(scene.words(outcome))")
      return
    }
    let answer = try await DocumentFetcher(group: group).post(
      Posting(fields: [], body: []), to: scene.provider.url + "/faults?" + fault, deadline: .seconds(60))
    #expect(answer.status == 200)
    let tokens = ProviderTokens(
      accessToken: [], refreshToken: Array(try #require(person.tokens.refreshToken).utf8),
      idToken: Array(try #require(person.tokens.idToken).utf8), issuedAt: 0, endsAt: 0)
    var word: String?
    do throws(LoginFault) {
      _ = try await scene.service.refreshed(tokens)
    } catch {
      word = if case .tokenInvalid(let word) = error { word } else { error.code }
    }
    #expect(word == expected)
    await scene.provider.stop()
  }

  @Test("Who says no at the provider is not signed in, and may try again")
  func denied() async throws {
    let scene = try await Scene()
    let (place, jar) = try await scene.start()
    let target = String(place.dropFirst(scene.provider.url.count))
    let response = await scene.provider.authorize(
      SmallRequest(method: "POST", target: target, body: Array("deny=true".utf8)))
    let answer = SmallRequest(method: "GET", target: response.fields.first { $0.name == "Location" }?.value ?? "")
    #expect(scene.words(await scene.callback(answer.query, jar)) == "access_denied")
    #expect(try await scene.login() == "ada at /welcome")
    await scene.provider.stop()
  }

  @Test("A provider that is not there fails the login for now, and what is known of it serves for a while")
  func gone() async throws {
    let scene = try await Scene()
    #expect(try await scene.login() == "ada at /welcome")
    await scene.provider.stop()
    let (place, jar) = try await scene.start()
    #expect(place.hasPrefix(scene.provider.url))
    let outcome = await scene.callback(await scene.signIn(place), jar)
    #expect(scene.words(outcome) == "unavailable: connect_failed")
  }

  @Test("Signing out leads to the provider and back")
  func logout() async throws {
    let scene = try await Scene()
    let visit = LoginVisit(origin: scene.origin)
    let url = try #require(await scene.service.logoutURL(visit, idToken: "a.b.c"))
    let request = SmallRequest(method: "GET", target: url)
    #expect(url.hasPrefix(scene.provider.url + "/logout?"))
    #expect(request.parameter("post_logout_redirect_uri") == "https://shop.example.com/")
    #expect(request.parameter("id_token_hint") == "a.b.c" && request.parameter("client_id") == "shop-web")
    await scene.provider.stop()
  }
}
