// The request as the upstream gets it: what a client says about itself never arrives as something the gateway said.

import Testing

@testable import Proxy

@Suite("Identity")
struct IdentityTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let identity =
    "identity: { headers: { X-User: sub, X-Email: email, X-Org: org.id, X-Roles: roles, X-Any: any }, strip: [X-Auth-*], payload: X-Payload }"

  private func bench(_ top: String = "", _ route: String = identity) throws -> Bench {
    try Bench(
      "routes:\n- { path: /*, upstream: app, auth: login, \(route) }\n- { path: /public, upstream: app, auth: public }\n"
        + "\(issuer.section)\n\(top)", keySets: [issuer.keySet()])
  }

  /// The request that goes up.
  private func sent(
    _ bench: Bench, _ path: String, claims: String = "", _ fields: [String], from peer: String = "192.0.2.7"
  ) throws -> String {
    let client = bench.connect(from: peer)
    let count = bench.servers.count
    let token = ["Authorization: Bearer \(try issuer.token(claims))"]
    client.send((["GET \(path) HTTP/1.1", "Host: h"] + fields + token).map { $0 + "\r\n" }.joined() + "\r\n")
    #expect(bench.servers.count == count + 1, "\(client.text)")
    defer { client.reset() }
    return try bench.server().text
  }

  @Test(
    "T32 T33 Identity headers from the client are dropped in every spelling, on public routes too",
    arguments: ["/a", "/public"])
  func spellings(_ path: String) throws {
    let names = [
      "X-User", "x-user", "X_User", "X.User", "x_uSER", "X-Email", "X_Email", "X-Org", "X.Org", "X-Roles", "X-Any",
      "X-Payload",
      "x.payload", "X-Auth-Anything", "X_Auth_Anything", "x-auth-", "X.Auth_x",
    ]
    let text = try sent(
      bench(), path, names.map { "\($0): forged" } + ["X-User: forged2", "X-User:forged3", "X-Kept: 1"])
    #expect(!text.contains("forged"), "\(text)")
    #expect(values("X-Kept", in: text) == ["1"])
    #expect(values("X-User", in: text) == (path == "/a" ? ["alice"] : []))
    for name in ["X-Email", "X-Org", "X-Roles", "X-Any"] { #expect(values(name, in: text).isEmpty) }
    #expect(values("Authorization", in: text).isEmpty == (path == "/a"))
  }

  @Test("Each route forwards of a remembered token what its own rules say, and after a reload what the new ones do")
  func rememberedLines() throws {
    func text(_ third: String) -> String {
      """
      routes:
      - { path: /a, upstream: app, auth: login, identity: { headers: { X-User: sub } } }
      - { path: /b, upstream: app, auth: login, identity: { headers: { X-User: sub } } }
      - { path: /c, upstream: app, auth: login, identity: { headers: { \(third) }, payload: X-Payload } }
      - { path: /d, upstream: app, auth: login }
      \(issuer.section)
      """
    }
    let bench = try Bench(text("X-Org: org.id, X-User: email"), keySets: [issuer.keySet()])
    let claims = ",\"email\":\"a%b@c\",\"org\":{\"id\":7}"
    let token = "Authorization: Bearer \(try issuer.token(claims))"
    func lines(_ path: String) throws -> [[String]] {
      let client = bench.connect()
      client.send(get(path, token))
      defer { client.reset() }
      let sent = try bench.server().text
      #expect(values("X-Payload", in: sent).isEmpty == (path != "/c"))
      return [values("X-User", in: sent), values("X-Org", in: sent)]
    }
    for _ in 0..<2 {
      for path in ["/a", "/b"] { #expect(try lines(path) == [["alice"], []]) }
      #expect(try lines("/c") == [["a%25b@c"], ["7"]])
      #expect(try lines("/d") == [[], []])
    }
    #expect(bench.worker.counters.copy().tokenCacheHits == 7)
    try bench.reload(text("X-User: org.id"), keySets: [issuer.keySet()])
    #expect(try lines("/c") == [["7"], []])
    for path in ["/c", "/a"] { #expect(try lines(path)[1].isEmpty) }
  }

  @Test("T34 A Connection field cannot take away what the gateway sets, and takes away what it may")
  func nominations() throws {
    let text = try sent(
      bench(), "/a",
      [
        "Connection: X-User, X-Request-Id, Via, X-Forwarded-For, traceparent, X-Mine", "X-Mine: 1", "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Connection: x", "Upgrade: h2c", "X-User: forged",
      ])
    #expect(values("X-User", in: text) == ["alice"] && values("X-Forwarded-For", in: text) == ["192.0.2.7"])
    #expect(values("Via", in: text) == ["1.1 catraca"])
    #expect(values("X-Request-Id", in: text).count == 1 && values("traceparent", in: text).count == 1)
    for name in ["X-Mine", "Keep-Alive", "TE", "Proxy-Connection", "Upgrade", "Connection"] {
      #expect(values(name, in: text).isEmpty, "\(name)")
    }
  }

  static let claimValues: [(json: String, value: String?)] = [
    ("\"plain text\"", "plain text"), ("\"\"", ""), ("null", nil), ("[]", nil), ("true", "true"), ("false", "false"),
    ("12", "12"),
    ("-1.5e3", "-1.5e3"), ("[\"a\",\"b\"]", "a,b"), ("[\"a,b\",1,true]", "a%2Cb,1,true"),
    ("\"a,b\"", "a%2Cb"), ("\"a, b\"", "a%2C b"), ("\",\"", "%2C"), ("[\"a\"]", "a"),
    ("{\"a\":[1]}", "{\"a\":[1]}"), ("{\"a\":[1,2],\"b\":3}", "{\"a\":[1,2],\"b\":3}"),
    ("\"a\\r\\nX-Admin: 1\"", "a%0D%0AX-Admin: 1"), ("\"\\u0000\"", "%00"), ("\"é\"", "%C3%A9"),
    ("\"\\u00e9\"", "%C3%A9"),
    ("\"100%\"", "100%25"), ("\" a b \"", "%20a b%20"), ("\"\\\"\\\\\"", "\"\\"), ("\"\\u007f\\t\"", "%7F%09"),
    ("\"😀\"", "%F0%9F%98%80"), ("[\"\\n\"]", "%0A"),
  ]

  @Test(
    "T35 T91: Each kind of claim becomes one field value that carries no control, and a text never looks like a list",
    arguments: claimValues)
  func claims(_ json: String, _ value: String?) throws {
    let text = try sent(bench(), "/a", claims: ",\"any\":\(json)", [])
    #expect(values("X-Any", in: text) == (value.map { [$0] } ?? []), "\(text)")
    #expect(values("X-Admin", in: text).isEmpty)
    #expect(values("X-Payload", in: text).count == 1)
    #expect(text.hasSuffix("\r\n\r\n") && body(of: text).isEmpty)
  }

  @Test("Nested claims are found, and one claim's lack does not move another's value")
  func nested() throws {
    let text = try sent(bench(), "/a", claims: ",\"org\":{\"id\":7},\"roles\":[\"x\"]", [])
    #expect(
      values("X-Org", in: text) == ["7"] && values("X-Roles", in: text) == ["x"] && values("X-Email", in: text).isEmpty)
  }

  @Test("T32 A stripped Cookie field goes as a whole where a cookie may hold the token, too")
  func strippedCookie() throws {
    let bench = try Bench(
      "routes:\n- { path: /*, upstream: app, auth: { issuers: [login], tokens_from: [authorization, 'cookie:t'] } }\n"
        + "- { path: /b, upstream: app, auth: login, identity: { strip: [Cookie] } }\n\(issuer.section)",
      keySets: [issuer.keySet()])
    #expect(try values("Cookie", in: sent(bench, "/a", ["Cookie: user=root; t="])).isEmpty)
  }

  @Test("T36 Identity, forwarding, token and framing fields do not pass as trailers")
  func trailers() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(
      head(
        "POST /a HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Connection: X-Mine",
        "Authorization: Bearer \(try issuer.token())")
        + "0\r\nX-User: forged\r\nX_User: forged\r\nX-Auth-A: forged\r\nX-Forwarded-For: forged\r\nX_Forwarded_For: forged\r\n"
        + "Authorization: forged\r\nCookie: forged\r\nX-Sum: 1\r\n\r\n")
    let text = try bench.server().text
    #expect(!text.contains("forged"))
    #expect(body(of: text) == "0\r\nX-Sum: 1\r\n\r\n")
    bench.expectNothingHeld()
  }

  @Test("T37 T38 What an untrusted peer says about forwarding is dropped, and the gateway says its own")
  func forwardedUntrusted() throws {
    let names = [
      "X-Forwarded-For", "X_Forwarded_For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
      "X-Forwarded-Uri", "Forwarded",
      "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Real-IP", "X-HTTP-Method-Override", "X-Forwarded-Prefix",
    ]
    let text = try sent(bench(), "/a", names.map { "\($0): 6.6.6.6" })
    #expect(!text.contains("6.6.6.6"), "\(text)")
    #expect(values("X-Forwarded-For", in: text) == ["192.0.2.7"])
    #expect(values("X-Forwarded-Proto", in: text) == ["http"] && values("X-Forwarded-Host", in: text) == ["h"])
  }

  @Test("What a trusted peer says about forwarding is passed on, with the peer behind it")
  func forwardedTrusted() throws {
    let bench = try bench("trusted_proxies: [10.0.0.0/8]")
    let fields = [
      "X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 10.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: api",
      "Forwarded: for=1.2.3.4", "X_Forwarded_For: alias",
    ]
    let text = try sent(bench, "/a", fields, from: "10.1.1.1")
    #expect(values("X-Forwarded-For", in: text) == ["1.2.3.4, 10.9.9.9, 10.1.1.1"])
    #expect(values("X-Forwarded-Proto", in: text) == ["https"] && values("X-Forwarded-Host", in: text) == ["api"])
    #expect(values("Forwarded", in: text) == ["for=1.2.3.4, for=10.1.1.1;proto=http"])
    #expect(!text.contains("alias"))
    #expect(bench.logLines.last?.contains("\"client_ip\":\"1.2.3.4\"") == true)
  }

  @Test("T34 What a trusted peer nominates in Connection is as if it had not been said")
  func forwardedNominated() throws {
    let text = try sent(
      bench("trusted_proxies: [10.0.0.0/8]"), "/a",
      ["Connection: X-Forwarded-Proto, X-Forwarded-Host", "X-Forwarded-Proto: https", "X-Forwarded-Host: api"],
      from: "10.1.1.1")
    #expect(values("X-Forwarded-Proto", in: text) == ["http"] && values("X-Forwarded-Host", in: text) == ["h"])
  }

  @Test("Header rules of the route replace what the client and the gateway say, once")
  func requestRules() throws {
    let rules =
      "request_headers: { set: { X-Env: prod, X-Forwarded-Proto: https }, add: { X-More: 2 }, remove: [X-Secret] }"
    for (peer, top) in [("192.0.2.7", ""), ("10.1.1.1", "trusted_proxies: [10.0.0.0/8]")] {
      let text = try sent(
        bench(top, rules), "/a",
        ["X-Env: dev", "X_Env: dev", "X-Secret: s", "x_secret: s", "X-More: 1", "X-Forwarded-Proto: ftp"], from: peer)
      #expect(values("X-Env", in: text) == ["prod"] && !text.contains("dev"))
      #expect(values("X-Secret", in: text).isEmpty && values("x_secret", in: text).isEmpty)
      #expect(values("X-More", in: text) == ["1", "2"])
      #expect(values("X-Forwarded-Proto", in: text) == ["https"], "\(peer)")
    }
  }

  @Test("Rules about fields that the gateway writes itself hold as well: one value, or none")
  func rulesOnOwnFields() throws {
    let set = "request_headers: { set: { X-Forwarded-For: 9.9.9.9, X-Request-Id: fixed, traceparent: none } }"
    let remove = "request_headers: { remove: [X-Forwarded-For, X-Request-Id, traceparent, X-Forwarded-Host] }"
    for (peer, top) in [("192.0.2.7", ""), ("10.1.1.1", "trusted_proxies: [10.0.0.0/8]")] {
      let replaced = try sent(bench(top, set), "/a", ["X-Forwarded-For: 1.2.3.4", "X-Request-Id: mine"], from: peer)
      #expect(values("X-Forwarded-For", in: replaced) == ["9.9.9.9"])
      #expect(values("X-Request-Id", in: replaced) == ["fixed"] && values("traceparent", in: replaced) == ["none"])
      let removed = try sent(bench(top, remove), "/a", ["X-Forwarded-For: 1.2.3.4", "X-Request-Id: mine"], from: peer)
      for name in ["X-Forwarded-For", "X-Request-Id", "traceparent", "X-Forwarded-Host"] {
        #expect(values(name, in: removed).isEmpty, "\(name)")
      }
    }
  }

  @Test("Response rules replace and remove, in answers of the upstream")
  func responseRules() throws {
    let bench = try bench("", "response_headers: { set: { Strict-Transport-Security: max-age=1 }, remove: [Server] }")
    let client = bench.connect()
    client.send(get("/a", "Authorization: Bearer \(try issuer.token())"))
    try bench.server().send(ok("x", "Server: s", "strict-transport-security: none", "X: y"))
    #expect(values("Server", in: client.text).isEmpty && values("X", in: client.text) == ["y"])
    #expect(values("Strict-Transport-Security", in: client.text) == ["max-age=1"])
  }

  static let rewrites: [(rewrite: String, path: String, target: String)] = [
    ("strip_prefix: /orders", "/orders/1?a=b", "/1?a=b"), ("strip_prefix: /orders", "/orders", "/"),
    ("strip_prefix: /orders", "/%6Frders/%32", "/2"),
    ("strip_prefix: /orders, add_prefix: /v2", "/orders/1", "/v2/1"),
    ("add_prefix: /v2", "/a%2Db?x", "/v2/a-b?x"), ("add_prefix: /v2", "/", "/v2/"),
    ("strip_prefix: /orders, add_prefix: /v2", "/orders", "/v2"),
    ("strip_prefix: /orders", "/orders/c%7e/%2B%c3%a4", "/c~/%2B%C3%A4"),
    ("strip_prefix: /orders", "/orders;v=1/2;x=y", "/2;x=y"),
    ("strip_prefix: /orders", "/orders;v=1", "/"), ("strip_prefix: /orders, add_prefix: /v2", "/orders;v=1/", "/v2/"),
    ("strip_prefix: /orders", "/orders/;v=1", "/;v=1"), ("path: '/x/{*}'", "/p/q?r", "/x/p/q?r"),
  ]

  @Test("T39 Rewrites work on the normal path, which is the one that is forwarded", arguments: rewrites)
  func rewrite(_ rewrite: String, _ path: String, _ target: String) throws {
    let base = rewrite.hasPrefix("strip") ? "/orders" : ""
    let bench = try Bench(
      "routes: [{ path: \(base)/*, upstream: app, auth: login, rewrite: { \(rewrite) } }]\n" + issuer.section,
      keySets: [issuer.keySet()])
    let text = try sent(bench, path, [])
    #expect(lines(of: text)[0] == "GET \(target) HTTP/1.1")
  }

  @Test("A request id is kept when it is plain, and made when it is missing, twofold, long or strange")
  func requestID() throws {
    let kept = "abc-DEF_1.2:3"
    #expect(try values("X-Request-Id", in: sent(bench(), "/a", ["x-request-id: \(kept)"])) == [kept])
    for fields in [
      [], ["X-Request-Id: a", "X-Request-Id: b"], ["X-Request-Id: \(String(repeating: "a", count: 129))"],
      ["X-Request-Id: a\"b"],
    ] {
      let made = try values("X-Request-Id", in: sent(bench(), "/a", fields))
      #expect(made.count == 1 && made[0].utf8.count == 32 && made[0].allSatisfy(\.isHexDigit))
    }
  }

  @Test("A trace is passed on when it is well formed, with its state. Another one begins where it is not")
  func trace() throws {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    let kept = try sent(bench(), "/a", ["traceparent: \(good)", "tracestate: a=b"])
    #expect(values("traceparent", in: kept) == [good] && values("tracestate", in: kept) == ["a=b"])
    for bad in [
      good.uppercased(), "01" + good.dropFirst(2), String(good.dropLast()), good + "0",
      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "",
    ] {
      let made = try sent(bench(), "/a", ["traceparent: \(bad)", "tracestate: a=b"])
      let value = try #require(values("traceparent", in: made).first)
      #expect(value != bad && value.utf8.count == 55 && values("tracestate", in: made).isEmpty, "\(bad)")
    }
    let twofold = try sent(bench(), "/a", ["traceparent: \(good)", "traceparent: \(good)"])
    #expect(values("traceparent", in: twofold).count == 1 && values("traceparent", in: twofold) != [good])
  }
}
