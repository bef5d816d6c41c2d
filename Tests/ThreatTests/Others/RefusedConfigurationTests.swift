// Configurations that open a door by mistake do not start: T60.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RefusedConfigurationTests {
  /// A file that would start, but for what is put into it.
  private func file(
    issuer: String = "issuer: https://a.example/, audiences: [api]", route: String = "auth: login", more: String = ""
  ) -> String {
    """
    listeners: [{ address: "127.0.0.1:0" }]
    admin: { address: "127.0.0.1:0" }
    issuers: { login: { \(issuer) } }
    upstreams: { u: { servers: ["127.0.0.1:9"] } }
    routes:
      - { path: /, \(route), upstream: u }
    \(more)
    """
  }

  @Test(
    "T60 Without keys, audiences or a word on who may pass, with plain http, or with an identity header that the client may set, nothing starts"
  )
  func refusals() async throws {
    let cases: [(name: String, file: String, place: String, word: String)] = [
      ("no audience", file(issuer: "issuer: https://a.example/"), "3:", "audiences"),
      ("no keys", file(issuer: "issuer: partner, audiences: [api]"), "3:", "jwks"),
      (
        "no keys, said so", file(issuer: "issuer: https://a.example/, audiences: [api], discovery: false"), "3:", "jwks"
      ),
      ("empty set", file(issuer: "issuer: a, audiences: [api], jwks: { keys: [] }"), "3:", "key"),
      ("http keys", file(issuer: "issuer: a, audiences: [api], jwks: \"http://idp.example/k\""), "3:", "http"),
      ("http issuer", file(issuer: "issuer: http://a.example/, audiences: [api]"), "3:", "http"),
      ("alg none", file(issuer: "issuer: https://a.example/, audiences: [api], algorithms: [none]"), "3:", "none"),
      (
        "no algorithms", file(issuer: "issuer: https://a.example/, audiences: [api], algorithms: []"), "3:",
        "algorithms"
      ),
      (
        "HS by network",
        file(issuer: "issuer: https://a.example/, audiences: [api], algorithms: [HS256]"), "3:", "HS256"
      ),
      ("no auth", file(route: "name: x"), "6:", "auth"),
      ("unknown issuer", file(route: "auth: logins"), "6:", "login"),
      ("issuer called public", file().replacing("login: {", with: "public: {"), "3:", "public"),
      (
        "identity and request header",
        file(route: "auth: login, identity: { headers: { X-User: sub } }, request_headers: { set: { X_User: a } }"),
        "6:",
        "X_User"
      ),
      (
        "identity and token source",
        file(
          route:
            "auth: { issuers: [login], tokens_from: [\"header:X-User\"] }, identity: { headers: { X-User: sub } }"),
        "6:", "X-User"
      ),
      (
        "identity and route header",
        file(route: "auth: login, headers: { X-User: a }, identity: { headers: { X-User: sub } }"), "6:", "X-User"
      ),
      (
        "identity on a public route", file(route: "auth: public, identity: { headers: { X-User: sub } }"), "6:",
        "public"
      ),
      ("identity in Host", file(route: "auth: login, identity: { headers: { Host: sub } }"), "6:", "Host"),
      ("a typing error", file(route: "auth: login, identiy: { headers: { X-User: sub } }"), "6:", "identity"),
      ("admin on a public listener", file().replacing("127.0.0.1:0\" }", with: "127.0.0.1:8\" }"), "2:", "admin"),
    ]
    for item in cases {
      let (status, output, errors) = try await GatewayProcess.run(["run"], configuration: item.file)
      #expect(status == 1, "\(item.name)")
      #expect(errors.contains("gateway.conf:\(item.place)"), "\(item.name): \(errors)")
      #expect(errors.contains(item.word), "\(item.name): \(errors)")
      #expect(!errors.contains("listening") && output.isEmpty, "\(item.name): \(errors) \(output)")
    }
    // What was changed above is what was wrong.
    #expect(try await GatewayProcess.run(["check"], configuration: file()).status == 0)
  }
}
