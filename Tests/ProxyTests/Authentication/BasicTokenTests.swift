// Tokens in Basic credentials, of programs that can send nothing else.

import Foundation
import Testing
import Tokens

@testable import Proxy

@Suite("Tokens in Basic credentials")
struct BasicTokenTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func bench(_ sources: String = "[authorization, basic]", _ more: String = "") throws -> Bench {
    try Bench(
      "routes: [{ path: /*, upstream: app, auth: { issuers: [login], tokens_from: \(sources) }, "
        + "identity: { headers: { X-User: sub }\(more) } }]\n" + issuer.section, keySets: [issuer.keySet()])
  }

  private func field(_ pair: String, scheme: String = "Basic ") -> String {
    "Authorization: \(scheme)\(Data(pair.utf8).base64EncodedString())"
  }

  /// The refusal's code, or the request that went up.
  private func outcome(_ bench: Bench, _ request: String) throws -> String {
    let client = bench.connect()
    let before = bench.servers.count
    client.send(request)
    if bench.servers.count == before { return code(client.text) }
    defer { client.reset() }
    return try bench.server().text
  }

  @Test("The password is the token, or the name where the password is empty, and neither is forwarded")
  func places() throws {
    let token = try issuer.token()
    let bench = try bench()
    for line in [
      field("git:\(token)"), field(":\(token)"), field("\(token):"), field("a:\(token)", scheme: "bAsIc   "),
      field("ab:\(token)").replacing("=", with: ""), "Authorization: Bearer \(token)",
    ] {
      let sent = try outcome(bench, get("/", line, "X-User: root"))
      #expect(values("X-User", in: sent) == ["alice"], "\(sent)")
      #expect(values("Authorization", in: sent).isEmpty)
    }
    #expect(try outcome(bench, get("/", "Authorization: Basic ")) == "token_missing")
    bench.expectNothingHeld()
  }

  @Test("What is no pair in base64 is malformed, and an empty pair is no token")
  func malformed() throws {
    let token = try issuer.token()
    let bench = try bench()
    for line in [
      "Authorization: Basic \(token)", "Authorization: Basic !!!!", field(token),
      "Authorization: Basic\t\(Data("a:\(token)".utf8).base64EncodedString())", field("a:\(token)") + "=",
      field("a:\(token)") + "====", field("a:\(token)") + " x", field("a:b:\(token)"), field("a:x"),
      "Authorization: Basic YTp_", "Authorization: Basic YTpiY2=", "Authorization: Basic YTp4Y",
    ] { #expect(try outcome(bench, get("/", line)) == "token_malformed", "\(line)") }
    for line in [field(":"), "Authorization: Basic"] {
      #expect(try outcome(bench, get("/", line)) == "token_missing", "\(line)")
    }
    for line in ["Authorization: Digest YTpi", "Authorization: Basically YTpi"] {
      #expect(try outcome(bench, get("/", line)) == "scheme_not_bearer", "\(line)")
    }
    let twice = get("/", field("a:\(token)"), field("a:\(token)"))
    #expect(try outcome(bench, twice) == "token_ambiguous")
  }

  @Test("A route that takes Basic alone takes no bearer, and forwards none")
  func basicAlone() throws {
    let token = try issuer.token()
    let bench = try bench("[basic, 'cookie:s']")
    #expect(try outcome(bench, get("/", "Authorization: Bearer \(token)")) == "token_missing")
    #expect(try outcome(bench, get("/", "Cookie: s=\(token)", field("a:\(token)"))) == "token_ambiguous")
    let sent = try outcome(bench, get("/", "Cookie: s=\(token)", "Authorization: Bearer other"))
    #expect(values("X-User", in: sent) == ["alice"] && values("Authorization", in: sent).isEmpty)
  }

  @Test("With forward_token the credentials go on as they came")
  func forwarded() throws {
    let bench = try bench("[authorization, basic]", ", forward_token: true")
    let line = field("git:\(try issuer.token())")
    #expect(try outcome(bench, get("/", line)).contains(line + "\r\n"))
  }

  @Test("The next request on the connection knows nothing of the credentials before it")
  func reuse() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", field("a:\(try issuer.token())")))
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/"))
    #expect(code(client.take()) == "token_missing")
  }

  @Test("A browser's page of another site cannot use the password that the browser remembers")
  func crossSite() throws {
    let bench = try Bench(
      "routes: [{ path: /*, upstream: app, websocket: true, auth: { issuers: [login], tokens_from: [basic] } }]\n"
        + issuer.section, keySets: [issuer.keySet()])
    let handshake = [
      "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", field("a:\(try issuer.token())"),
    ].map { $0 + "\r\n" }.joined()
    let foreign = "GET / HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.example\r\n" + handshake + "\r\n"
    #expect(try outcome(bench, foreign) == "origin_not_allowed")
    let own = "GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n" + handshake + "\r\n"
    #expect(try outcome(bench, own).hasPrefix("GET / HTTP/1.1"))
  }

  @Test("A token may be as long as token_size says, and a reload changes that")
  func size() throws {
    func text(_ limits: String) -> String { "routes: [{ path: /*, upstream: app, auth: login }]\n\(limits)\n" }
    let long = "Authorization: Bearer \(try issuer.token(",\"pad\":\"\(String(repeating: "a", count: 16_000))\""))"
    let bench = try Bench(text("") + issuer.section, keySets: [issuer.keySet()])
    #expect(try outcome(bench, get("/", long)) == "token_too_large")
    try bench.reload(text("limits: { token_size: 32KiB }") + issuer.section, keySets: [issuer.keySet()])
    #expect(try outcome(bench, get("/", long)).hasPrefix("GET"))
    try bench.reload(text("limits: { token_size: 1KiB }") + issuer.section, keySets: [issuer.keySet()])
    #expect(try outcome(bench, get("/", long)) == "token_too_large")
  }

  @Test("A long token may list as many groups as fit into it")
  func groups() throws {
    let groups = (0..<6000).map { "\"11111111-2222-3333-4444-\(100_000_000_000 + $0)\"" }.joined(separator: ",")
    let bench = try Bench(
      "routes: [{ path: /*, upstream: app, auth: { issuers: [login], claims: { groups: \"11111111-2222-3333-4444-100000005999\" } } }]\n"
        + "limits: { header_size: 1MiB, token_size: 512KiB }\n" + issuer.section, keySets: [issuer.keySet()])
    let line = "Authorization: Bearer \(try issuer.token(",\"groups\":[\(groups)]"))"
    #expect(try outcome(bench, get("/", line)).hasPrefix("GET"))
  }
}
