// Credentials that only a source can judge: what is asked, who waits, and each way out of the wait. The test answers in
// the place of the source.

import Configuration
import JSON
import Testing
import Tokens

@testable import Proxy

@Suite("Questions")
struct QuestionTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let identity = "identity: { headers: { X-User: sub }, payload: X-Payload }"

  /// The issuer explains its opaque tokens. `more` is of the route.
  private func asking(_ more: String = identity, path: String = "/*") throws -> GatewayConfiguration {
    var model = try configuration(
      "routes: [{ path: \(path), auth: login, upstream: app, \(more) }]\n" + issuer.section)
    model.issuers[0].policy.isAskedForOpaqueTokens = true
    return model
  }

  private func bench(_ model: GatewayConfiguration? = nil) throws -> Bench {
    Bench(Snapshot(try model ?? asking(), generation: 1), keySets: [try issuer.keySet()])
  }

  private func bearer(_ token: String = "opaque-1") -> String { "Authorization: Bearer \(token)" }

  /// Says for a minute that the credential is bob's.
  private func bob(_ more: String = "") throws -> Answer {
    let now = Bench.unixMilliseconds / 1000
    let claims = "{\"aud\":\"a\",\"sub\":\"bob\",\"exp\":\(now + 3600)\(more)}"
    return .statement(Statement(claims: try JSONDocument(Array(claims.utf8)), freshUntil: now + 60))
  }

  private func refusals(_ bench: Bench, _ reason: TokenRefusal) -> UInt64 {
    bench.worker.counters.copy().authenticationCounts.reduce(0) { $0 + ($1.result == .refused(reason) ? $1.count : 0) }
  }

  @Test("An opaque token is asked about, and its caller is served from memory while the answer is fresh")
  func answered() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4", bearer()) + "da")
    client.send("ta")
    #expect(bench.servers.isEmpty && client.bytes.isEmpty)
    let asked = try #require(bench.asked.last)
    #expect(asked.credential == Array("opaque-1".utf8))
    #expect(asked.question.source == .introspection(issuer: 0) && asked.question.digest.count == 32)
    #expect(!"\(asked.question)".contains("opaque-1"))
    try bench.answer(bob())
    let text = try bench.server().text
    #expect(body(of: text) == "data" && values("X-User", in: text) == ["bob"])
    let payload = Array(try #require(values("X-Payload", in: text).first).utf8)
    let claims = Base64URL.decode(payload.span)
    #expect(String(decoding: claims ?? [], as: UTF8.self).contains("bob"))
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/", bearer()))
    try bench.server().send(ok())
    #expect(status(client.take()) == 200 && bench.asked.count == 1)
    #expect(bench.logLines.allSatisfy { $0.contains("bob") && $0.contains("login") })
    bench.wait(.seconds(60))
    bench.connect().send(get("/", bearer()))
    #expect(bench.asked.count == 2)
    bench.expectNothingHeld()
  }

  @Test("Tokens with two dots are checked here, and one that is too long is not asked about")
  func forms() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer(try issuer.token())))
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/", bearer("a.b.c")))
    #expect(code(client.take()) == "token_malformed")
    client.send(get("/", bearer(String(repeating: "x", count: 16 * 1024 + 1))))
    #expect(code(client.take()) == "token_too_large")
    #expect(bench.asked.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("An issuer that is not asked refuses an opaque token as malformed")
  func notAsked() throws {
    let bench = try Bench("routes: [{ path: /*, auth: login, upstream: app }]\n" + issuer.section)
    let client = bench.connect()
    client.send(get("/", bearer()))
    #expect(code(client.text) == "token_malformed" && bench.asked.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("A refusal is the answer to all that asked, and the next request asks again")
  func refused() throws {
    let bench = try bench()
    let clients = (0..<2).map { _ in bench.connect() }
    for client in clients { client.send(get("/", bearer())) }
    #expect(bench.asked.count == 1)
    try bench.answer(.refused(.tokenExpired))
    #expect(clients.allSatisfy { status($0.text) == 401 && code($0.text) == "token_expired" })
    #expect(refusals(bench, .tokenExpired) == 2)
    _ = clients[0].take()
    clients[0].send(get("/", bearer()))
    #expect(bench.asked.count == 2)
    // What the statement says obeys the issuer's rules.
    try bench.answer(bob(",\"iss\":\"somebody else\""))
    #expect(code(clients[0].text) == "issuer_unknown" && bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("Silence is 503 and never 401, within a second; an answer after that is for nobody")
  func silence() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer()))
    bench.wait(.milliseconds(800))
    #expect(client.bytes.isEmpty)
    bench.wait(.milliseconds(150))
    #expect(status(client.text) == 503 && code(client.text) == "introspection_unavailable")
    #expect(values("Retry-After", in: client.text) == ["1"] && values("WWW-Authenticate", in: client.take()).isEmpty)
    #expect(refusals(bench, .introspectionUnavailable) == 1)
    try bench.answer(bob())
    #expect(bench.servers.isEmpty && client.bytes.isEmpty && bench.logLines.count == 1)
    client.send(get("/", bearer()))
    #expect(bench.asked.count == 2)
    try bench.answer(bob())
    try bench.server().send(ok())
    #expect(status(client.text) == 200)
    #expect(bench.worker.questions.count == 0)
    bench.expectNothingHeld()
  }

  @Test("A thousand requests with one token ask once, and share the caller")
  func shared() throws {
    let bench = try bench()
    let exchanges = try (0..<1000).map { _ in
      let client = bench.connect()
      client.send(get("/", bearer()))
      let connection = try #require(client.connection as? HTTP1DownstreamConnection)
      return try #require(connection.exchange)
    }
    #expect(bench.asked.count == 1 && bench.worker.questions.askerCount == 1000)
    try bench.answer(bob())
    let caller = try #require(exchanges[0].caller)
    #expect(exchanges.allSatisfy { $0.caller === caller } && bench.servers.count == 1000)
    #expect(bench.worker.tokenCache.count == 1 && bench.worker.questions.count == 0)
    bench.expectNothingHeld()
  }

  @Test("A client that goes while it waits leaves nothing, and the next one joins its question")
  func clientLost() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer()))
    client.reset()
    #expect(bench.worker.questions.askerCount == 0)
    let next = bench.connect()
    next.send(get("/", bearer()))
    #expect(bench.asked.count == 1)
    next.reset()
    bench.wait(.seconds(1))
    #expect(bench.worker.questions.count == 0)
    try bench.answer(bob())
    #expect(bench.servers.isEmpty && bench.logLines.count == 2)
    bench.expectNothingHeld()
  }

  @Test("A full table turns a further question away with 503, and takes one that is asked already")
  func fullTable() throws {
    let bench = try bench()
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    var questions = Questions(issuerCount: 1)
    for number in 0..<Questions.countMax {
      let credential = "opaque-\(number)"
      let question = Question(.introspection(issuer: 0), generation: 1, credential: credential.utf8.span)
      let refusal = questions.ask(question, credential.utf8.span, for: exchange)
      #expect(refusal == nil)
    }
    bench.worker.commands = []
    bench.worker.questions = questions
    let client = bench.connect()
    client.send(get("/", bearer("one-more")))
    #expect(status(client.text) == 503 && code(client.take()) == "introspection_unavailable")
    client.send(get("/", bearer()))
    #expect(client.bytes.isEmpty && bench.asked.isEmpty)
    let question = Question(.introspection(issuer: 0), generation: 1, credential: "opaque-1".utf8.span)
    bench.worker.questions = Questions(issuerCount: 1)
    #expect(questions.take(question).askers.count == 1)
  }

  @Test("Ten thousand requests wait for one answer, and leave in any order; one more is told to come again")
  func fullQuestion() throws {
    let bench = try bench()
    let max = Questions.askerCountMax
    let question = Question(.keySet(issuer: 0), generation: 1)
    var questions = Questions(issuerCount: 1)
    let exchanges = (0..<max).map { _ in Exchange(worker: bench.worker, snapshot: bench.snapshot) }
    for exchange in exchanges {
      let refusal = questions.ask(question, Span(), for: exchange)
      #expect(refusal == nil)
    }
    let late = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    let refusal = questions.ask(question, Span(), for: late)
    #expect(refusal == .keysUnavailable && late.wait == nil)
    for index in [0, max - 1, 5, 1] {
      questions.remove(exchanges[index])
      exchanges[index].wait = nil
      questions.remove(exchanges[index])
    }
    #expect(questions.askerCount == max - 4)
    for index in [5, 1, 0, max - 1] {
      let refusal = questions.ask(question, Span(), for: exchanges[index])
      #expect(refusal == nil)
    }
    questions.remove(exchanges[7])
    let left = questions.take(question).askers
    #expect(Set(left.map(ObjectIdentifier.init)).count == max - 1)
    #expect(bench.worker.commands.count == 1)
    bench.worker.commands = []
  }

  @Test("A request that a reload finds waiting is neither routed nor limited again")
  func reloaded() throws {
    let limit = "rate_limit: { requests: 2, per: 1h }"
    let bench = try bench(asking(limit))
    let client = bench.connect()
    client.send(get("/x", bearer()))
    // The route is another one, and the issuer has another index.
    let login = issuer.section.dropFirst("issuers: { ".count).dropLast(" }".count)
    let first = login.replacing("login:", with: "first:").replacing("issuer: i,", with: "issuer: f,")
    var fresh = try configuration(
      """
      routes: [{ path: /*, auth: login, upstream: app, \(limit), rewrite: { add_prefix: /v2 } }]
      issuers: { \(first), \(login) }
      """)
    for index in fresh.issuers.indices { fresh.issuers[index].policy.isAskedForOpaqueTokens = true }
    bench.reload(fresh, keySets: [nil, try issuer.keySet()])
    #expect(client.bytes.isEmpty && bench.worker.questions.askerCount == 1)
    try bench.answer(bob())
    #expect(try lines(of: bench.server().take())[0] == "GET /x HTTP/1.1")
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    // The answer was given under other rules, so it serves no later request.
    client.send(get("/x", bearer()))
    #expect(bench.asked.count == 2)
    try bench.answer(bob())
    #expect(try lines(of: bench.server().text)[0] == "GET /v2/x HTTP/1.1")
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/x", bearer()))
    #expect(code(client.take()) == "rate_limited")
    bench.expectNothingHeld()
  }

  @Test("A reload that takes the issuer or the upstream away ends the wait with a refusal")
  func withdrawn() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer()))
    try bench.reload(openRoutes)
    try bench.answer(bob())
    #expect(code(client.take()) == "issuer_unknown" && bench.servers.isEmpty)
    bench.reload(try asking(), keySets: [try issuer.keySet()])
    client.send(get("/", bearer()))
    try bench.reload(
      "routes: [{ path: /*, auth: login, upstream: other }]\nupstreams: { other: { servers: [10.0.0.2:1] } }\n"
        + issuer.section, keySets: [issuer.keySet()])
    try bench.answer(bob())
    #expect(code(client.text) == "route_not_found" && bench.servers.isEmpty)
    bench.expectNothingHeld()
  }
}
