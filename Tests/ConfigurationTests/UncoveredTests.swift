// T77: it is a warning when a route that requires less gets what a route that requires a token leaves.

import Testing

@testable import Configuration

@Suite("What stricter routes leave")
struct UncoveredTests {
  private func messages(_ routes: String...) -> [String] { messages(routes) }

  private func messages(_ routes: [String]) -> [String] {
    let all = World.messages(
      """
      listeners: [{ address: 0.0.0.0:8080 }]
      issuers:
        login: { issuer: "https://login.example.com/", audiences: [a] }
        other: { issuer: "https://other.example.com/", audiences: [a] }
      upstreams:
        app: { servers: ["10.0.0.1:9000"] }
        side: { servers: ["10.0.0.2:9000"] }
      routes:
        - { path: /other-issuer/*, auth: other, upstream: side }
        - { path: /login-issuer/*, auth: login, upstream: app }

      """ + routes.map { "  - { \($0) }\n" }.joined())
    let others = ["matches only itself", "and others pass", "HEAD requests"]
    return all.filter { message in !others.contains { message.contains($0) } }
  }

  private func isWarned(_ messages: [String], line: Int = 12, of strict: Int = 11, _ what: String) -> Bool {
    messages.count == 1 && messages[0].hasPrefix("gateway.conf:\(line):")
      && messages[0].contains("warning: this route requires less than the one on line \(strict)")
      && messages[0].contains(what)
  }

  private static let open = "path: /*, auth: public, upstream: app"

