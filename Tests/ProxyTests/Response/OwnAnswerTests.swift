// What the gateway's own answers carry: the header rules of their route or of the file, and the request's id.

import Foundation
import Testing

@testable import Proxy

@Suite("Header fields of the gateway's own answers")
struct OwnAnswerTests {
  private static let rules = """
    response_headers: { set: { X-Frame-Options: DENY, Cache-Control: max-age=9, X-Id: "{id}", Content-Type: text/a, \
    ETag: '"e"', X-User: "{claim:sub}" }, add: { Vary: X-A, Set-Cookie: a=b }, remove: [Server, Content-Type] }
    """.replacing("Content-Type: text/a, ", with: "")

  private static let configuration = """
    issuers: { login: { issuer: i, audiences: [a], jwks: "https://i.example/keys" } }
    response_headers: { set: { X-Frame-Options: SAMEORIGIN, X-Json: '{"a":1}' } }
    routes:
      - { path: "/a/{id}/*", auth: login, upstream: app, cors: { origins: ["https://p.test"] }, \(rules) }
      - { path: "/b/{id}", auth: public, upstream: app, \(rules.replacing(", X-User: \"{claim:sub}\"", with: "")) }
      - { path: /c, auth: public, methods: [GET], upstream: app, response_headers: { add: { X-Other: o } } }
    """

  private func text(_ request: String, refusing: Bool = true) throws -> String {
    let bench = try Bench(Self.configuration)
    if refusing { bench.refusing = ["10.0.0.1:9000"] }
    let client = bench.connect()
    client.send(request)
    defer { bench.expectNothingHeld() }
    return client.text
  }

