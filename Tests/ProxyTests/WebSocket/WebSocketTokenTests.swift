// Where a WebSocket's token may be, and that nothing of it goes on to the server or into the log.

import Testing

@testable import Proxy

@Suite("Tokens of WebSockets")
struct WebSocketTokenTests {
  private struct Outcome {
    var asked = ""
    var answer = ""
    var log = ""
    var token = ""
  }

  /// - Parameters:
  ///   - place: the handshake's further line, or its path. `TOKEN` is replaced by a good one.
  ///   - chosen: what the server answers in Sec-WebSocket-Protocol.
  private func open(
    path: String = "/", _ lines: [String], forwards: Bool = false, optional: Bool = false, chosen: String? = nil
  ) throws -> Outcome {
    let issuer = try BenchIssuer()
    let text = WebSocketConfigurations.guarded(issuer, auth: optional ? ", optional: true" : "").replacing(
      "  upstream: app",
      with: "  upstream: app\n  identity: { headers: { X-User: sub }, forward_token: \(forwards) }")
    let bench = try Bench(text, keySets: [issuer.keySet()])
    var outcome = Outcome(token: try issuer.token())
    let good = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", sampleKey]
    let client = bench.connect()
    client.send(
      handshake(
        path.replacing("TOKEN", with: outcome.token),
        lines: good + lines.map { $0.replacing("TOKEN", with: outcome.token) }))
    if let server = bench.servers.last {
      outcome.asked = server.text
      server.send(chosen.map { switching("Sec-WebSocket-Protocol: \($0)") } ?? switching())
    }
    outcome.answer = client.text
    bench.expectNothingHeld()
    outcome.log = bench.logLines.joined()
    return outcome
  }

  private static let field = "Sec-WebSocket-Protocol"

  private static let pairs: [([String], [String])] = [
    (["\(field): bearer, TOKEN"], []), (["\(field): Bearer,TOKEN"], []), (["\(field): BEARER ,\t TOKEN , "], []),
    (["\(field): bearer, TOKEN, chat"], ["chat"]), (["\(field): chat, bearer, TOKEN"], ["chat"]),
    (["\(field): a, bearer, TOKEN, b"], ["a, b"]),
    (["\(field): bearer", "\(field): TOKEN, a", "\(field): b"], ["a, b"]),
    (["\(field): ,,bearer,,TOKEN,,"], []),
  ]

  @Test("The pair of bearer and token is taken out of the offered subprotocols", arguments: Self.pairs)
  func pair(lines: [String], left: [String]) throws {
    let outcome = try open(lines)
    #expect(status(outcome.answer) == 101, "\(lines)")
    #expect(values(Self.field, in: outcome.asked) == left)
    #expect(values("X-User", in: outcome.asked) == ["alice"])
    #expect(!outcome.asked.lowercased().contains("bearer"))
    // A browser ends a connection on which nothing of what it offered is chosen.
    #expect(values(Self.field, in: outcome.answer) == ["bearer"])
    for text in [outcome.asked, outcome.answer, outcome.log] { #expect(!text.contains(outcome.token.suffix(20))) }
  }

  @Test("What the server chooses of the rest is the answer, and nothing beside it")
  func chosen() throws {
    let outcome = try open(["\(Self.field): bearer, TOKEN, chat"], chosen: "chat")
    #expect(values(Self.field, in: outcome.answer) == ["chat"])
  }

  @Test("A client that did not offer bearer is not answered with it")
  func notOffered() throws {
    let header = try open(["Authorization: Bearer TOKEN", "\(Self.field): chat"])
    #expect(status(header.answer) == 101)
    #expect(values(Self.field, in: header.asked) == ["chat"])
    #expect(values(Self.field, in: header.answer).isEmpty)
    let query = try open(path: "/?t=TOKEN&a=b", [])
    #expect(status(query.answer) == 101)
    #expect(values(Self.field, in: query.answer).isEmpty)
    #expect(lines(of: query.asked)[0] == "GET /?a=b HTTP/1.1")
    for outcome in [header, query] {
      #expect(!outcome.asked.contains(outcome.token.suffix(20)) && !outcome.log.contains(outcome.token.suffix(20)))
      #expect(values("X-User", in: outcome.asked) == ["alice"])
    }
  }

  @Test("T80: A pair beside a token in another place makes two tokens, which are refused")
  func beside() throws {
    let outcome = try open(["Authorization: Bearer TOKEN", "\(Self.field): bearer, TOKEN"])
    #expect(status(outcome.answer) == 401 && code(outcome.answer) == "token_ambiguous")
    #expect(outcome.asked.isEmpty)
  }

  @Test("forward_token leaves the pair where it was, and the answer to the server")
  func forwarded() throws {
    let outcome = try open(["\(Self.field): bearer, TOKEN, chat"], forwards: true, chosen: "bearer")
    #expect(values(Self.field, in: outcome.asked) == ["bearer, \(outcome.token), chat"])
    #expect(values(Self.field, in: outcome.answer) == ["bearer"])
    let silent = try open(["\(Self.field): bearer, TOKEN"], forwards: true)
    #expect(values(Self.field, in: silent.answer).isEmpty)
  }

  private static let bad: [([String], String)] = [
    ([], "token_missing"), (["\(field): chat"], "token_missing"), (["\(field): bearer"], "token_malformed"),
    (["\(field): chat, bearer"], "token_malformed"), (["\(field): bearer, chat"], "token_malformed"),
    (["\(field): TOKEN, bearer"], "token_malformed"),
    (["\(field): bearer, TOKEN, bearer, TOKEN"], "token_ambiguous"),
    (["\(field): bearer, TOKEN", "\(field): bearer, TOKEN"], "token_ambiguous"),
    (["\(field): bearer, TOKENx"], "signature_invalid"),
  ]

  @Test("A subprotocol without a good token is refused before any server hears of it", arguments: Self.bad)
  func refused(lines: [String], expected: String) throws {
    let outcome = try open(lines)
    #expect(status(outcome.answer) == 401 || status(outcome.answer) == 400, "\(lines)")
    if expected != "signature_invalid" { #expect(code(outcome.answer) == expected, "\(lines)") }
    #expect(outcome.asked.isEmpty)
    #expect(!outcome.answer.contains(outcome.token.suffix(20)) && !outcome.log.contains(outcome.token.suffix(20)))
  }

  @Test("Where a token is optional, subprotocols alone pass as they are")
  func optional() throws {
    let outcome = try open(["\(Self.field): chat"], optional: true, chosen: "chat")
    #expect(status(outcome.answer) == 101)
    #expect(values(Self.field, in: outcome.asked) == ["chat"] && values("X-User", in: outcome.asked).isEmpty)
    #expect(values(Self.field, in: outcome.answer) == ["chat"])
    let bare = try open([], optional: true)
    #expect(values(Self.field, in: bare.answer).isEmpty)
  }

  @Test("A subprotocol carries no token for a request that is not a handshake, and does not go up")
  func ordinary() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [issuer.keySet()])
    let client = bench.connect()
    let token = try issuer.token()
    client.send(get("/", "\(Self.field): bearer, \(token)"))
    #expect(status(client.take()) == 401)
    client.send(get("/", "\(Self.field): bearer, \(token)", "Authorization: Bearer \(token)"))
    #expect(try !bench.server().text.contains(token))
    bench.expectNothingHeld()
  }
}
