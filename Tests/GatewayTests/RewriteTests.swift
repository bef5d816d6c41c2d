// What a route changes on the way: header rules in both directions and the path.

import TestSupport
import Testing

@Suite("Header rules and rewrites")
struct RewriteTests {
  @Test("Request header rules set, add and remove, in any case of the name")
  func requestHeaders() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(
        upstream,
        routeKeys: "request_headers: { set: { X-Env: prod }, add: { X-Tag: gateway }, remove: [X-Debug, User-Agent] }"))
    _ = try await gateway.get(
      "/", ["x-env: dev", "X-ENV: test", "X-Tag: client", "x-debug: 1", "User-Agent: curl", "X-Kept: yes"])
    let request = upstream.requests[0]
    #expect(request.values(of: "X-Env") == ["prod"])
    #expect(request.values(of: "X-Tag") == ["client", "gateway"])
    #expect(request.values(of: "X-Debug").isEmpty)
    #expect(request.values(of: "User-Agent").isEmpty)
    #expect(request["X-Kept"] == "yes")
  }

  @Test("Response header rules set, add and remove, for fixed responses too")
  func responseHeaders() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(
          "ok", fields: ["Server: secret/1.0", "X-Tag: a", "strict-transport-security: no"], to: request)
      }
    }
    let rules =
      "response_headers: { set: { Strict-Transport-Security: max-age=1 }, add: { X-Tag: b }, remove: [Server] }"
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: "/*", auth: public, upstream: service, \(rules) }
        - { path: "/fixed", auth: public, respond: { status: 200, body: here }, \(rules) }
      """)
    let client = try await gateway.connect()
    let proxied = try await client.get("/")
    #expect(proxied.values(of: "Server").isEmpty)
    #expect(proxied.values(of: "X-Tag") == ["a", "b"])
    #expect(proxied.values(of: "Strict-Transport-Security") == ["max-age=1"])
    let fixed = try await client.get("/fixed")
    #expect(fixed.text == "here")
    #expect(fixed["Strict-Transport-Security"] == "max-age=1")
    #expect(fixed["X-Tag"] == "b")
  }

  @Test("A response header rule holds for the trailer of that name as well")
  func responseTrailers() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Internal: 1\r\nX-Sum: 2\r\n\r\n")
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, routeKeys: "response_headers: { remove: [X-Internal] }"))
    #expect(try await gateway.get("/").trailers == [RawField(name: "X-Sum", value: "2")])
  }

  @Test("Prefixes are stripped and added, segments and rest put into a template. The query stays")
  func paths() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: "/strip/*", auth: public, upstream: service, rewrite: { strip_prefix: /strip } }
        - { path: "/add/*", auth: public, upstream: service, rewrite: { add_prefix: /v2 } }
        - { path: "/both/*", auth: public, upstream: service, rewrite: { strip_prefix: /both, add_prefix: /v2 } }
        - { path: "/users/{id}/files/*", auth: public, upstream: service, rewrite: { path: "/f/{id}/{*}" } }
        - { path: "/users/{id}/avatar", auth: public, upstream: service, rewrite: { path: "/avatars/{id}.png" } }
      """)
    let client = try await gateway.connect()
    let cases = [
      ("/strip/a/b?q=1", "/a/b?q=1"), ("/strip", "/"), ("/strip/", "/"), ("/strip?q=%2F", "/?q=%2F"),
      ("/%73trip/a", "/a"),
      ("/add/x", "/v2/add/x"), ("/both/x?y", "/v2/x?y"), ("/both", "/v2"),
      ("/users/7/files/a/b%20c?z=1", "/f/7/a/b%20c?z=1"), ("/users/a%2Cb/avatar", "/avatars/a%2Cb.png"),
      ("/users/%37/avatar", "/avatars/7.png"), ("/users/%40me;v/files/%2B/a%2Bb?q", "/f/%40me/%2B/a%2Bb?q"),
    ]
    for (sent, expected) in cases {
      #expect(try await client.get(sent).status == 200, "\(sent)")
      #expect(upstream.requests.last?.target == expected, "\(sent)")
    }
  }
}
