// Known failures of gateways that begin in a configuration file, by number: each such file is refused, with its place.

import Testing

@testable import Configuration

@Suite("Threats")
struct ThreatTests {
  /// A whole file around a part of one issuer and a part of one route that asks for it.
  private func messages(issuer: String = "audiences: [a]", route: String = "", more: String = "") -> [String] {
    World.messages(
      """
      listeners: [{ address: 0.0.0.0:8080 }]
      issuers:
        login: { issuer: "https://login.example.com/", \(issuer) }
      upstreams:
        orders: { servers: ["10.0.0.1:9000"] }
      routes:
        - { path: /a, auth: login, upstream: orders\(route.isEmpty ? "" : ", " + route) }
      \(more)
      """)
  }

  private func isRefused(_ messages: [String], line: Int, _ part: String) -> Bool {
    messages.contains { $0.hasPrefix("gateway.conf:\(line):") && !$0.contains(": warning: ") && $0.contains(part) }
  }

  @Test("the file around the parts is good by itself") func base() {
    #expect(messages() == [])
  }

  @Test("T01 the algorithm none cannot be allowed, however it is written", arguments: ["none", "None", "nOnE"])
  func algorithmNone(name: String) {
    #expect(isRefused(messages(issuer: "audiences: [a], algorithms: [RS256, \(name)]"), line: 3, "never accepted"))
  }

  @Test("T02 a shared secret is never fetched from a URL, nor named beside keys that hold none") func sharedSecrets() {
    #expect(isRefused(messages(issuer: "audiences: [a], algorithms: [HS256]"), line: 3, "shared secret"))
    let asymmetric = "audiences: [a], algorithms: [HS256, ES256], jwks: keys/partner.json"
    #expect(isRefused(messages(issuer: asymmetric), line: 3, "has no shared secret"))
  }

  @Test("T03 an oct key serves only an issuer that names an HS algorithm") func octKey() {
    #expect(isRefused(messages(issuer: "audiences: [a], jwks: keys/secret.json"), line: 3, "no usable key"))
    #expect(messages(issuer: "audiences: [a], jwks: keys/secret.json, algorithms: [HS256]") == [])
  }

  @Test(
    "T25 keys over plain http are refused but from loopback, or where insecure is written",
    arguments: [
      ("http://keys.example.com/", false), ("http://10.0.0.1/", false), ("http://127.0.0.1.example.com/", false),
      ("http://localhost.example.com/", false), ("http://[::2]/", false), ("http://0.0.0.0/", false),
      ("http://127.1/", false),
      ("HTTP://keys.example.com/", false), ("http://127.0.0.1@keys.example.com/", false),
      ("http://127.0.0.1:9000/", true), ("http://localhost/", true), ("http://[::1]:80/", true),
      ("https://keys.example.com/", true),
    ])
  func plainHTTP(url: String, isGood: Bool) {
    let messages = messages(issuer: "audiences: [a], jwks: \"\(url)\"")
    #expect(messages.isEmpty == isGood, "\(messages)")
    #expect(isGood || isRefused(messages, line: 3, "http"))
  }

  @Test("T25 insecure: true is what lets plain http through") func insecure() {
    #expect(messages(issuer: "audiences: [a], jwks: \"http://keys.example.com/\", insecure: true") == [])
    #expect(!messages(issuer: "audiences: [a], jwks: \"http://keys.example.com/\", insecure: false").isEmpty)
  }