  @Test(
    "A route's rules are in its refusals, redirects of paths and preflights, but for those that describe content",
    arguments: [
      (get("/a/7/x"), 401), (get("/b/7"), 502), (get("/b//7"), 308),
      (
        head(
          "OPTIONS /a/7/x HTTP/1.1", "Host: h", "Origin: https://p.test", "Access-Control-Request-Method: GET"),
        204
      ),
      (
        head(
          "OPTIONS /a/7/x HTTP/1.1", "Host: h", "Origin: https://q.test", "Access-Control-Request-Method: GET"),
        403
      ),
    ])
  func ofRoute(_ request: String, _ expected: Int) throws {
    let text = try text(request)
    #expect(status(text) == expected)
    #expect(values("x-frame-options", in: text) == ["DENY"])
    #expect(values("x-id", in: text) == ["7"])
    #expect(values("set-cookie", in: text) == ["a=b"])
    #expect(values("vary", in: text).first == "X-A")
    #expect(values("etag", in: text).isEmpty && values("x-user", in: text).isEmpty)
    #expect(!values("cache-control", in: text).contains("max-age=9"))
    if expected == 401 { #expect(values("content-type", in: text) == ["application/problem+json"]) }
  }

  @Test("What is of no route has the fields of the file: no route, a wrong method, a wrong path, a wrong head")
  func ofNoRoute() throws {
    let requests = [get("/none"), get("/c").replacing("GET", with: "PUT"), get("/%zz"), "GET / HTTP/9.9\r\n\r\n"]
    for (request, expected) in zip(requests, [404, 405, 400, 505]) {
      let text = try text(request)
      #expect(status(text) == expected)
      #expect(values("x-frame-options", in: text) == ["SAMEORIGIN"])
      #expect(values("x-json", in: text) == ["{\"a\":1}"])
      #expect(values("x-other", in: text).isEmpty)
    }
    // A route without such rules has none.
    let routed = try text(get("/c"))
    #expect(status(routed) == 502)
    #expect(values("x-frame-options", in: routed).isEmpty && values("x-other", in: routed) == ["o"])
  }

  @Test("Calls of gRPC are refused with the fields of their route, in the one head that they get")
  func calls() throws {
    let calls = try CallBench(
      "routes: [{ path: /s/*, auth: public, upstream: app, response_headers: { set: { X-A: b } } }]")
    calls.bench.refusing = ["10.0.0.1:9000"]
    let stream = try calls.call(CallBench.head("/s/m"))
    let seen = try #require(calls.client.streams[stream])
    #expect(seen.isHeadLast)
    #expect(seen.head.contains("x-a: b") && seen.head.contains("grpc-status: 14"), "\(seen.head)")
    #expect(seen.head.filter { $0.hasPrefix("x-request-id: ") }.count == 1, "\(seen.head)")
    calls.bench.expectNothingHeld()
  }

  // MARK: The request's id

  @Test("Without request_id, refusals say the request's id, and nothing else does")
  func idOfRefusals() throws {
    let bench = try Bench(
      openRoutes.replacing("}]", with: "}, { path: /r, auth: public, respond: { status: 200 } }]"))
    let client = bench.connect()
    client.send(get("/%zz", "X-Request-Id: mine"))
    #expect(values("x-request-id", in: client.take()) == ["mine"])
    client.send(get("/r", "X-Request-Id: mine"))
    #expect(values("x-request-id", in: client.take()).isEmpty)
    client.send(get("/u", "X-Request-Id: mine"))
    try bench.server().send(ok("x", "X-Request-Id: theirs"))
    #expect(values("x-request-id", in: client.text) == ["theirs"])
    bench.expectNothingHeld()
  }

  @Test("With request_id every answer has the id, in place of an upstream's, and it is the one in the log")
  func idOfAll() throws {
    let bench = try Bench(
      "request_id: {}\n" + openRoutes.replacing("}]", with: "}, { path: /r, auth: public, respond: { status: 200 } }]"))
    let client = bench.connect()
    client.send(get("/r"))
    let own = try #require(values("x-request-id", in: client.take()).first)
    #expect(own.utf8.count == 32)
    client.send(get("/u"))
    let server = try bench.server()
    let sent = try #require(values("x-request-id", in: server.text).first)
    server.send(ok("x", "x-request-ID: theirs"))
    #expect(values("x-request-id", in: client.take()) == [sent])
    client.send(get("/%zz", "X-Request-Id: mine"))
    #expect(values("x-request-id", in: client.text) == ["mine"])
    let logged = bench.logLines
    #expect(logged[0].contains("\"request_id\":\"\(own)\"") && logged[1].contains("\"request_id\":\"\(sent)\""))
    bench.expectNothingHeld()
  }

  @Test("trust says whose id is kept", arguments: ["anyone", "trusted_proxies", "nobody"])
  func trust(_ trust: String) throws {
    let bench = try Bench(
      "trusted_proxies: [198.51.100.0/24]\nrequest_id: { trust: \(trust) }\n" + openRoutes)
    for (peer, isTrusted) in [("192.0.2.7", false), ("198.51.100.7", true)] {
      let client = bench.connect(from: peer)
      client.send(get("/", "X-Request-Id: mine"))
      try bench.server().send(ok())
      let isKept = trust == "anyone" || trust == "trusted_proxies" && isTrusted
      #expect((values("x-request-id", in: client.text) == ["mine"]) == isKept)
    }
    bench.expectNothingHeld()
  }

  @Test("header names another field for the id, and X-Request-Id is then one like others")
  func header() throws {
    let bench = try Bench("request_id: { header: X-Correlation-Id }\n" + openRoutes)
    let client = bench.connect()
    client.send(get("/", "x-correlation-ID: mine", "X-Request-Id: app"))
    let server = try bench.server()
    let first = server.take()
    #expect(values("x-correlation-id", in: first) == ["mine"])
    #expect(values("x-request-id", in: first) == ["app"])
    server.send(ok("x", "X-Request-Id: app", "X-Correlation-Id: no"))
    #expect(values("x-correlation-id", in: client.take()) == ["mine"])
    client.send(get("/", "X-Correlation-Id: a b"))
    let made = values("x-correlation-id", in: server.take()).first ?? ""
    #expect(made.utf8.count == 32)
    server.send(ok())
    #expect(values("x-correlation-id", in: client.text) == [made])
    bench.expectNothingHeld()
  }

  @Test("A route's request_headers may still say the id, by whatever name")
  func ruled() throws {
    let bench = try Bench(
      """
      request_id: { header: X-Correlation-Id }
      routes:
        - { path: /*, auth: public, upstream: app, request_headers: { set: { x-correlation-id: fixed } } }
      """)
    let client = bench.connect()
    client.send(get("/", "X-Correlation-Id: mine"))
    #expect(try values("x-correlation-id", in: bench.server().text) == ["fixed"])
    bench.expectNothingHeld()
  }

  // MARK: Challenges

  @Test("A challenge has the route's realm and service, and where there is no route the gateway's")
  func challenge() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      issuer.section + """

        routes:
          - path: /v2/*
            auth:
              issuers: [login]
              scopes: [pull]
              challenge: { realm: "https://auth.example.com/token", service: registry.example.com }
            upstream: app
          - { path: /o, auth: login, upstream: app }
          - { path: /git/*, auth: { issuers: [login], scopes: [pull], tokens_from: [basic] }, upstream: app }
        """, keySets: [try issuer.keySet()])
    let client = bench.connect()
    func challenges(_ request: String) -> [String] {
      client.send(request)
      return values("www-authenticate", in: client.take())
    }
    let own = "Bearer realm=\"https://auth.example.com/token\",service=\"registry.example.com\""
    #expect(challenges(get("/v2/")) == [own])
    #expect(challenges(get("/v2/", "Authorization: Bearer x")) == [own + ", error=\"invalid_token\""])
    let token = try issuer.token()
    #expect(
      challenges(get("/v2/", "Authorization: Bearer \(token)"))
        == [own + ", error=\"insufficient_scope\", scope=\"pull\""])
    #expect(challenges(get("/o")) == ["Bearer realm=\"catraca\""])
    let basic = "Basic realm=\"catraca\", charset=\"UTF-8\""
    #expect(challenges(get("/git/r")) == ["Bearer realm=\"catraca\"", basic])
    #expect(
      challenges(get("/git/r", "Authorization: Basic bm86bm8="))
        == ["Bearer realm=\"catraca\", error=\"invalid_token\"", basic])
    // A password does not help here.
    let known = Data("git:\(token)".utf8).base64EncodedString()
    #expect(challenges(get("/git/r", "Authorization: Basic \(known)")).count == 1)
    bench.expectNothingHeld()
  }
}
