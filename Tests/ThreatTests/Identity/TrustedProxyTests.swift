// What counts of what trusted proxies send: the fields that they are said to write, and an address only where it can be
// read.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct TrustedProxyTests {
  /// A gateway whose one client is a trusted proxy: `/m` is closed but for loopback, `/r` has a rate limit, `/` has
  /// neither.
  struct Inside {
    let gateway: GatewayProcess
    let upstream: TestUpstream

    init(trust: String = "[127.0.0.0/8]") async throws {
      upstream = try await TestUpstream.echo()
      gateway = try await GatewayProcess.start(
        """
        trusted_proxies: \(trust)
        upstreams: { u: { servers: ["\(upstream.address)"] } }
        routes:
          - { path: /m, auth: public, maintenance: { allow: [127.0.0.0/8, 192.0.2.0/24, "2001:db8::/32"] }, upstream: u }
          - { path: /r, auth: public, rate_limit: { requests: 1, per: 1h, keys: 1000 }, upstream: u }
          - { path: "/*", auth: public, upstream: u }
        """)
    }

    /// Whether the client counts as one of those that the closed route lets through.
    func isLetIn(_ fields: [String]) async throws -> Bool {
      let answer = try await gateway.get("/m", fields)
      #expect(answer.status == 200 || answer.code == "maintenance")
      return answer.status == 200
    }

    func isLimited(_ fields: [String]) async throws -> Bool {
      let answer = try await gateway.get("/r", fields)
      #expect(answer.status == 200 || answer.code == "rate_limited")
      return answer.status == 429
    }
  }

  @Test("T78: Of a trusted proxy's fields those that it is said to write go on, and the others are its clients' own")
  func fields() async throws {
    let theirs = [
      "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Original-URL: /admin",
      "X-Original-Method: DELETE", "X-Rewrite-URL: /admin", "X-Forwarded-Uri: /admin", "X-Forwarded-Method: DELETE",
      "X-Forwarded-Prefix: /admin", "X-Forwarded-User: root", "X-Forwarded-Groups: wheel", "X-Real-IP: 10.0.0.1",
      "X_Forwarded_Proto: https", "X.Forwarded.Port: 1", "X_Real_IP: 10.0.0.1",
    ]
    let proxys = [
      "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: api.example",
      "X-Forwarded-Port: 8443",
    ]
    let inside = try await Inside()
    let kept = try await inside.gateway.get("/", proxys + theirs).text.lowercased()
    for field in proxys.dropFirst() { #expect(kept.contains("\r\n\(field.lowercased())\r\n"), "\(field)") }
    for field in theirs { #expect(!kept.contains("\r\n\(field.lowercased())"), "\(field)") }

    let named = try await Inside(
      trust: "{ from: [127.0.0.0/8], fields: [X-Real-IP, x-forwarded-user, X-Auth-Request-Email] }")
    let believed = ["X-Real-Ip: 10.0.0.1", "X-Forwarded-User: root", "X-Auth-Request-Email: a@example"]
    let more = try await named.gateway.get("/", proxys + theirs + believed + ["X_Auth_Request_Email: b@example"]).text
    for field in believed { #expect(more.contains("\r\n\(field)\r\n"), "\(field)") }
    for name in ["override", "original", "rewrite", "groups", "_"] {
      #expect(!more.lowercased().contains(name), "\(name)")
    }

    let outside = try await Inside(
      trust: "{ from: [192.0.2.1], fields: [X-Real-IP, X-Forwarded-User, X-Auth-Request-Email] }")
    let stripped = try await outside.gateway.get("/", proxys + theirs + believed).text.lowercased()
    for name in ["x-real", "x-forwarded-user", "x-auth", "x-forwarded-port", "192.0.2.7"] {
      #expect(!stripped.contains(name), "\(name)")
    }
  }

  @Test("T78: Overrides cannot be named, nor fields that clients have to send themselves")
  func names() async throws {
    for name in [
      "X-HTTP-Method-Override", "x_http_method_override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL",
      "X-Rewrite-URL", "Authorization", "Cookie", "Host", "Connection", "Content-Length", "a b",
    ] {
      let result = try await GatewayProcess.run(
        ["check", "gateway.conf"],
        configuration: """
          listeners: [{ address: "127.0.0.1:0" }]
          trusted_proxies: { from: [10.0.0.0/8], fields: [X-Real-IP, "\(name)"] }
          routes: [{ path: /, auth: public, respond: { status: 200 } }]
          """)
      #expect(result.status != 0 && result.standardError.contains("gateway.conf:2:"), "\(name): \(result)")
      #expect(result.standardError.contains("'\(name)'"), "\(name): \(result.standardError)")
    }
  }

  @Test("T79: An address is read with a port, in brackets, in quotes, behind empty elements, from either form")
  func forms() async throws {
    let inside = try await Inside()
    let good = [
      "192.0.2.7", "192.0.2.7:51823", "[2001:db8::7]", "[2001:db8::7]:443", "2001:db8::7", "\"[2001:db8::7]:1\"",
    ]
    for text in good {
      #expect(try await inside.isLetIn(["X-Forwarded-For: \(text)"]), "\(text)")
      #expect(try await inside.isLetIn(["X-Forwarded-For: 203.0.113.9, \(text) ,, "]), "\(text)")
      #expect(try await inside.isLetIn(["X-Forwarded-For: \(text), 127.0.0.1:80, [::ffff:127.0.0.2]:1"]), "\(text)")
      #expect(try await inside.isLetIn(["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: \(text)"]), "\(text)")
    }
    for text in good.dropLast() + ["192.0.2.7:_port"] {
      for element in ["for=\"\(text)\"", "For=\"\(text)\";proto=https", "by=_me ; fOr=\"\(text)\"", "for=\(text)"] {
        #expect(try await inside.isLetIn(["Forwarded: \(element)"]), "\(element)")
        #expect(
          try await inside.isLetIn([
            "Forwarded: for=203.0.113.9;host=\"a,b\\\"\", \(element), for=127.0.0.1;proto=http,"
          ]),
          "\(element)")
        #expect(try await inside.isLetIn(["Forwarded: for=203.0.113.9", "Forwarded: \(element)"]), "\(element)")
      }
    }
    let both = ["X-Forwarded-For: 203.0.113.9, 192.0.2.7", "Forwarded: for=\"192.0.2.7:80\""]
    #expect(try await inside.isLetIn(both))
    for text in ["203.0.113.9", "203.0.113.9:51823", "[2001:db9::7]:443", "192.0.2.7, 203.0.113.9", "203.0.113.9 ,"] {
      #expect(try await !inside.isLetIn(["X-Forwarded-For: \(text)"]), "\(text)")
    }
    #expect(try await !inside.isLetIn(["Forwarded: for=203.0.113.9"]))
    #expect(try await !inside.isLetIn(["Forwarded: for=192.0.2.7, for=203.0.113.9"]))
    // The proxy itself, which names nobody.
    #expect(try await inside.isLetIn([]))
    let line = try await inside.gateway.waitForAccessLog(containing: "2001:db9::7")
    #expect(line.contains("\"client_ip\":\"2001:db9::7\""))
  }

  @Test("T79: An address that cannot be read opens nothing")
  func unreadable() async throws {
    let inside = try await Inside()
    let texts = [
      "unknown", "_hidden", "", ",", "localhost", "127.0.0.1:", "127.0.0.1:80:80", "127.0.0.1:65536", "127.0.0.1:a",
      "[127.0.0.1]", "[::1", "::1]", "[::1]x", "[::1]80", "127.1", "0127.0.0.1", "127.0.0.1/8", "127.0.0.1 x", "::",
      "[::]", "fe80::1%lo", "192.0.2.7;192.0.2.7", "unknown, 127.0.0.1", "_x:80, 127.0.0.1, [::ffff:127.0.0.1]",
    ]
    for text in texts { #expect(try await !inside.isLetIn(["X-Forwarded-For: \(text)"]), "\(text)") }
    let elements = [
      "", ",", "for=unknown", "for=_hidden", "proto=https", "for=", "for=\"\"", "for", "=127.0.0.1",
      "for=127.0.0.1;for=127.0.0.1",
      "for=\"127.0.0.1", "for=127.0.0.1\"", "for=\"127.0.0.1\"x", "for=127.0.0.1, proto=https", "for=127.0.0.1, for",
      "for=\"127.0.0\\.1\"", "for=127.0.0.1;x=\", for=127.0.0.1;y=z", "for=127.0.0.1;x=\", for=\"127.0.0.1\"",
      "for=127.0.0.1;x=\"\\", "for=127.0.0.1 proto=http", "127.0.0.1",
    ]
    for element in elements { #expect(try await !inside.isLetIn(["Forwarded: \(element)"]), "\(element)") }
    // One of the two is the client's own, whichever the proxy writes.
    #expect(try await !inside.isLetIn(["X-Forwarded-For: 203.0.113.9", "Forwarded: for=192.0.2.7"]))
    #expect(try await !inside.isLetIn(["X-Forwarded-For: 192.0.2.7", "Forwarded: for=203.0.113.9"]))
    #expect(try await !inside.isLetIn(["X-Forwarded-For: 192.0.2.7", "Forwarded: for=unknown"]))
    let lines = try await inside.gateway.waitForAccessLog(texts.count + elements.count + 3)
    for line in lines { #expect(line.contains("\"client_ip\":\"unknown\""), "\(line)") }
  }

  @Test("T79: Where the file names one of the two forms, that one counts alone, and the other does not go on")
  func chosen() async throws {
    let fields = ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=192.0.2.7"]
    let list = try await Inside(trust: "{ from: [127.0.0.0/8], fields: [X-Forwarded-For] }")
    #expect(try await !list.isLetIn(fields))
    #expect(try await list.isLetIn(["X-Forwarded-For: 192.0.2.7", "Forwarded: for=203.0.113.9"]))
    #expect(try await !list.gateway.get("/", fields).text.contains("Forwarded: for"))
    let forwarded = try await Inside(trust: "{ from: [127.0.0.0/8], fields: [Forwarded] }")
    #expect(try await forwarded.isLetIn(fields))
    let text = try await forwarded.gateway.get("/", fields).text
    #expect(text.contains("\r\nForwarded: for=192.0.2.7, for=127.0.0.1;proto=http\r\n"))
    #expect(text.contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"))
    let both = try await Inside(trust: "{ from: [127.0.0.0/8], fields: [Forwarded, X-Forwarded-For] }")
    #expect(try await !both.isLetIn(fields))
  }

  @Test("T79: Clients that cannot be read share a rate limit neither with the proxy nor with each other")
  func limits() async throws {
    let inside = try await Inside()
    for text in ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8:1::1]:5", "unknown", "_a", "_b"] {
      #expect(try await !inside.isLimited(["X-Forwarded-For: \(text)"]), "\(text)")
    }
    #expect(try await !inside.isLimited(["Forwarded: for=\"_c\""]))
    #expect(try await !inside.isLimited(["Forwarded: for=\"192.0.2.3:9\""]))
    #expect(try await !inside.isLimited(["Forwarded: for=\"_d"]))
    #expect(try await !inside.isLimited([]))
    // Each of them once more.
    for field in [
      "X-Forwarded-For: 192.0.2.1:2", "X-Forwarded-For: 192.0.2.2", "Forwarded: for=\"[2001:db8:1::2]\"",
      "X-Forwarded-For: unknown", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=_a", "Forwarded: for=192.0.2.3",
      "Forwarded: for=\"_anything", "X-Other: x",
    ] { #expect(try await inside.isLimited([field]), "\(field)") }
  }
}