  @Test("T77: An exact path beside its own slash, and the other way round")
  func slashes() {
    #expect(isWarned(messages("path: /exact, auth: login, upstream: app", Self.open), "'/exact/'"))
    #expect(isWarned(messages("path: /exact/, auth: login, upstream: app", Self.open), "'/exact'"))
    #expect(isWarned(messages("path: \"/users/{id}\", auth: login, upstream: app", Self.open), "'/users/{id}/'"))
    #expect(
      isWarned(
        messages("path: /a, auth: login, upstream: app", "path: /a/, auth: public, upstream: side"), "'/a/'"))
    #expect(
      isWarned(
        messages("path: /a/b, auth: login, upstream: app", "path: \"/{x}/b/\", auth: public, upstream: app"), "'/a/b/'")
    )
    let covered = [
      ["path: /exact/*, auth: login, upstream: app", Self.open],
      ["path: /a, auth: login, upstream: app", "path: /a/, auth: login, upstream: app", Self.open],
      ["path: /a, auth: login, upstream: app", "path: /a/*, auth: login, upstream: app", Self.open],
      ["path: /, auth: login, upstream: app", Self.open],
      ["path: /a, auth: login, upstream: app", "path: /a/b, auth: public, upstream: app"],
      ["path: /a, auth: login, upstream: app", "path: /b/*, auth: public, upstream: app"],
    ]
    for routes in covered { #expect(messages(routes) == [], "\(routes)") }
  }

  @Test("T77: Other methods of the same path. Those of another path are 405")
  func methods() {
    #expect(
      isWarned(
        messages("path: /a, methods: [POST], auth: login, upstream: app", "path: /a, auth: public, upstream: app"),
        "other methods of '/a'"))
    #expect(messages("path: /a/*, methods: [POST], auth: login, upstream: app", Self.open) == [])
    #expect(
      messages(
        "path: /a/*, methods: [POST], auth: login, upstream: app",
        "path: /a/*, methods: [GET, HEAD], auth: public, upstream: app") == [])
  }

  @Test("T77: Requests without a header that the stricter route requires")
  func headers() {
    let strict = "path: /a/*, headers: { X-V: \"2\" }, auth: login, upstream: app"
    #expect(isWarned(messages(strict, Self.open), "'/a/*' without its headers"))
    #expect(isWarned(messages(strict, "path: /a/*, auth: public, upstream: app"), "'/a/*' without its headers"))
    #expect(messages(strict, "path: /a/*, auth: login, upstream: side", Self.open) == [])
    // The route between them requires a header, too, so some requests go on to the last.
    let between = "path: /a/*, headers: { X-W: \"1\" }, auth: login, upstream: app"
    let found = messages(strict, between, Self.open)
    #expect(isWarned(found, line: 13, "and the same for 1 more"), "\(found)")
  }

  @Test("T77: The same path with an encoded slash, which a route that keeps it takes")
  func encodedSlashes() {
    let keeping = "path: /api/*, auth: public, encoded_slash: keep, upstream: app"
    for (path, what) in [
      ("/api/admin/*", "'/api/admin%2F*'"), ("/api/a/b/*", "'/api/a%2Fb/*', which"),
      ("/api/a/{b}/c/*", "'/api/a%2F{b}/c/*', which"),
    ] {
      #expect(isWarned(messages("path: \"\(path)\", auth: login, upstream: app", keeping), what), "\(path)")
    }
    let exact = "path: \"/api/{name}\", auth: public, encoded_slash: keep, upstream: app"
    for path in ["/api/a/b", "/api/a/b/c", "/api/a/*"] {
      let rest = path.hasSuffix("*") ? [] : ["path: \(path)/, auth: login, upstream: app"]
      let found = messages(["path: \(path), auth: login, upstream: app", exact] + rest)
      #expect(found.count == 1 && found[0].contains("%2F"), "\(path): \(found)")
    }
    #expect(messages("path: /api/*, auth: login, upstream: app", keeping + ", methods: [GET]").count == 0)
    #expect(messages("path: /other/*, auth: login, upstream: app", keeping) == [])
    #expect(messages("path: /api/admin/*, auth: login, upstream: app", keeping + ", unprotected: allowed") == [])
    let refusing = "path: /api/*, auth: public, upstream: app"
    #expect(messages("path: /api/admin/*, auth: login, upstream: app", refusing) == [])
  }

  @Test(
    "T77: The taking route may be on a less specific host, and requires less in any way: optional, other issuers, scopes, claims"
  )
  func ways() {
    let strict =
      "host: a.b.example, path: /exact, upstream: app, auth: { issuers: [login], scopes: [s], claims: { c: x } }"
    for (auth, isLess) in [
      ("public", true), ("login", true), ("{ issuers: [login], scopes: [s] }", true),
      ("{ issuers: [login], claims: { c: x } }", true), ("{ issuers: [login], scopes: [s], claims: { c: y } }", true),
      ("{ issuers: [login, other], scopes: [s], claims: { c: x } }", true),
      ("{ issuers: [login], scopes: [s], claims: { c: x }, optional: true }", true),
      ("{ issuers: [login], scopes: [t, s], claims: { c: x, d: y } }", false),
    ] {
      for host in ["host: a.b.example, ", "host: \"*.b.example\", ", "host: \"*.example\", ", ""] {
        let found = messages(strict, "\(host)path: /*, auth: \(auth), upstream: app")
        #expect(isLess ? isWarned(found, "'/exact/'") : found == [], "\(host)\(auth): \(found)")
      }
      #expect(messages(strict, "host: \"*.c.example\", path: /*, auth: \(auth), upstream: app") == [])
    }
    #expect(messages("path: /a, auth: { issuers: [login], optional: true }, upstream: app", Self.open) == [])
  }

  @Test(
    "T77: An answer of the gateway's own opens nothing, and 'unprotected: allowed' silences the warning where it is set"
  )
  func silenced() {
    let strict = "path: /exact, auth: login, upstream: app"
    #expect(messages(strict, "path: /*, auth: public, respond: { status: 404 }") == [])
    #expect(messages(strict, "path: /*, auth: public, redirect: { to: / }") == [])
    #expect(messages(strict, Self.open + ", unprotected: allowed") == [])
    #expect(isWarned(messages(strict + ", unprotected: allowed", Self.open), "'/exact/'"))
    for value in ["true", "[allowed]", "forbidden", ""] {
      let found = messages(strict, Self.open + ", unprotected: \(value)")
      #expect(found.contains { $0.hasPrefix("gateway.conf:12:") && $0.contains("'unprotected'") }, "\(found)")
    }
  }
}
