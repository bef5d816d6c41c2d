// Scripts behind servers that fold names as CGI does: none receives an identity that is not in the token.

import TestSupport
import Testing

@Suite("Scripts behind CGI", .timeLimit(.minutes(10)))
struct CGITests {
  /// All bytes of a token that are no letters and no digits (RFC 9110 §5.6.2).
  private static let marks = Array("!#$%&'*+-.^_`|~").map(String.init)

  /// Both hyphens in each pair of marks, doubled ones, the cases.
  private static let spellings: [String] = marks.flatMap { first in
    marks.flatMap { second in
      let name = "X\(first)User\(second)Id"
      return first == second
        ? [
          name, name.lowercased(), name.uppercased(), "X\(first)\(first)User\(second)Id",
          "X\(first)User\(second)\(second)Id",
        ]
        : [name]
    }
  }

  /// What an untrusted peer may not set, as a script would see it.
  private static let forged = [
    "X-Auth-Level", "X-Jwt-Payload", "X-Real-IP", "X-Original-URL", "X-HTTP-Method-Override", "X-Forwarded-User",
    "Proxy",
    "Client-Cert",
  ].flatMap { name in marks.map { name.replacing("-", with: $0) } }

  @Test(
    "T76 No spelling of a name reaches a script as the identity's variable: lighttpd, PHP-FPM, Apache",
    .enabled(if: CGIServer.allCases.contains(where: \.isInstalled), "none of these servers is installed"),
    arguments: CGIServer.allCases.filter(\.isInstalled))
  func spellings(_ server: CGIServer) async throws {
    let script = try await RunningCGIServer.start(server)
    let issuer = try await TestIssuer.start()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      upstreams: { service: { servers: ["127.0.0.1:\(script.port)"] } }
      routes:
        - path: /*
          auth: { issuers: [login], optional: true }
          identity: { headers: { X-User-Id: sub, X-Role: role }, strip: [X-Auth-*], payload: X-Jwt-Payload }
          upstream: service
      """)
    try await gateway.waitUntilReady()

    // The script sees fields at all, and where it is known to fold them, folded ones.
    let direct = try await RawClient.connect(port: script.port)
    let name = server == .lighttpd || server == .lighttpdToPHP ? "X~User~Id" : "X-User-Id"
    #expect(try await direct.get(script.path, ["\(name): admin"]).text.contains("HTTP_X_USER_ID=admin"))

    let client = try await gateway.connect()
    let fields = (Self.spellings + Self.forged).map { "\($0): forged" }
    for start in stride(from: 0, to: fields.count, by: 50) {
      let some = Array(fields.dropFirst(start).prefix(50))
      for token in [nil, issuer.token()] {
        let response = try await client.get(
          script.path, some + (token.map { ["Authorization: Bearer \($0)"] } ?? []))
        #expect(response.status == 200)
        let lines = response.text.split(separator: "\n")
        let identity = lines.filter { $0.hasPrefix("HTTP_X_USER_ID=") }
        #expect(identity == (token == nil ? [] : ["HTTP_X_USER_ID=alice"]))
        let names = Self.forged.map { "HTTP_" + $0.uppercased().map { $0.isLetter ? String($0) : "_" }.joined() + "=" }
        let told = lines.filter { line in line.hasSuffix("=forged") && names.contains { line.hasPrefix($0) } }
        #expect(told == [], "\(server.rawValue)")
      }
    }
  }
}
