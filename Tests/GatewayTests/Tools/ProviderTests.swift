// The page about providers: each token on it passes with the file above it, and with the mistakes that the page names
// it does not. The tokens are signed with keys of the test.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Identity providers", .timeLimit(.minutes(10)))
struct ProviderTests {
  struct Provider: Sendable, CustomStringConvertible {
    /// Its heading on the page.
    var heading: String
    var algorithm = SignatureAlgorithm.rs256
    var request = "GET /orders/1"
    /// A line that the upstream gets.
    var field: String
    var mistakes: [Mistake]

    var description: String { heading }
  }

  struct Mistake: Sendable {
    /// Nil for a token that is no JWT.
    var old: String?
    var new = ""
    var code: String

    init(_ old: String, _ new: String, _ code: String) { (self.old, self.new, self.code) = (old, new, code) }
    private init() { code = "token_malformed" }

    static let opaque = Mistake()
  }

  private static let providers = [
    Provider(
      heading: "Keycloak", request: "GET /admin/users", field: "X-User: ada",
      mistakes: [
        Mistake("\"shop-api\", \"account\"", "\"account\"", "audience_mismatch"),
        Mistake("https://sso.example.com", "http://keycloak:8080", "issuer_unknown"),
        Mistake("\"shop-admin\"", "\"reader\"", "claim_mismatch"),
      ]),
    Provider(
      heading: "Auth0", field: "X-User: auth0|64b7e0f2c1a9d3",
      mistakes: [Mistake("auth0.com/\",\n  \"aud\"", "auth0.com\",\n  \"aud\"", "issuer_unknown"), .opaque]),
    Provider(
      heading: "Microsoft Entra ID", field: "X-User: ada@example.com",
      mistakes: [
        Mistake(
          "login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
          "sts.windows.net/11111111-2222-3333-4444-555555555555/", "issuer_unknown"),
        Mistake("66666666-7777-8888-9999-000000000000", "00000003-0000-0000-c000-000000000000", "audience_mismatch"),
      ]),
    Provider(
      heading: "Microsoft Entra ID, version 1", field: "X-User: ada@example.com",
      mistakes: [
        Mistake(
          "sts.windows.net/11111111-2222-3333-4444-555555555555/",
          "login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "issuer_unknown"),
        Mistake("api://66666666", "66666666", "audience_mismatch"),
      ]),
    Provider(
      heading: "Microsoft Entra ID, several tenants", field: "X-Tenant: 22222222-3333-4444-5555-666666666666",
      mistakes: [
        Mistake(
          "22222222-3333-4444-5555-666666666666", "33333333-4444-5555-6666-777777777777", "issuer_unknown"),
        Mistake(
          "\"tid\": \"22222222-3333-4444-5555-666666666666\"", "\"tid\": \"11111111-2222-3333-4444-555555555555\"",
          "issuer_unknown"),
      ]),
    Provider(
      heading: "Okta", field: "X-User: ada@example.com",
      mistakes: [
        Mistake("/oauth2/default", "", "issuer_unknown"), Mistake(", \"orders.read\"", "", "scope_missing"),
      ]),
    Provider(
      heading: "Amazon Cognito", field: "X-User: ada",
      mistakes: [
        Mistake("\"token_use\": \"access\"", "\"token_use\": \"id\"", "claim_mismatch"),
        Mistake("1h57kf5cpq17m0eml12EXAMPLE", "another", "claim_mismatch"),
      ]),
    Provider(
      heading: "Google", field: "X-User: jobs@shop.iam.gserviceaccount.com",
      mistakes: [Mistake("jobs@shop.iam.gserviceaccount.com", "anybody@gmail.com", "claim_mismatch"), .opaque]),
    Provider(
      heading: "Firebase", field: "X-User: ada@example.com",
      mistakes: [
        Mistake("my-project", "another-project", "issuer_unknown"),
        Mistake("\"sign_in_provider\": \"password\"", "\"sign_in_provider\": \"anonymous\"", "claim_mismatch"),
      ]),
    Provider(
      heading: "Supabase", algorithm: .es256, field: "X-User: ada@example.com",
      mistakes: [Mistake("\"is_anonymous\": false", "\"is_anonymous\": true", "claim_mismatch")]),
    Provider(
      heading: "GitHub Actions", request: "POST /deploy", field: "X-Repository: acme/shop",
      mistakes: [
        Mistake("\"sub\": \"repo:acme/shop:", "\"sub\": \"repo:mallory/shop:", "claim_mismatch"),
        Mistake("\"deploy.example.com\"", "\"https://github.com/acme\"", "audience_mismatch"),
      ]),
    Provider(
      heading: "Kubernetes", field: "X-Namespace: shop",
      mistakes: [
        Mistake("[\"orders-api\"]", "[\"https://kubernetes.default.svc.cluster.local\"]", "audience_mismatch"),
        Mistake("system:serviceaccount:shop:web", "system:serviceaccount:shop:other", "claim_mismatch"),
      ]),
    Provider(
      heading: "Glewlwyd", field: "X-User: aB3dEexample",
      mistakes: [
        Mistake("\"https://orders.example.com\"", "\"orders.read openid\"", "audience_mismatch"),
        Mistake("\"scope\": \"orders.read openid\"", "\"scope\": \"openid\"", "scope_missing"),
      ]),
  ]

  private static let page: String = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return (try? String(contentsOf: folder.appending(path: "docs/PROVIDERS.md"), encoding: .utf8)) ?? ""
  }()

