// What services get of the provider's tokens, and what the provider itself posts.

import Configuration
import Testing
import Tokens

@testable import Proxy

@Suite("The provider's tokens of a session")
struct SessionTokenTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let cookie = "Cookie: __Host-session=\(String(repeating: "s", count: 43))"

  private func bench(_ keys: String = "forward: access_token", routes: String = "") throws -> Bench {
    try Bench(
      """
      secrets: [0123456789abcdef0123456789abcdef]
      sessions:
        web: { store: memory, login: { issuer: login, client_id: shop, \(keys) } }
      routes:
      - { path: /*, auth: { sessions: [web] }, upstream: app, identity: { headers: { X-User: sub } } }
      - { path: /both, auth: { issuers: [login], sessions: [web] }, upstream: app, identity: { forward_token: true } }
      - { path: /open, auth: public, upstream: app }
      - { path: /own, auth: { sessions: [web] }, upstream: app, request_headers: { set: { Authorization: "Basic c2VydmljZQ==" } } }
      - { path: /none, auth: { sessions: [web] }, upstream: app, request_headers: { remove: [Authorization] } }
      \(issuer.section.replacing("issuer: i,", with: "issuer: \"https://i\","))
      """, keySets: [issuer.keySet()])
  }

  private func bob(
    accessToken: String = "at-1", refreshToken: String = "", issuedAfter seconds: Int64 = 0
  ) -> Answer {
    let now = Bench.unixMilliseconds / 1000
    let tokens = ProviderTokens(
      accessToken: Array(accessToken.utf8), refreshToken: Array(refreshToken.utf8), idToken: Array("i".utf8),
      issuedAt: now + seconds, endsAt: now + seconds + 300)
    return .session(
      SessionStatement(
        issuer: "login", claims: Array("{\"iss\":\"https://i\",\"sub\":\"bob\"}".utf8), endsAt: now + 3600,
        tokens: tokens.encoded))
  }

  /// What the service gets in Authorization.
  private func sent(_ bench: Bench, _ path: String, _ lines: String...) throws -> [String] {
    let client = bench.connect()
    let asked = bench.asked.count
    client.send(
      (["GET \(path) HTTP/1.1", "Host: h"] + lines).map { $0 + "\r\n" }.joined() + "\r\n")
    if bench.asked.count > asked { try bench.answer(bob()) }
    let text = try bench.server().take()
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    return values("Authorization", in: text)
  }

  @Test("Services get the session's access token, and never the client's own field beside it")
  func forwarded() throws {
    let bench = try bench()
    #expect(try sent(bench, "/", Self.cookie) == ["Bearer at-1"])
    // The second time from memory.
    for line in [
      "Authorization: Bearer mine", "Authorization: Basic bWluZTptaW5l", "authorization: x",
      "AUTHORIZATION: Bearer at-1",
    ] {
      #expect(try sent(bench, "/", Self.cookie, line) == ["Bearer at-1"], "\(line)")
    }
    #expect(try sent(bench, "/", Self.cookie, "Authorization: a", "Authorization: b") == ["Bearer at-1"])
    #expect(bench.asked.count == 1)
    // The lines of a route with another identity.
    #expect(try sent(bench, "/both", Self.cookie) == ["Bearer at-1"])
    bench.expectNothingHeld()
  }

  @Test("A public route gets nothing, and rules of the route about the field count")
  func others() throws {
    let bench = try bench()
    #expect(try sent(bench, "/open", Self.cookie) == [])
    #expect(try sent(bench, "/open", Self.cookie, "Authorization: Basic bWluZTptaW5l") == ["Basic bWluZTptaW5l"])
    #expect(try sent(bench, "/own", Self.cookie) == ["Basic c2VydmljZQ=="])
    #expect(try sent(bench, "/none", Self.cookie) == [])
    #expect(try sent(bench, "/", Self.cookie) == ["Bearer at-1"])
    bench.expectNothingHeld()
  }

  @Test("Without forward services get no token, whatever the list has")
  func none() throws {
    let bench = try bench("after_login: /")
    #expect(try sent(bench, "/", Self.cookie) == [])
    bench.expectNothingHeld()
  }

  // MARK: Renewal

  @Test("Tokens are renewed from three quarters of the access token's life on, and requests go on meanwhile")
  func due() throws {
    let bench = try bench(
      "refresh: true, forward: access_token }, cache: 5m, idle_timeout: 1h, cookie: { same_site: lax")
    /// A request of another connection, since idle ones are closed meanwhile.
    func request(_ answer: Answer?) throws -> String? {
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      if let answer { try bench.answer(answer) }
      let text = try bench.server().take()
      try bench.server().send(ok())
      #expect(status(client.take()) == 200)
      return values("Authorization", in: text).last
    }
    #expect(try request(bob(refreshToken: "r-1")) == "Bearer at-1")
    bench.wait(.seconds(224))
    #expect(try request(nil) == "Bearer at-1")
    #expect(bench.asked.count == 1 && bench.refreshes.isEmpty)
    // The answer would have been good for longer than the token.
    bench.wait(.seconds(1))
    #expect(try request(bob(refreshToken: "r-1")) == "Bearer at-1")
    #expect(bench.asked.count == 2)
    #expect(bench.refreshes.count == 1 && bench.refreshes.last?.session == "web")
    // What comes of it is for nobody.
    let question = try #require(bench.refreshes.last).question
    bench.act { $0.answered(question, .renewed, at: bench.now) }
    #expect(bench.asked.count == 2)
    bench.act { $0.forgetSession(question.digest, isOver: false, at: bench.now) }
    #expect(try request(bob(accessToken: "at-2", refreshToken: "r-2", issuedAfter: 225)) == "Bearer at-2")
    #expect(bench.refreshes.count == 1)
    bench.expectNothingHeld()
  }

  @Test("T105 Past the access token's end all requests wait for one renewal, and go on with its token")
  func over() throws {
    let bench = try bench("refresh: true, forward: access_token")
    bench.wait(.seconds(300))
    let clients = (0..<50).map { _ in bench.connect() }
    for client in clients { client.send(get("/", Self.cookie)) }
    #expect(bench.asked.count == 1)
    try bench.answer(bob(refreshToken: "r-1"))
    #expect(bench.refreshes.count == 1 && bench.servers.isEmpty)
    let late = bench.connect()
    late.send(get("/", Self.cookie))
    bench.wait(.seconds(3))
    #expect(bench.asked.count == 1 && bench.servers.isEmpty)
    let question = try #require(bench.refreshes.last).question
    bench.act { $0.answered(question, .renewed, at: bench.now) }
    #expect(bench.asked.count == 2)
    try bench.answer(bob(accessToken: "at-2", refreshToken: "r-2", issuedAfter: 302))
    #expect(bench.servers.count == 51)
    for server in bench.servers {
      #expect(values("Authorization", in: server.take()) == ["Bearer at-2"])
      server.send(ok())
    }
    for client in clients + [late] { #expect(status(client.take()) == 200) }
    #expect(bench.refreshes.count == 1)
    bench.expectNothingHeld()
  }

  @Test("A renewal that fails, is silent, or changes nothing is 503, and one that is refused is 401")
  func failed() throws {
    let bench = try bench("refresh: true")
    bench.wait(.seconds(300))
    func begin() throws -> (FakeSocket, Question) {
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      try bench.answer(bob(refreshToken: "r-1"))
      return (client, try #require(bench.refreshes.last).question)
    }
    let (first, asked) = try begin()
    bench.act { $0.answered(asked, .refused(.sessionStoreUnavailable), at: bench.now) }
    let text = first.take()
    #expect(status(text) == 503 && code(text) == "session_store_unavailable" && values("Set-Cookie", in: text).isEmpty)
    let (second, refused) = try begin()
    bench.act { $0.answered(refused, .refused(.sessionExpired), at: bench.now) }
    #expect(code(second.take()) == "session_expired")
    let (third, _) = try begin()
    bench.wait(.seconds(4))
    #expect(third.bytes.isEmpty)
    bench.wait(.seconds(2))
    #expect(code(third.take()) == "session_store_unavailable")
    let (fourth, renewed) = try begin()
    bench.act { $0.answered(renewed, .renewed, at: bench.now) }
    try bench.answer(bob(refreshToken: "r-1"))
    #expect(code(fourth.take()) == "session_store_unavailable")
    let (gone, unheard) = try begin()
    gone.reset()
    bench.act { $0.answered(unheard, .renewed, at: bench.now) }
    bench.expectNothingHeld()
  }

  @Test("Without refresh, or without a refresh token, nothing is renewed")
  func unasked() throws {
    for (keys, token) in [("forward: access_token", "r-1"), ("refresh: true", "")] {
      let bench = try bench(keys)
      bench.wait(.seconds(300))
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      try bench.answer(bob(refreshToken: token))
      try bench.server().send(ok())
      #expect(status(client.take()) == 200)
      #expect(bench.refreshes.isEmpty)
    }
  }

  // MARK: The back channel

  private func post(_ body: String, chunked: Bool = false, to path: String = "/login/back-channel") -> String {
    let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
    let sent = chunked ? "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body
    return "POST \(path) HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n\(sent)"
  }

  @Test("A provider's form goes on when it has come as a whole, in one piece or byte by byte")
  func collected() throws {
    let bench = try bench()
    for isChunked in [false, true] {
      for isSlow in [false, true] {
        let client = bench.connect()
        let text = post("logout_token=a.b.c", chunked: isChunked)
        let count = bench.logins.count
        if isSlow {
          for byte in text.utf8 {
            #expect(bench.logins.count == count)
            client.send([byte])
          }
        } else {
          client.send(text)
        }
        let (request, id) = try #require(bench.logins.last)
        #expect(bench.logins.count == count + 1)
        #expect(request.step == .backChannel && request.session == "web")
        #expect(String(decoding: request.query, as: UTF8.self) == "logout_token=a.b.c")
        bench.act { $0.loginReplied(id, .accepted, at: bench.now) }
        let answer = client.take()
        #expect(status(answer) == 200 && values("Cache-Control", in: answer) == ["no-store"])
      }
    }
    bench.expectNothingHeld()
  }

  @Test("A refusal of the form is 400 and kept by no cache, and one without a body is asked about as well")
  func refused() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post(""))
    let id = try #require(bench.logins.last).id
    bench.act { $0.loginReplied(id, .failed(code: "logout_token_invalid", cookies: []), at: bench.now) }
    let text = client.take()
    #expect(status(text) == 400 && code(text) == "logout_token_invalid")
    #expect(values("Cache-Control", in: text) == ["no-store"])
    client.send(post("logout_token=x"))
    let next = try #require(bench.logins.last).id
    bench.act { $0.loginReplied(next, .failed(code: "session_store_unavailable", cookies: []), at: bench.now) }
    #expect(code(client.take()) == "session_store_unavailable")
    client.send(get("/login/back-channel"))
    #expect(status(client.take()) == 405)
    bench.expectNothingHeld()
  }

  @Test("A form that is too large, or never comes, is refused, and one whose sender leaves is forgotten")
  func bounds() throws {
    let bench = try bench()
    let large = String(repeating: "a", count: 32 * 1024 + 1)
    for isChunked in [false, true] {
      let client = bench.connect()
      client.send(post(large, chunked: isChunked))
      #expect(code(client.take()) == "body_too_large")
    }
    let slow = bench.connect()
    slow.send("POST /login/back-channel HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    bench.wait(.seconds(61))
    #expect(code(slow.take()) == "body_timeout")
    let gone = bench.connect()
    gone.send("POST /login/back-channel HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    gone.reset()
    let last = bench.connect()
    last.send(post(String(repeating: "b", count: 32 * 1024)))
    #expect(bench.logins.last?.0.query.count == 32 * 1024)
    last.reset()
    bench.expectNothingHeld()
  }
}