  @Test(
    "T33 aliases of one identity header are one header",
    arguments: ["X_User", "X.User", "x-USER", "x_user"])
  func aliases(name: String) {
    #expect(
      isRefused(messages(route: "identity: { headers: { X-User: sub, \(name): email } }"), line: 7, "the same header"))
    let set = "identity: { headers: { X-User: sub } }, request_headers: { set: { \(name): me } }"
    #expect(isRefused(messages(route: set), line: 7, "identity header"))
  }

  @Test(
    "T34 fields of one connection are never identity, set or removed",
    arguments: ["Connection", "TE", "keep-alive", "Upgrade"])
  func hopByHop(name: String) {
    #expect(isRefused(messages(route: "identity: { headers: { \(name): sub } }"), line: 7, "one connection"))
    #expect(isRefused(messages(route: "request_headers: { set: { \(name): a } }"), line: 7, "one connection"))
    #expect(isRefused(messages(route: "response_headers: { remove: [\(name)] }"), line: 7, "one connection"))
  }

  @Test("T38 nobody is trusted by default, and trusting everyone is said aloud") func trust() {
    let file =
      "listeners: [{ address: \"0.0.0.0:80\" }]\nroutes: [{ path: /a, auth: public, respond: { status: 200 } }]\n"
    #expect(World.configuration(file)?.trustedProxies == [])
    #expect(World.messages(file + "trusted_proxies: [\"::/0\"]").first?.contains("warning") == true)
  }

  @Test("T38 a PROXY header is believed from named peers only, or from clients of a Unix socket") func proxyProtocol() {
    func file(_ address: String, _ trusted: String) -> String {
      "listeners: [{ address: \"\(address)\", proxy_protocol: true }]\ntrusted_proxies: \(trusted)\n"
        + "routes: [{ path: /a, auth: public, respond: { status: 200 } }]\n"
    }
    #expect(isRefused(World.messages(file("0.0.0.0:80", "[]")), line: 1, "requires 'trusted_proxies'"))
    #expect(World.messages(file("0.0.0.0:80", "[10.0.0.0/8]")) == [])
    #expect(World.messages(file("unix:/run/a.sock", "[]")) == [])
    #expect(World.configuration(file("unix:/run/a.sock", "[]"))?.listeners.first?.mode == 0o660)
  }

  @Test(
    "T39 T40 T42 a path that no normalised request equals cannot be written",
    arguments: [
      "//a", "/a/../b", "/%61", "/a%2fb", "/a%5cb", "/a;x", "/a%252f", "/a*", "/*/a", "/a?b", "/a#b", "/..", "/a%00",
    ])
  func paths(path: String) {
    let text =
      "listeners: [{ address: \"0.0.0.0:80\" }]\n"
      + "routes: [{ path: '\(path)', auth: public, respond: { status: 200 } }]\n"
    #expect(World.messages(text).contains { $0.hasPrefix("gateway.conf:2:18: ") })
  }

  @Test("T46 a route without auth does not exist") func closedByDefault() {
    let text = "listeners: [{ address: \"0.0.0.0:80\" }]\nroutes: [{ path: /a, respond: { status: 200 } }]\n"
    #expect(World.messages(text).contains { $0.contains("a route has no 'auth'") })
    for word in [
      "none", "false", "null", "''", "Public", "PUBLIC", "[]", "{}", "{ issuers: [] }", "{ optional: true }",
    ] {
      #expect(World.configuration(text.replacing("/a,", with: "/a, auth: \(word),")) == nil, "\(word)")
    }
  }

  @Test("T52 no line break comes into a header from the file, a variable or a secret") func headerInjection() {
    #expect(
      isRefused(
        messages(route: "request_headers: { set: { X-A: \"a\\r\\nX-B: c\" } }"), line: 7, "not a valid header value"))
    #expect(
      isRefused(messages(route: "response_headers: { add: { X-A: \"a\\nb\" } }"), line: 7, "not a valid header value"))
    #expect(
      isRefused(
        messages(route: "request_headers: { set: { X-A: \"file:/run/secrets/two-lines\" } }"), line: 7,
        "not a valid header value"))
    #expect(
      isRefused(
        messages(route: "request_headers: { set: { \"X-A\\r\\nX-B\": c } }"), line: 7, "not a valid header name"))
  }

  @Test("T59 messages show neither secrets from files nor long values of variables") func secrets() {
    let file = messages(route: "request_headers: { set: { X-A: \"file:/run/secrets/two-lines\" } }")
    #expect(file.count == 1 && !file[0].contains("one"))
    let variable = messages(route: "timeout: \"${API_KEY}\"")
    #expect(variable.count == 1 && !variable[0].contains("secret") && variable[0].contains("${API_KEY}"), "\(variable)")
    let key = messages(issuer: "audiences: [a], jwks: { keys: [{ kty: oct, k: c2VjcmV0LXNlY3JldA }] }")
    #expect(!key.isEmpty && !key.joined().contains("c2Vj"))
  }

  @Test("T60 an issuer without keys, or without a word on audiences, is refused") func keysAndAudiences() {
    #expect(isRefused(messages(issuer: "jwks: keys/partner.json"), line: 3, "has no 'audiences'"))
    #expect(isRefused(messages(issuer: "audiences:"), line: 3, "'audiences' has no value"))
    #expect(
      messages(issuer: "audiences: []").allSatisfy { $0.contains("3:") && $0.contains("warning: with 'audiences") })
    #expect(isRefused(messages(issuer: "audiences: [a], discovery: false"), line: 3, "has no keys"))
    #expect(isRefused(messages(issuer: "audiences: [a], jwks: { keys: [] }"), line: 3, "has no key"))
    #expect(isRefused(messages(issuer: "audiences: [a], jwks: keys/missing.json"), line: 3, "cannot be read"))
    #expect(isRefused(messages(issuer: "audiences: [a], jwks: keys/broken.json"), line: 3, "is not JSON"))
  }

  @Test("T60 a header is either identity or the client's word") func identityOrClient() {
    let identity = "identity: { headers: { X-User: sub }, payload: X-Payload }"
    for rule in ["set: { x-user: a }", "add: { X_User: a }", "remove: [X.User]", "set: { X-PAYLOAD: a }"] {
      #expect(isRefused(messages(route: "\(identity), request_headers: { \(rule) }"), line: 7, "identity header"))
    }
    // On line 8 another route, which waits for a client to send what is identity on line 7.
    let match = "  - { path: /b, auth: public, headers: { X-User: admin }, upstream: orders }"
    #expect(isRefused(messages(route: identity, more: match), line: 8, "no route can match on it"))
    let source = "  - { path: /b, auth: { issuers: [login], tokens_from: [\"header:x_payload\"] }, upstream: orders }"
    #expect(isRefused(messages(route: identity, more: source), line: 8, "no token can arrive in it"))
  }
}
