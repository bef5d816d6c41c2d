// Ways to write a path so that a rule does not see it: the path that is matched is the path that is forwarded, or none
// is.

import TestSupport
import Testing

@Suite("Path evasion")
struct PathEvasionTests {
  enum Outcome: Equatable {
    case refused
    /// The rule for `/admin` was found: 401.
    case guarded
    /// Not normal: the client is redirected to the normal path, and nothing goes on.
    case redirected(String)
    case forwarded(String)
  }

  /// `/admin` requires a token, everything else is open.
  struct Target {
    let gateway: GatewayProcess
    let upstream: TestUpstream
    let issuer: TestIssuer

    init() async throws {
      upstream = try await TestUpstream.echo()
      issuer = try await TestIssuer.start()
      gateway = try await GatewayProcess.start(
        """
        issuers:
        \(issuer.configuration())
        upstreams:
          service: { servers: ["\(upstream.address)"] }
        routes:
          - { path: "/admin/*", auth: login, upstream: service }
          - { path: "/*", auth: public, upstream: service }
        """)
      try await gateway.waitUntilReady()
    }

    func expect(
      _ target: [UInt8], _ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      let shown = latin1(target).debugDescription
      let client = try await gateway.connect()
      try await client.send(Array("GET ".utf8) + target + Array(" HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
      let response = try await client.receiveResponse()
      switch outcome {
      case .refused: #expect(response.status == 400, "\(shown)", sourceLocation: sourceLocation)
      case .guarded:
        #expect(response.status == 401, "\(shown)", sourceLocation: sourceLocation)
        #expect(response.code == "token_missing", "\(shown)", sourceLocation: sourceLocation)
      case .redirected(let location):
        #expect(response.status == 308, "\(shown)", sourceLocation: sourceLocation)
        #expect(response["Location"] == location, "\(shown)", sourceLocation: sourceLocation)
      case .forwarded(let forwarded):
        #expect(response.status == 200, "\(shown)", sourceLocation: sourceLocation)
        #expect(
          response.text.hasPrefix("GET \(forwarded) HTTP/1.1\r\n"), "\(shown): \(response.text.prefix(60))",
          sourceLocation: sourceLocation)
      }
      #expect(try await gateway.get("/next").status == 200, "after \(shown)", sourceLocation: sourceLocation)
    }

    func expect(
      _ cases: [(String, Outcome)], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      for (target, outcome) in cases {
        try await expect(Array(target.utf8), outcome, sourceLocation: sourceLocation)
      }
    }
  }

  @Test("T39 Slashes, dots and encodings lead to the rule, or to 400, never round it")
  func normalForms() async throws {
    let target = try await Target()
    try await target.expect([
      ("/admin", .guarded), ("/%61dmin", .guarded), ("/%61%64%6D%69%6e", .guarded), ("/admin?x", .guarded),
      ("/admin/?x", .guarded), ("//admin", .redirected("/admin")), ("///admin//", .redirected("/admin/")),
      ("/./admin", .redirected("/admin")), ("/admin/.", .redirected("/admin/")), ("/x/../admin", .redirected("/admin")),
      ("/x/./../admin/y", .redirected("/admin/y")), ("/x//../admin", .redirected("/admin")),
      ("/%2e/admin", .redirected("/admin")), ("/x/%2e%2e/admin", .redirected("/admin")),
      ("/x/.%2E/admin", .redirected("/admin")), ("/x/%2e./admin", .redirected("/admin")),
      ("/admin/x/..", .redirected("/admin/")), ("/admin/../public", .redirected("/public")),
      ("/a//b", .redirected("/a/b")),
      ("/..", .refused), ("/../admin", .refused), ("/%2e%2e/admin", .refused), ("/x/../../admin", .refused),
      ("/x%2fadmin", .refused), ("/%2fadmin", .refused), ("/x%2F..%2Fadmin", .refused), ("/admin%2f", .refused),
      ("/x%5cadmin", .refused), ("/x%5C..%5Cadmin", .refused), ("/\\admin", .refused), ("/x\\..\\admin", .refused),
      ("/%00admin", .refused), ("/admin%00", .refused), ("/admin%00.html", .refused),
      ("/%252e%252e/admin", .refused), ("/x/%252e%252e/admin", .refused), ("/x/.%252e/admin", .refused),
      ("/x%252fadmin", .refused), ("/x%255cadmin", .refused), ("/%25%32%66admin", .refused), ("/%2525", .refused),
      ("/%2500", .refused), ("/%", .refused),
      ("/%6", .refused),
      ("/%zz", .refused), ("/%u0061dmin", .refused), ("/%09admin", .refused), ("/%7f", .refused),
      ("/a/b/", .forwarded("/a/b/")),
      ("/ADMIN", .forwarded("/ADMIN")), ("/administrator", .forwarded("/administrator")), ("/...", .forwarded("/...")),
      ("/a%25", .forwarded("/a%25")), ("/a?../admin", .forwarded("/a?../admin")),
      ("/a?/../admin%2f", .forwarded("/a?/../admin%2f")), ("/My%2520File.txt", .forwarded("/My%2520File.txt")),
    ])
    #expect(!target.upstream.requests.contains { $0.target.contains("admin/") || $0.target.contains("//") })
  }

