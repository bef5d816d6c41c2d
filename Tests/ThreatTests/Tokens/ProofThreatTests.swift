// A token that is bound to its sender is of no use to anybody else: T101.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Proofs", .timeLimit(.minutes(10))) struct ProofThreatTests {
  private static let window = ["leeway: 5s", "dpop: { window: 20s }"]

  private func start(
    _ key: TestKey, auth: String = "{ issuers: [login] }", rules: [String] = Self.window, top: String = "workers: 2",
    more: String = ""
  ) async throws -> TokenDoor {
    try await TokenDoor.start(
      jwks: [key.jwk()], rules: rules, auth: auth, route: ["identity: { headers: { X-User: sub } }"], more: more,
      top: top)
  }

  /// `passed`, or the code.
  private func verdict(_ response: RawResponse) -> String { response.code ?? (response.status == 200 ? "passed" : "?") }

  @Test("T101: A token that is bound to a key passes with a proof by that key, and in no other way")
  func schemes() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(
      key, auth: "{ issuers: [login], tokens_from: [authorization, \"cookie:sid\", \"query:access_token\", basic] }")
    let token = TokenDoor.token(key, client.claims)
    let plain = TokenDoor.token(key)
    func proof() -> String { "DPoP: \(client.make(of: token))" }
    let basic = Data(":\(token)".utf8).base64EncodedString()
    let cases: [(fields: [String], path: String, code: String)] = [
      (["Authorization: DPoP \(token)", proof()], "/door", "passed"),
      (["authorization: dpOP   \(token)", "dpop: \(client.make(of: token))"], "/door", "passed"),
      (["Authorization: Bearer \(token)"], "/door", "proof_missing"),
      (["Authorization: Bearer \(token)", proof()], "/door", "proof_missing"),
      (["Authorization: DPoP \(token)"], "/door", "proof_missing"),
      (["Authorization: DPoP \(token)", "DPoP:"], "/door", "proof_invalid"),
      (["Authorization: DPoP \(token)", proof(), proof()], "/door", "proof_invalid"),
      (["Authorization: DPoP \(token)", "DPoP: \(client.make(of: token)), x"], "/door", "proof_invalid"),
      (["Cookie: sid=\(token)", proof()], "/door", "proof_missing"),
      ([proof()], "/door?access_token=\(token)", "proof_missing"),
      (["Authorization: Basic \(basic)", proof()], "/door", "proof_missing"),
      // Of another type than the scheme says.
      (["Authorization: DPoP \(plain)", "DPoP: \(client.make(of: plain))"], "/door", "proof_invalid"),
      (["Authorization: DPoP \(plain)"], "/door", "proof_invalid"),
      (["Authorization: Bearer \(plain)"], "/door", "passed"),
      (["Authorization: DPoP"], "/door", "token_missing"), ([proof()], "/door", "token_missing"),
      (["Authorization: DPoP\t\(token)", proof()], "/door", "token_malformed"),
      (["Authorization: DPoP \(token)", proof(), "Cookie: sid=\(token)"], "/door", "token_ambiguous"),
      (["Authorization: DPoP \(token)A", proof()], "/door", "signature_invalid"),
    ]
    for (fields, path, code) in cases {
      #expect(
        verdict(try await door.gateway.get(path, fields)) == code, "\(fields.map { $0.prefix(24) }) \(path.prefix(20))")
    }
    for request in door.upstream.requests {
      let text = latin1(request.head.bytes).lowercased()
      #expect(!text.contains("dpop") && !text.contains("authorization"), "\(text)")
    }
    for line in door.gateway.accessLog + door.gateway.standardError {
      #expect(!line.contains(token.suffix(40)) && !line.contains("eyJ0eXAiOiJkcG9w"), "\(line)")
    }
  }

  @Test("T101: A proof of another method, URL, time, token or key is refused, and so is one that was changed")
  func foreign() async throws {
    let (key, client, thief) = (try TestKey(.es256), try TestProof(), try TestProof())
    let door = try await start(key)
    let token = TokenDoor.token(key, client.claims)
    let other = TokenDoor.token(key, client.claims.merging(["sub": "bob"]) { $1 })
    let now = unixNow()
    let proofs: [(name: String, proof: String)] = [
      ("method", client.make("POST", of: token)), ("case of the method", client.make("get", of: token)),
      ("path", client.make(of: token, ["htu": "http://test/doors"])),
      ("host", client.make(of: token, ["htu": "http://test.example/door"])),
      ("scheme", client.make(of: token, ["htu": "https://test/door"])),
      ("port", client.make(of: token, ["htu": "http://test:8080/door"])),
      ("user", client.make(of: token, ["htu": "http://a@test/door"])),
      ("no URL", client.make(of: token, ["htu": "/door"])),
      ("WebSocket", client.make(of: token, ["htu": "ws://test/door"])),
      ("token", client.make(of: other)), ("no ath", client.make(of: token, ["ath": .absent])),
      ("key", thief.make(of: token)), ("signature", client.make(of: token, signedBy: thief.key)),
      ("old", client.make(of: token, ["iat": .integer(now - 40)])),
      ("of the future", client.make(of: token, ["iat": .integer(now + 60)])),
      ("no jti", client.make(of: token, ["jti": .absent])), ("none", client.make(of: token, header: ["alg": "none"])),
      ("private key", client.make(of: token, header: ["jwk": .raw("{\(client.key.numbers),\"d\":\"AAAA\"}")])),
      ("typ", client.make(of: token, header: ["typ": "JWT"])), ("token as proof", token),
    ]
    for (name, proof) in proofs {
      let response = try await door.gateway.get("/door", ["Authorization: DPoP \(token)", "DPoP: \(proof)"])
      #expect(response.status == 401 && response.code == "proof_invalid", "\(name): \(response.code ?? "passed")")
      let challenge = response["WWW-Authenticate"] ?? ""
      #expect(challenge.hasPrefix("DPoP realm=\"catraca\", algs=\"") && challenge.contains("ES256"), "\(challenge)")
      #expect(challenge.hasSuffix("error=\"invalid_dpop_proof\""), "\(challenge)")
    }
    // What of the URL does not count.
    for url in [
      "http://test/door?a=b#c", "HTTP://TEST/door", "http://test:80/door", "http://test/./x/../door",
      "http://test/%64oor",
      "http://test./door",
    ] {
      let fields = client.fields(of: token, ["htu": .string(url)])
      #expect(verdict(try await door.gateway.get("/door?q=1", fields)) == "passed", "\(url)")
    }
    #expect(door.upstream.requests.count == 6)
  }

  @Test("T101: Each member of a proof that is changed after it was signed makes it worthless")
  func mutations() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key)
    let token = TokenDoor.token(key, client.claims)
    let proof = client.make(of: token)
    var generator = SystemRandomNumberGenerator()
    let connection = try await door.gateway.connect()
    for index in proof.utf8.indices where Int.random(in: 0..<6, using: &generator) == 0 {
      var changed = Array(proof.utf8)
      let position = proof.utf8.distance(from: proof.utf8.startIndex, to: index)
      changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "Q") : UInt8(ascii: "A")
      let text = String(decoding: changed, as: UTF8.self)
      let response = try await connection.get("/door", ["Authorization: DPoP \(token)", "DPoP: \(text)"])
      #expect(response.code == "proof_invalid", "byte \(position)")
    }
    // None of them has used it up.
    let good = ["Authorization: DPoP \(token)", "DPoP: \(proof)"]
    #expect(verdict(try await connection.get("/door", good)) == "passed")
    #expect(verdict(try await connection.get("/door", good)) == "proof_replayed")
  }

  @Test("T101: Two workers that are shown one proof at the same time let one of them through")
  func workers() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key, top: "workers: 4")
    let token = TokenDoor.token(key, client.claims)
    var connections: [RawClient] = []
    // The kernel spreads connections over the workers by their ports.
    for _ in 0..<16 { connections.append(try await door.gateway.connect()) }
    for _ in 0..<8 {
      let fields = client.fields(of: token)
      let verdicts = try await withThrowingTaskGroup(of: String.self) { group in
        for connection in connections {
          group.addTask { verdict(try await connection.get("/door", fields)) }
        }
        return try await group.reduce(into: [String]()) { $0.append($1) }
      }
      #expect(verdicts.count { $0 == "passed" } == 1, "\(verdicts)")
      #expect(verdicts.count { $0 == "proof_replayed" } == 15, "\(verdicts)")
    }
  }

  @Test("T101: A reload, also one that changes the memory for proofs, makes no proof fresh")
  func reload() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key)
    let token = TokenDoor.token(key, client.claims)
    let fields = client.fields(of: token)
    #expect(verdict(try await door.gateway.get("/door", fields)) == "passed")
    let file = TokenDoor.configuration(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json", more: Self.window),
      auth: "{ issuers: [login] }", top: "workers: 2\nlimits: { replay_memory: 64KiB }", upstream: door.upstream)
    try door.gateway.write(configuration: file)
    #expect(try await door.gateway.reload().status == 200)
    #expect(verdict(try await door.gateway.get("/door", fields)) == "proof_replayed")
    #expect(verdict(try await door.gateway.get("/door", client.fields(of: token))) == "passed")
  }

  @Test("T101: Where the memory for proofs is full, proofs are refused with 503, and none is forgotten")
  func full() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key, rules: ["dpop: { window: 10m }"], top: "limits: { replay_memory: 4KiB }")
    let token = TokenDoor.token(key, client.claims)
    let connection = try await door.gateway.connect()
    let first = client.fields(of: token)
    #expect(verdict(try await connection.get("/door", first)) == "passed")
    var refused: RawResponse?
    for _ in 0..<600 where refused == nil {
      let response = try await connection.get("/door", client.fields(of: token))
      if response.status != 200 { refused = response }
    }
    #expect(refused?.status == 503 && refused?.code == "proofs_unavailable" && refused?["Retry-After"] == "1")
    #expect(verdict(try await connection.get("/door", first)) == "proof_replayed")
  }

  @Test("T101: cnf of a kind that is not known is for nobody, whatever the route demands", arguments: ["none", "any"])
  func unknown(_ demand: String) async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key, auth: "{ issuers: [login], proof: \(demand) }")
    let bindings: [JSONValue] = [
      [:], nil, "x", ["kid": "a"], ["jkt": "a"], ["jwk": ["kty": "EC"]],
      ["jkt": .string(client.thumbprint), "kid": "a"],
    ]
    for binding in bindings {
      let token = TokenDoor.token(key, ["cnf": binding])
      for fields in [["Authorization: Bearer \(token)"], client.fields(of: token)] {
        let response = try await door.gateway.get("/door", fields)
        #expect(response.code == "proof_invalid", "\(binding.text)")
      }
    }
    #expect(door.upstream.requests.isEmpty)
  }
}