  /// The first block of a language under a heading.
  private static func block(_ language: String, under heading: String) throws -> String {
    let section = try #require(page.components(separatedBy: "\n## ").first { $0.hasPrefix(heading + "\n") })
    let parts = section.components(separatedBy: "```\(language)\n")
    let block = try #require(parts.dropFirst().first)
    return block.components(separatedBy: "```")[0]
  }

  /// The file, with keys of the test in place of the provider's.
  private static func file(under heading: String, upstream: TestUpstream) throws -> String {
    let text = try block("yaml", under: heading).split(separator: "\n").filter { line in
      !["jwks:", "ca:", "token:"].contains { line.drop { $0 == " " }.hasPrefix($0) }
    }.joined(separator: "\n")
    return text.replacing(#/algorithms: \[[A-Z0-9, ]+\](?<end> })?/#) { match in
      let own = match.output.0.dropLast(match.output.end?.count ?? 0)
      return match.output.end == nil ? "\(own)\n    jwks: keys.json" : "\(own), jwks: keys.json }"
    } + "\nupstreams: { orders: { servers: [\"\(upstream.address)\"] } }\n"
  }

  @Test(
    "A token of the page passes with its file, and each mistake has the code that the page says", arguments: providers)
  func passes(_ provider: Provider) async throws {
    let key = try TestKey(provider.algorithm)
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      try Self.file(under: provider.heading, upstream: upstream), files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    let claims = try Self.block("json", under: provider.heading)
    let request = provider.request.split(separator: " ").map(String.init)
    func ask(_ claims: String?, algorithm: String? = nil) async throws -> RawResponse {
      var token = "ya29.a0Aexample"
      if let claims {
        let now = unixNow()
        let header =
          "{\"alg\":\"\(algorithm ?? provider.algorithm.rawValue)\",\"kid\":\"\(key.id ?? "")\",\"typ\":\"JWT\"}"
        token = key.sign(header: header, payload: "{\"iat\":\(now),\"exp\":\(now + 300)," + claims.dropFirst())
      }
      return try await gateway.get(
        request[1], method: request[0], ["Authorization: Bearer \(token)", "Content-Length: 0"])
    }
    let response = try await ask(claims)
    #expect(response.status == 200 && response.text.contains(provider.field + "\r\n"), "\(response.text)")
    for mistake in provider.mistakes {
      let changed = mistake.old.map { claims.replacing($0, with: mistake.new) }
      #expect(changed != claims)
      #expect(try await ask(changed).code == mistake.code, "\(mistake)")
      #expect(Self.page.contains(mistake.code))
    }
    #expect(try await ask(claims, algorithm: "HS256").code == "algorithm_not_allowed")
  }
}
