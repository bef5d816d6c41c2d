// What routes have from `defaults` and from groups: the same as if each had written it out.

import Testing

@testable import Configuration

@Suite("Inheritance")
struct InheritanceTests {
  private static let head = """
    listeners: [{ address: 0.0.0.0:8080 }]
    issuers:
      login: { issuer: "https://login.example.com/", audiences: [a] }
      partner: { issuer: "https://partner.example.com/", audiences: [a] }
    upstreams:
      app: { servers: ["10.0.0.1:9000"] }
      side: { servers: ["10.0.0.2:9000"] }

    """

  private func messages(_ text: String) -> [String] { World.messages(Self.head + text) }

  private func routes(_ text: String) throws -> [Route] {
    try #require(World.configuration(Self.head + text), "\(messages(text))").routes
  }

  @Test("Defaults count for every route that does not say otherwise")
  func defaults() throws {
    let short = try routes(
      """
      defaults:
        identity: { headers: { X-User: sub }, strip: [X-Auth-*] }
        request_headers: { set: { X-Env: prod }, remove: [Cookie] }
        response_headers: { set: { X-A: a, X-B: b } }
        cors: { origins: ["https://app.example.com"] }
        rate_limit: { requests: 10, per: 1s }
        timeout: 5s
        body_size: 1MiB
        compress: true
        error_pages: { 404: none }
      routes:
        - { path: /a, auth: login, upstream: app }
        - path: /b
          auth: login
          upstream: app
          timeout: 7s
          response_headers: { set: { X-B: own, X-C: c } }
          request_headers: { remove: [X-Old] }
          error_pages: { 500: none }
      """.replacing("none", with: "{ body: x, content_type: text/plain }"))
    let shared = """
      auth: login
          upstream: app
          identity: { headers: { X-User: sub }, strip: [X-Auth-*] }
          cors: { origins: ["https://app.example.com"] }
          rate_limit: { requests: 10, per: 1s }
          body_size: 1MiB
          compress: true
      """
    let page = "{ body: x, content_type: text/plain }"
    let long = try routes(
      """
      routes:
        - path: /a
          \(shared)
          request_headers: { set: { X-Env: prod }, remove: [Cookie] }
          response_headers: { set: { X-A: a, X-B: b } }
          timeout: 5s
          error_pages: { 404: \(page) }
        - path: /b
          \(shared)
          timeout: 7s
          response_headers: { set: { X-B: own, X-C: c, X-A: a } }
          request_headers: { remove: [X-Old], set: { X-Env: prod } }
          error_pages: { 500: \(page), 404: \(page) }
      """)
    #expect(short == long)
  }

  @Test("Routes of a group have what the group says, at any depth, and may say otherwise")
  func groups() throws {
    let short = try routes(
      """
      routes:
        - path: /api/*
          host: api.example.com
          auth: { issuers: [login], scopes: [read] }
          upstream: app
          routes:
            - methods: [GET, HEAD]
            - { methods: [POST], auth: { scopes: [write] }, upstreams: [{ name: side, weight: 1 }] }
            - path: /api/admin/*
              routes:
                - { path: "/api/admin/{id}", auth: partner, timeout: 3s }
                - { path: /api/admin/ping, auth: public, respond: { status: 204 } }
        - { path: /rest, auth: login, upstream: side }
      """)
    let long = try routes(
      """
      routes:
        - { path: /api/*, host: api.example.com, auth: { issuers: [login], scopes: [read] }, upstream: app,
            methods: [GET, HEAD] }
        - { path: /api/*, host: api.example.com, auth: { issuers: [login], scopes: [write] }, methods: [POST],
            upstreams: [{ name: side, weight: 1 }] }
        - { path: "/api/admin/{id}", host: api.example.com, auth: partner, upstream: app, timeout: 3s }
        - { path: /api/admin/ping, host: api.example.com, auth: public, respond: { status: 204 } }
        - { path: /rest, auth: login, upstream: side }
      """)
    #expect(short == long)
  }

  @Test("'without' leaves out what is inherited, and lets a mapping be replaced")
  func without() throws {
    let routes = try routes(
      """
      defaults: { timeout: 5s, response_headers: { set: { X-A: a } }, cors: { origins: ["https://a.example"] } }
      routes:
        - without: [timeout]
          auth: login
          upstream: app
          routes:
            - { path: /a, without: [response_headers, cors], response_headers: { set: { X-B: b } } }
            - { path: /b }
      """)
    #expect(routes.map(\.timeout) == [nil, nil])
    #expect(routes.map { $0.cors == nil } == [true, false])
    #expect(routes.map { $0.responseHeaders.set.map(\.name) } == [["X-B"], ["X-A"]])
  }

