// Routes that take clients of some addresses only.

import Testing

@testable import Proxy

@Suite("Clients of a route")
struct ClientAddressTests {
  private static let routes = """
    trusted_proxies: [10.1.0.0/16]
    issuers: { login: { issuer: i, audiences: [a], jwks: "https://i.example/keys" } }
    routes:
      - { path: /in/*, auth: login, clients: [192.0.2.0/24, "2001:db8::/32", "!192.0.2.9", "!2001:db8:bad::/48"], upstream: app }
      - { path: /out/*, auth: login, clients: ["!203.0.113.0/24"], upstream: app }
      - { path: /one, auth: public, clients: [192.0.2.7], respond: { status: 200, body: one } }
      - { path: /page, auth: public, clients: [192.0.2.7], cors: { origins: ["https://a.example"] }, upstream: app }

    """

  /// The status, or the code of a 403.
  private func outcome(_ bench: Bench, from peer: String, _ request: String) -> String {
    let client = bench.connect(from: peer)
    client.send(request)
    defer { client.reset() }
    return status(client.text) == 403 ? code(client.text) : "\(status(client.text))"
  }

  @Test("A client passes by an address that is listed and not denied, before anybody looks at its token")
  func addresses() throws {
    let bench = try Bench(Self.routes)
    let no = "client_not_allowed"
    let cases = [
      ("192.0.2.1", "/in/a", "401"), ("192.0.3.1", "/in/a", no), ("192.0.2.9", "/in/a", no),
      ("2001:db8:1::1", "/in/a", "401"), ("2001:db8:bad::1", "/in/a", no), ("2001:db9::1", "/in/a", no),
      ("::ffff:192.0.2.1", "/in/a", "401"), ("203.0.113.5", "/out/a", no), ("203.0.114.5", "/out/a", "401"),
      ("2001:db9::1", "/out/a", "401"), ("192.0.2.7", "/one", "200"), ("192.0.2.8", "/one", no),
    ]
    for (peer, path, expected) in cases {
      #expect(outcome(bench, from: peer, get(path)) == expected, "\(peer) \(path)")
    }
    #expect(bench.logLines.count { $0.contains("\"reason\":\"client_not_allowed\"") } == 6)
    bench.expectNothingHeld()
  }

  @Test("The address is the one that a trusted proxy reports, and one that cannot be known is not allowed")
  func proxies() throws {
    let bench = try Bench(Self.routes)
    let no = "client_not_allowed"
    let cases = [
      ("10.1.0.1", "192.0.2.1", "/in/a", "401"), ("10.1.0.1", "203.0.113.9, 192.0.2.1", "/in/a", "401"),
      ("10.1.0.1", "192.0.2.1, 203.0.113.9", "/in/a", no), ("203.0.113.9", "192.0.2.1", "/in/a", no),
      ("10.1.0.1", "unknown", "/in/a", no), ("10.1.0.1", "unknown", "/out/a", no), ("10.1.0.1", "_x", "/out/a", no),
      ("10.1.0.1", "192.0.2.1, 10.1.0.2", "/in/a", "401"), ("10.1.0.1", "192.0.2.1, 10.1.0.2", "/out/a", "401"),
    ]
    for (peer, forwarded, path, expected) in cases {
      let request = get(path, "X-Forwarded-For: \(forwarded)")
      #expect(outcome(bench, from: peer, request) == expected, "\(peer) \(forwarded)")
    }
    // A peer on a Unix socket has no address of its own.
    #expect(outcome(bench, from: "::", get("/out/a")) == no)
    #expect(outcome(bench, from: "::", get("/in/a", "X-Forwarded-For: 192.0.2.1")) == "401")
  }

  @Test("The rule holds for preflights, for paths that are redirected, and for handshakes")
  func otherAnswers() throws {
    let bench = try Bench(Self.routes)
    let preflight =
      "OPTIONS /page HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
    #expect(outcome(bench, from: "192.0.2.7", preflight) == "204")
    #expect(outcome(bench, from: "192.0.2.8", preflight) == "client_not_allowed")
    #expect(outcome(bench, from: "192.0.2.7", get("/x/../one")) == "308")
    #expect(outcome(bench, from: "192.0.2.8", get("/x/../one")) == "client_not_allowed")
    let client = bench.connect(from: "192.0.2.8")
    client.send(get("/page", "Origin: https://a.example"))
    #expect(values("access-control-allow-origin", in: client.text) == ["https://a.example"])
  }
}
