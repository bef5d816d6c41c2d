// Values of a request in its line of the access log: what is there, what is not, and what no client can do with them.

import Testing

@testable import Proxy

@Suite("Values of a request in the access log")
struct LoggedValueTests {
  private static let open = """
    access_log:
      fields: [status, { tenant: "header:X-Tenant" }, "query:page", "path:id", "header:X-Long"]
    routes:
      - { path: "/orders/{id}", auth: public, upstream: app }
      - { path: /plain, auth: public, respond: { status: 200 } }
    """

  private func line(_ request: String, _ text: String = open) throws -> String {
    let bench = try Bench(text)
    let client = bench.connect()
    client.send(request)
    if client.text.isEmpty {
      try bench.server().send(ok())
      _ = client.take()
    }
    bench.expectNothingHeld()
    return try #require(bench.logLines.last)
  }

  @Test("Headers, parameters of the query and segments of the path are there, under their names or those of the file")
  func taken() throws {
    let line = try line(get("/orders/7?page=2", "X-Tenant: acme"))
    #expect(line == #"{"status":200,"tenant":"acme","query:page":"2","path:id":"7"}"#)
  }

  @Test(
    "What a request does not have, has empty or has twice is absent",
    arguments: [
      get("/plain"), get("/plain?page=", "X-Tenant:"),
      get("/plain?page=1&p%61ge=2", "X-Tenant: a", "x-tenant: b"),
    ])
  func absent(_ request: String) throws { #expect(try line(request) == #"{"status":200}"#) }

  @Test("A request that finds no route has its headers in the line")
  func refused() throws {
    #expect(try line(get("/none?page=1", "X-Tenant: acme")) == #"{"status":404,"tenant":"acme"}"#)
    #expect(try line(get("/%zz?page=1", "X-Tenant: acme")) == #"{"status":400,"tenant":"acme"}"#)
  }

  @Test("T92 A value is escaped as all texts are, and cut at 1 KiB")
  func hostile() throws {
    let long = String(repeating: "a", count: 1025)
    let tenant = "X-Tenant: \"},{\"status\":1,\"x\":\"\u{85}\\"
    let line = try line(get("/orders/a%22b?page=%0a", tenant, "X-Long: \(long)"))
    #expect(
      line == #"{"status":200,"tenant":"\"},{\"status\":1,\"x\":\"\u0085\\","query:page":"%0a","#
        + #""path:id":"a%22b","header:x-long":""# + long.dropLast() + "\"}")
  }

  @Test("A template takes them as well, a dash where there is none, and one column where there are no quotes")
  func template() throws {
    let text = """
      access_log: { format: '{status} {header:x-tenant} "{query:page}" {path:id}' }
      routes:
        - { path: "/orders/{id}", auth: public, upstream: app }
      """
    #expect(try line(get("/orders/7", "X-Tenant: a b"), text) == #"200 a\x20b "-" 7"#)
  }

  private func lines(_ tokens: [String], _ issuer: BenchIssuer, scopes: String = "") throws -> [String] {
    let bench = try Bench(
      issuer.section + """

        access_log: { fields: [subject, refused_subject, reason, "claim:org.name", "claim:roles", "claim:level"] }
        routes:
          - { path: /*, auth: { issuers: [login]\(scopes) }, respond: { status: 200 } }
        """, keySets: [try issuer.keySet()])
    for token in tokens {
      let client = bench.connect()
      client.send(get("/", "Authorization: Bearer \(token)"))
      _ = client.take()
    }
    return bench.logLines
  }

  @Test("A claim of the caller is there: a string as it is, anything else as JSON")
  func claims() throws {
    let issuer = try BenchIssuer()
    let token = try issuer.token(#","org":{"name":"a\"b"},"roles":["x","y"],"level":5"#)
    // The second time it comes from the worker's memory.
    let expected =
      #"{"subject":"alice","claim:org.name":"a\"b","claim:roles":"[\"x\",\"y\"]","claim:level":"5"}"#
    #expect(try lines([token, token], issuer) == [expected, expected])
    #expect(try lines([try issuer.token(#","roles":null"#)], issuer) == [#"{"subject":"alice"}"#])
  }

  @Test("A token that its issuer signed and that is refused has its subject in a field of its own, and no claims")
  func refusedSubject() throws {
    let issuer = try BenchIssuer()
    let expired = try issuer.token(#","level":5"#, seconds: -3600)
    let lines = try lines([expired, try issuer.token(keyID: "other")], issuer)
    #expect(
      lines.first == #"{"refused_subject":"alice","reason":"token_expired"}"#, "an expired token may be anybody's")
    #expect(lines.dropFirst().allSatisfy { !$0.contains("alice") })
  }

  @Test("Nothing that a forger wrote into a token is in a line")
  func forged() throws {
    let issuer = try BenchIssuer()
    let forger = try BenchIssuer()
    let lines = try lines(
      [try forger.token(#","level":5"#), try forger.token(seconds: -3600)], issuer)
    #expect(lines == Array(repeating: #"{"reason":"signature_invalid"}"#, count: 2))
  }

  @Test("A caller who may not pass is known all the same")
  func forbidden() throws {
    let issuer = try BenchIssuer()
    let lines = try lines([try issuer.token(#","level":5"#)], issuer, scopes: ", scopes: [x]")
    #expect(lines == [#"{"subject":"alice","reason":"scope_missing","claim:level":"5"}"#])
  }

  @Test("A reload changes what later lines have")
  func reload() throws {
    let bench = try Bench(Self.open)
    let client = bench.connect()
    client.send(get("/plain", "X-Tenant: acme"))
    let next = """
      access_log: { format: '{header:x-other}' }
      routes: [{ path: /plain, auth: public, respond: { status: 200 } }]
      """
    try bench.reload(next)
    client.send(get("/plain", "X-Tenant: acme", "X-Other: 1"))
    #expect(bench.logLines == [#"{"status":200,"tenant":"acme"}"#, "1"])
  }
}