  @Test("A route leaves out what it inherits and has no use for")
  func unused() throws {
    let routes = try routes(
      """
      defaults:
        identity: { headers: { X-User: sub }, payload: X-Payload, strip: [X-Auth-*] }
        request_headers: { set: { X-Tenant: "{claim:org}", X-Env: prod } }
        websocket: true
        merge_slashes: false
      routes:
        - { path: /a/*, auth: public, upstream: app }
        - { path: /b, auth: public, respond: { status: 200 } }
        - { path: /c/*, auth: login, redirect: { to: /d } }
      """)
    #expect(routes.map(\.identity.headers.count) == [0, 0, 1])
    #expect(routes.map(\.identity.strip) == Array(repeating: ["X-Auth-*"], count: 3))
    #expect(routes.map { $0.identity.payloadHeader != nil } == [false, false, true])
    #expect(routes.map { $0.webSocket != nil } == [true, false, false])
  }

  @Test("An inherited mistake is reported once, at its own place. One of a route's use of it names the route")
  func mistakes() {
    #expect(
      messages(
        """
        defaults: { timeout: 5, colour: red, auth: login }
        routes:
          - { path: /a, auth: login, upstream: app }
          - { path: /b, auth: partner, upstream: side }
        """) == [
          "gateway.conf:8:22: 'timeout' has no unit: write 5s (units: ms, s, m, h, d)",
          "gateway.conf:8:25: 'defaults' has no key 'colour': the known keys are "
            + Route.defaultSettings.table.keys.map(\.name).joined(separator: ", "),
          "gateway.conf:8:38: 'defaults' has no key 'auth': it belongs in a route",
        ])
    let claims = messages(
      """
      defaults: { rate_limit: { requests: 1, per: 1s, by: "claim:sub" } }
      routes:
        - { path: /a, auth: login, upstream: app }
        - { path: /b, auth: public, upstream: side }
        - { path: /c, auth: public, upstream: side }
        - { path: /d, auth: partner, upstream: side }
      """)
    #expect(
      claims == [
        "gateway.conf:8:25: a route with 'auth: public' verifies no token: the claim 'sub' is not available "
          + "(the route on line 11 inherits this)"
      ])
  }

  @Test(
    "What a group or a route in it cannot say is an error at its place",
    arguments: [
      ("- { path: /a, routes: [] }", "9:25: 'routes' of a group must be a list with at least one route"),
      ("- { path: /a, routes: x }", "9:25: 'routes' of a group must be a list with at least one route"),
      (
        "- { name: n, auth: login, upstream: app, routes: [{ path: /a }] }",
        "9:7: 'name' is that of one route: write it in the routes of this group"
      ),
      (
        "- { path: /api/*, auth: login, upstream: app, routes: [{ path: /orders }] }",
        "9:66: the group's path '/api/*' does not match this one: write '/api/orders', or leave the group's out"
      ),
      (
        "- { path: /api, auth: login, upstream: app, routes: [{ path: /api/a }] }",
        "9:64: the group's path '/api' does not match this one: leave the group's out"
      ),
      ("- { auth: login, upstream: app, routes: [{ methods: [GET] }] }", "9:44: a route has no 'path'"),
      ("- { path: /a, upstream: app, routes: [{ methods: [GET] }] }", "9:41: a route has no 'auth'"),
      ("- { path: /a, auth: login, routes: [{ methods: [GET] }] }", "9:39: a route has no action"),
      (
        "- { path: /a, auth: login, upstream: app, colour: red, routes: [{ methods: [GET] }] }",
        "9:45: a route has no key 'colour'"
      ),
      (
        "- { path: /a, auth: login, upstream: app, without: [timeout] }",
        "9:55: warning: nothing is inherited for 'timeout': remove it"
      ),
      (
        "- { path: /a, auth: login, upstream: app, without: [tiemout] }", "9:55: a route has no key 'tiemout'"
      ),
    ])
  func badGroups(route: String, message: String) {
    let all = messages("routes:\n  \(route)\n")
    #expect(all.contains { $0.hasPrefix("gateway.conf:" + message) }, "\(all)")
  }

  @Test("Defaults of an included file count for its routes only, and come before those of the file around it")
  func files() throws {
    let text =
      Self.head + """
        include: a.conf
        defaults: { timeout: 5s, body_size: 1MiB }
        routes: [{ path: /a, auth: login, upstream: app }]
        """
    let other = "defaults: { timeout: 7s }\nroutes: [{ path: /b, auth: partner, upstream: side }]\n"
    let routes = try #require(World.configuration(text, ["a.conf": other])).routes
    #expect(routes.map(\.timeout) == [.seconds(5), .seconds(7)])
    #expect(routes.map(\.bodySize) == [1 << 20, 1 << 20])
  }

  @Test("What many routes inherit counts for each of them, so that it cannot grow without end")
  func bounds() {
    let headers = (1...2000).map { "X-\($0): a" }.joined(separator: ", ")
    let routes = (1...400).map { "  - { path: /\($0), auth: login, redirect: { to: /a } }\n" }.joined()
    let all = messages("defaults: { response_headers: { set: { \(headers) } } }\nroutes:\n\(routes)")
    #expect(all.contains { $0.contains("more than 500000 values once inherited keys are filled in") })
  }
}
