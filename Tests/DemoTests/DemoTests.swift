// The demo's issuer and echo, asked over sockets, and its tokens checked as the gateway checks them.

import ControlPlane
import JSON
import NIOPosix
import Testing
import Tokens

@testable import Demo

private let group = MultiThreadedEventLoopGroup.singleton

@Suite(.timeLimit(.minutes(10))) struct DemoIssuerTests {
  private let fetcher = DocumentFetcher(group: group)

  private func get(_ url: String) async throws -> String {
    String(decoding: try await fetcher.get(url: url, deadline: .seconds(60)).body, as: UTF8.self)
  }

  /// What the gateway would say of a token, with the keys that the issuer serves now.
  private func verdict(_ token: String, _ issuer: DemoIssuer) async throws -> String {
    let keys = try await fetcher.get(url: issuer.url + "/keys", deadline: .seconds(60)).body
    let set = try KeySet.parse(keys.span, algorithms: SignatureAlgorithm.asymmetric)
    let rules = IssuerRules(IssuerPolicy(issuer: issuer.url, audiences: [issuer.audience]))
    let compact = Array(token.utf8.prefix { $0 != 0x0A })
    let verifier = TokenVerifier()
    switch verifier.verify(compact.span, candidates: [0], issuers: [rules], keySets: [set], now: Int64(time(nil))) {
    case .caller: return "verified"
    case .refused(let reason, _, _): return reason.rawValue
    case .ask, .confirm: return "key_unknown"
    }
  }

  @Test("Discovery names the issuer and leads to its keys")
  func discovery() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let document = try JSONDocument(Array(try await get(issuer.url + "/.well-known/openid-configuration").utf8))
    func text(_ name: String) -> String? {
      document.member(name, of: document.root).flatMap { document.string(at: $0) }
    }
    #expect(text("issuer") == issuer.url)
    #expect(text("jwks_uri") == issuer.url + "/keys")
    let keys = try await fetcher.get(url: issuer.url + "/keys", deadline: .seconds(60)).body
    #expect(try KeySet.parse(keys.span, algorithms: SignatureAlgorithm.asymmetric).keys.count == 3)
    #expect(!String(decoding: keys, as: UTF8.self).contains("\"d\""))
    await issuer.stop()
  }

  @Test("Tokens pass by default in every algorithm, and fail as they are asked to")
  func tokens() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    for (query, expected) in [
      ("", "verified"), ("?alg=ES256", "verified"), ("?alg=EdDSA", "verified"),
      ("?sub=%22%0A&aud=a&aud=demo-api", "verified"),
      ("?expires_in=-3600", "token_expired"), ("?forged=true", "signature_invalid"),
      ("?aud=other", "audience_mismatch"),
      ("?forged=true&alg=ES256", "signature_invalid"), ("?email=a&email=b&admin=true&exp=99999999999", "verified"),
      ("?expires_in=9223372036854775807", "claim_invalid"),
    ] {
      let token = try await get(issuer.url + "/token" + query)
      #expect(try await verdict(token, issuer) == expected, "\(query)")
    }
    await #expect(throws: FetchError.status(400)) { _ = try await get(issuer.url + "/token?alg=none") }
    await issuer.stop()
  }

  @Test("After a rotation old tokens pass once more, unless the old keys are dropped")
  func rotation() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    let first = try await get(issuer.url + "/token")
    _ = try await get(issuer.url + "/rotate")
    #expect(try await verdict(first, issuer) == "verified")
    let second = try await get(issuer.url + "/token")
    #expect(try await verdict(second, issuer) == "verified")
    _ = try await get(issuer.url + "/rotate?drop=true")
    #expect(try await verdict(first, issuer) == "key_unknown")
    #expect(try await verdict(second, issuer) == "key_unknown")
    await issuer.stop()
  }

  @Test("A port that is taken is an error, not a wait")
  func portTaken() async throws {
    let issuer = try await DemoIssuer.start(group: group)
    await #expect(throws: (any Error).self) { _ = try await DemoIssuer.start(group: group, port: issuer.port) }
    await issuer.stop()
  }
}

@Suite struct EchoUpstreamTests {
  @Test("What was received is shown as JSON, repeated fields as a list, short text bodies in full")
  func describe() throws {
    let request = SmallRequest(
      method: "POST", target: "/a?b=\"", fields: [("Host", "h"), ("X-A", "1"), ("x-a", "2\u{1}")],
      body: Array("hällo".utf8))
    let text = EchoUpstream.describe(request)
    _ = try JSONDocument(text)
    #expect(
      String(decoding: text, as: UTF8.self) == """
        {
          "method": "POST",
          "target": "/a?b=\\"",
          "headers": {
            "Host": "h",
            "X-A": ["1", "2\\u0001"]
          },
          "body_bytes": 6,
          "body": "hällo"
        }

        """)
  }

  @Test("Bodies that are long or no text are only counted")
  func bodies() throws {
    for body in [[UInt8](repeating: 0x61, count: 4097), [0xFF, 0xFE]] {
      let document = try JSONDocument(EchoUpstream.describe(SmallRequest(method: "PUT", target: "/", body: body)))
      #expect(document.member("body", of: document.root) == nil)
      let count = document.member("body_bytes", of: document.root).flatMap { document.integer(at: $0) }
      #expect(count == Int64(body.count))
    }
  }

  @Test("It answers over a socket")
  func socket() async throws {
    let echo = try await EchoUpstream.start(group: group)
    let body = try await DocumentFetcher(group: group).get(
      url: "http://127.0.0.1:\(echo.port)/x//y", deadline: .seconds(60)
    ).body
    #expect(String(decoding: body, as: UTF8.self).contains("\"target\": \"/x//y\""))
    await echo.stop()
  }
}