  @Test("T40 Parameters of segments neither hide a segment from its rule nor make a way up")
  func parameters() async throws {
    let target = try await Target()
    try await target.expect([
      ("/admin;x", .guarded), ("/admin;x=1/y", .guarded), ("/admin;/x", .guarded),
      ("/x/../admin;x", .redirected("/admin;x")), ("/x;y/../admin", .redirected("/admin")), ("/;x/admin", .refused),
      ("/..;/admin", .refused), ("/x/..;/admin", .refused),
      ("/x/..;a=b/admin", .refused), ("/.;/admin", .refused), ("/x/%2e%2e;/admin", .refused),
      ("/x/..%3b/admin", .refused),
      ("/a;x=1/b", .forwarded("/a;x=1/b")),
    ])
  }

  @Test("T41 A fragment has no place in a request: 400")
  func fragments() async throws {
    let target = try await Target()
    try await target.expect([
      ("/public#/../admin", .refused), ("/#", .refused), ("/admin#x", .refused), ("/a?b#c", .refused),
      ("/a%23b", .forwarded("/a%23b")),
      ("http://test/a#b", .refused), ("http://test#b", .refused),
    ])
  }

  @Test("T42 An asterisk in a path is a letter like any other")
  func asterisks() async throws {
    let target = try await Target()
    try await target.expect([
      ("/*", .forwarded("/*")), ("/adm*n", .forwarded("/adm*n")), ("/admin/*", .guarded),
      ("/*/admin", .forwarded("/*/admin")),
      ("/{id}", .forwarded("/%7Bid%7D")), ("*", .refused),
    ])
  }

  @Test("T43 Bytes beyond ASCII open no rule")
  func obsText() async throws {
    let target = try await Target()
    for bytes in [[0x2F, 0xE9], [0x2F, 0xFF, 0xFE], [0x2F, 0x61, 0x80, 0x2F, 0x62]] as [[UInt8]] {
      try await target.expect(bytes, .refused)
    }
    try await target.expect(Array("/admin/".utf8) + [0xC3, 0xA9], .refused)
    try await target.expect([
      ("/%E9", .refused), ("/admin/%ff", .refused), ("/admin/%c3%a9", .guarded), ("/%c3%a9", .forwarded("/%C3%A9")),
    ])
    let fields = try await target.gateway.connect()
    try await fields.send(
      Array("GET /admin HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ".utf8) + [0xFF, 0xFE] + Array("\r\n\r\n".utf8))
    #expect(try await fields.receiveResponse().status == 401)
  }

  @Test("T44 Targets of other forms are routed by what they name, or refused")
  func forms() async throws {
    let target = try await Target()
    try await target.expect([
      ("http://test/admin", .guarded), ("HTTP://test/admin", .guarded), ("http://test//admin", .redirected("/admin")),
      ("http://test/x/../admin", .redirected("/admin")), ("http://test", .forwarded("/")),
      ("http://test?q", .forwarded("/?q")),
      ("http://other/admin", .refused), ("http://test:80/admin", .refused), ("http://user@test/admin", .refused),
      ("http:///admin", .refused), ("http:/admin", .refused), ("http:admin", .refused), ("ftp://test/admin", .refused),
      ("admin", .refused), ("test:80", .refused), ("?admin", .refused), ("./admin", .refused), ("../admin", .refused),
    ])
    for (request, statuses) in [
      ("CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", [501]),
      ("CONNECT /admin HTTP/1.1\r\nHost: test\r\n\r\n", [501]),
      ("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", [200]),
      ("OPTIONS http://test HTTP/1.1\r\nHost: test\r\n\r\n", [200]),
      ("GET HTTP/1.1\r\nHost: test\r\n\r\n", [400]), ("GET  HTTP/1.1\r\nHost: test\r\n\r\n", [400]),
    ] {
      let response = try await target.gateway.exchange(request)
      #expect(statuses.contains(response.status), "\(request.debugDescription)")
    }
    #expect(!target.upstream.requests.contains { $0.target.contains("admin") })
  }
}
