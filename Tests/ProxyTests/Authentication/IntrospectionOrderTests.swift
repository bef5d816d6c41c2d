// Several issuers that are asked, JWTs that are asked about as well, issuers without keys, how the gateway proves who
// it is, and answers that are signed.

import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Introspection, who is asked and how")
struct IntrospectionOrderTests {
  private let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let now = Bench.unixMilliseconds / 1000
  private static let inactive = ok("{\"active\":false}")

  private static func active(_ more: String = "", seconds: Int64 = 3600) -> String {
    ok("{\"active\":true,\"aud\":\"a\",\"sub\":\"bob\",\"exp\":\(now + seconds)\(more)}")
  }

  /// A configuration whose issuers `one` to `four` are asked at ports 1 to 4, and are all taken by the route.
  private func several(_ count: Int = 3, _ keys: String = "") throws -> Bench {
    let names = ["one", "two", "three", "four"].prefix(count)
    let issuers = names.enumerated().map { index, name in
      "\(name): { issuer: \"i-\(name)\", audiences: [a], discovery: false, introspection: { endpoint: "
        + "\"http://127.0.0.1:\(index + 1)/ask\", client_id: c, client_secret: s\(keys) } }"
    }
    return Bench(
      Snapshot(
        try configuration(
          """
          routes: [{ path: /*, auth: { issuers: [\(names.joined(separator: ", "))] }, upstream: app }]
          issuers: { \(issuers.joined(separator: ", ")) }
          """), generation: 1), keySets: names.map { _ in .empty })
  }

  private func bench(
    _ introspection: String, issuer more: String = "", change: (inout Introspection) -> Void = { _ in }
  ) throws -> Bench {
    let rules = "introspection: { endpoint: \"http://127.0.0.1:9/ask\", client_id: gate, \(introspection) }"
    var file = try configuration(
      "routes: [{ path: /*, auth: login, upstream: app, identity: { headers: { X-User: sub } } }]\n"
        + issuer.section.replacing("issuer: i,", with: "issuer: i, \(more)\(rules),"))
    if var introspection = file.issuers[0].introspection {
      change(&introspection)
      file.issuers[0].introspection = introspection
    }
    return Bench(Snapshot(file, generation: 1), keySets: [try issuer.keySet()])
  }

  private func asked(_ bench: Bench, at port: Int) -> [FakeSocket] {
    bench.servers.filter { $0.address == "127.0.0.1:\(port)" }
  }

  private func askedCount(_ bench: Bench, at port: Int = 9) -> Int {
    asked(bench, at: port).reduce(0) { $0 + $1.text.ranges(of: "POST ").count }
  }

  private func get(_ token: String) -> String { ProxyTests.get("/", "Authorization: Bearer \(token)") }

  /// What the client gets, once the app has answered where it was asked.
  private func result(_ bench: Bench, _ client: FakeSocket) throws -> String {
    if client.bytes.isEmpty {
      try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).send(ok("served"))
    }
    let text = client.take()
    return status(text) == 200 ? body(of: text) : code(text)
  }

  // MARK: Several issuers

  @Test("Issuers are asked in the order of the route until one knows the token, which is remembered as its own")
  func order() throws {
    let bench = try several()
    let client = bench.connect()
    client.send(get("t"))
    #expect([1, 2, 3].map { askedCount(bench, at: $0) } == [1, 0, 0])
    try #require(asked(bench, at: 1).last).send(Self.inactive)
    #expect([1, 2, 3].map { askedCount(bench, at: $0) } == [1, 1, 0])
    try #require(asked(bench, at: 2).last).send(Self.active())
    #expect(try result(bench, client) == "served")
    client.send(get("t"))
    #expect(try result(bench, client) == "served")
    #expect([1, 2, 3].map { askedCount(bench, at: $0) } == [1, 1, 0])
    #expect(bench.logLines.allSatisfy { $0.contains("\"issuer\":\"two\"") && $0.contains("\"auth_kind\":\"opaque\"") })
    bench.expectNothingHeld()
  }

  @Test("A token that none of them knows is refused, and each of them is asked once while that is remembered")
  func unknown() throws {
    let bench = try several()
    for _ in 0..<2 {
      let client = bench.connect()
      client.send(get("t"))
      for port in 1...3 where client.bytes.isEmpty { try #require(asked(bench, at: port).last).send(Self.inactive) }
      #expect(try result(bench, client) == "token_inactive")
      client.reset()
    }
    #expect([1, 2, 3].map { askedCount(bench, at: $0) } == [1, 1, 1])
    bench.expectNothingHeld()
  }

  @Test("T102 An issuer that does not answer is passed over, and is 503 only where no other knows the token")
  func silent() throws {
    let bench = try several(2)
    let client = bench.connect()
    client.send(get("t"))
    bench.wait(.milliseconds(1200))
    try #require(asked(bench, at: 2).last).send(Self.active())
    #expect(try result(bench, client) == "served")
    client.send(get("u"))
    bench.wait(.milliseconds(1200))
    try #require(asked(bench, at: 2).last).send(Self.inactive)
    #expect(try result(bench, client) == "introspection_unavailable")
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("What one of them says of a token is the last word, though another one might take it")
  func lastWord() throws {
    let bench = try several(2)
    let client = bench.connect()
    client.send(get("t"))
    try #require(asked(bench, at: 1).last).send(ok("{\"active\":true,\"aud\":\"other\",\"exp\":\(Self.now + 60)}"))
    #expect(try result(bench, client) == "audience_mismatch")
    #expect(askedCount(bench, at: 2) == 0)
    client.reset()
    bench.expectNothingHeld()
  }

  // MARK: JWTs

  @Test("for: all asks about a JWT once it has passed here, and its own claims are those of the caller")
  func all() throws {
    let bench = try bench("client_secret: s, for: all")
    let token = try issuer.token()
    let client = bench.connect()
    client.send(get(token))
    #expect(askedCount(bench) == 1)
    try #require(asked(bench, at: 9).last).send(ok("{\"active\":true}"))
    #expect(try result(bench, client) == "served")
    let upstream = try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).text
    #expect(values("X-User", in: upstream) == ["alice"])
    client.send(get(token))
    #expect(try result(bench, client) == "served" && askedCount(bench) == 1)
    bench.wait(.seconds(60))
    client.send(get(token))
    #expect(askedCount(bench) == 2)
    try #require(asked(bench, at: 9).last).send(Self.inactive)
    #expect(try result(bench, client) == "token_inactive")
    // One that does not pass here is nothing to ask about.
    for (bad, expected) in [
      (try issuer.token(seconds: -60), "token_expired"), (String(token.dropLast(4)) + "AAAA", "signature_invalid"),
    ] {
      client.send(get(bad))
      #expect(try result(bench, client) == expected && askedCount(bench) == 2)
    }
    #expect(bench.logLines.contains { $0.contains("\"auth_kind\":\"jwt\"") })
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("T102 An answer about a JWT has to agree with it, and a silent issuer lets none pass")
  func disagreement() throws {
    let bench = try bench("client_secret: s, for: all, cache: 0s, refusals: 0s")
    let token = try issuer.token()
    for (answer, expected) in [
      ("{\"active\":true,\"sub\":\"bob\"}", "claim_invalid"), ("{\"active\":true,\"iss\":\"j\"}", "issuer_unknown"),
      ("{\"active\":true,\"aud\":\"b\"}", "audience_mismatch"), ("{\"active\":true,\"exp\":1}", "token_expired"),
      ("{\"active\":true,\"exp\":\"soon\"}", "claim_invalid"), ("{\"active\":\"true\"}", "introspection_unavailable"),
      ("{\"active\":true,\"aud\":[\"a\"],\"sub\":\"alice\",\"iss\":\"i\"}", "served"),
    ] {
      let client = bench.connect()
      client.send(get(token))
      try #require(asked(bench, at: 9).last).send(ok(answer))
      #expect(try result(bench, client) == expected, "\(answer)")
      client.reset()
    }
    let client = bench.connect()
    client.send(get(token))
    bench.wait(.milliseconds(1200))
    #expect(code(client.take()) == "introspection_unavailable")
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("A JWT that was confirmed waits for its status list, and its issuer is not asked about it once more")
  func statusList() throws {
    for (unavailable, expected) in [("refuse", "revocation_unavailable"), ("pass", "served")] {
      let bench = try bench(
        "client_secret: s, for: all, cache: 0s",
        issuer: "revocation: { status_list: true, status_list_hosts: [h], unavailable: \(unavailable) }, ")
      let client = bench.connect()
      client.send(get(try issuer.token(#","status":{"status_list":{"idx":1,"uri":"https://h/1"}}"#)))
      #expect(bench.asked.isEmpty)
      try #require(asked(bench, at: 9).last).send(ok("{\"active\":true}"))
      #expect(bench.asked.map(\.credential) == [Array("https://h/1".utf8)] && client.bytes.isEmpty)
      try bench.answer(.statusList)
      #expect(try result(bench, client) == expected)
      #expect(askedCount(bench) == 1 && bench.asked.count == 1)
      client.reset()
      bench.expectNothingHeld()
    }
  }

  @Test("T27 A JWT that was confirmed is forgotten when its key is withdrawn, though the answer is still fresh")
  func withdrawn() throws {
    let bench = try bench("client_secret: s, for: all")
    let token = try issuer.token()
    let client = bench.connect()
    client.send(get(token))
    try #require(asked(bench, at: 9).last).send(ok("{\"active\":true}"))
    #expect(try result(bench, client) == "served")
    let other = try BenchIssuer(keyID: "key-2").keySet()
    bench.act { $0.install(other, issuer: 0) }
    client.send(get(token))
    try bench.answer(.keys(haveChanged: false))
    #expect(try result(bench, client) == "key_unknown")
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("An issuer without keys is asked about its JWTs, and about those of no other issuer")
  func keyless() throws {
    let bench = try several(2)
    let client = bench.connect()
    client.send(get(try issuer.token(issuer: "i-two")))
    #expect([1, 2].map { askedCount(bench, at: $0) } == [0, 1])
    try #require(asked(bench, at: 2).last).send(Self.active())
    #expect(try result(bench, client) == "served")
    client.send(get(try issuer.token(issuer: "i-two", keyID: "other")))
    try #require(asked(bench, at: 2).last).send(Self.inactive)
    #expect(try result(bench, client) == "token_inactive")
    client.send(get(try issuer.token(issuer: "stranger")))
    #expect(try result(bench, client) == "issuer_unknown")
    #expect([1, 2].map { askedCount(bench, at: $0) } == [0, 2])
    client.reset()
    bench.expectNothingHeld()
  }

  // MARK: The client

  @Test("With private_key each question has a statement of its own, that the key has signed for the issuer")
  func privateKey() throws {
    let key = try SigningKey.generate(.ellipticCurve(.p256))
    let pem = try #require(key.pem())
    let bench = try bench("client_secret: s") { $0.client = .key(PrivateKey(path: "client.pem", pem: pem)) }
    var seen: Set<String> = []
    for token in ["one", "two"] {
      let client = bench.connect()
      client.send(get(token))
      let server = try #require(asked(bench, at: 9).last)
      let form = body(of: server.text.components(from: "POST /ask"))
      #expect(values("Authorization", in: server.text).isEmpty)
      #expect(form.hasPrefix("token=\(token)&token_type_hint=access_token&client_id=gate&client_assertion_type="))
      #expect(form.contains("urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"))
      let statement = try #require(form.split(separator: "&").last { $0.hasPrefix("client_assertion=") })
      let parts = statement.dropFirst("client_assertion=".count).split(separator: ".")
      let decoded = Base64URL.decode(Array(parts[1].utf8).span)
      let payload = String(decoding: try #require(decoded), as: UTF8.self)
      #expect(payload.contains("\"iss\":\"gate\",\"sub\":\"gate\",\"aud\":\"i\""))
      #expect(payload.contains("\"exp\":\(Self.now + 60)"))
      #expect(seen.insert(payload).inserted)
      server.send(Self.active())
      #expect(try result(bench, client) == "served")
      client.reset()
    }
    #expect(!"\(PrivateKey(path: "client.pem", pem: pem))".contains("\(pem[30])"))
    bench.expectNothingHeld()
  }

  @Test("With a certificate the form has the client's name and no secret")
  func certificate() throws {
    let bench = try bench("client_secret: s") { $0.client = .certificate(CertificateFiles(certificate: "", key: "")) }
    let client = bench.connect()
    client.send(get("t"))
    let server = try #require(asked(bench, at: 9).last)
    #expect(body(of: server.text) == "token=t&token_type_hint=access_token&client_id=gate")
    #expect(values("Authorization", in: server.text).isEmpty)
    server.send(Self.active())
    #expect(try result(bench, client) == "served")
    client.reset()
    bench.expectNothingHeld()
  }

  // MARK: Signed answers

  private func signed(
    _ introspection: String = "{\"active\":true,\"aud\":\"a\",\"sub\":\"bob\",\"exp\":4102444800}",
    aud: String = "gate",
    iss: String = "i", type: String = "token-introspection+jwt", by signer: BenchIssuer? = nil, more: String = ""
  ) throws -> String {
    let signer = signer ?? issuer
    let payload =
      "{\"iss\":\"\(iss)\",\"aud\":\"\(aud)\",\"iat\":\(Self.now),\"token_introspection\":\(introspection)\(more)}"
    let token = encodeCompact(
      algorithm: .edDSA, header: "\"kid\":\"\(signer.keyID)\",\"typ\":\"\(type)\"", payload: payload, key: signer.key)
    return ok(String(decoding: try #require(token), as: UTF8.self))
  }

  @Test("With signed: true an answer counts that a key of the issuer has signed for this client (RFC 9701)")
  func signedAnswer() throws {
    let bench = try bench("client_secret: s, signed: true")
    let client = bench.connect()
    client.send(get("t"))
    let server = try #require(asked(bench, at: 9).last)
    #expect(values("Accept", in: server.text) == ["application/token-introspection+jwt"])
    server.send(try signed())
    #expect(try result(bench, client) == "served")
    let upstream = try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).text
    #expect(values("X-User", in: upstream) == ["bob"])
    client.send(get("u"))
    try #require(asked(bench, at: 9).last).send(try signed("{\"active\":false}"))
    #expect(try result(bench, client) == "token_inactive")
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("T102 A signed answer for another client, of another issuer, key or kind, or one without a signature is none")
  func forgedAnswer() throws {
    let other = try BenchIssuer()
    for answer in [
      try signed(aud: "other"), try signed(iss: "j"), try signed(type: "JWT"), try signed(type: "at+jwt"),
      try signed(by: other), try signed("\"text\""), try signed("{}"), try signed("{\"active\":\"true\"}"),
      try signed(more: ",\"exp\":1"), Self.active(), ok(try issuer.token()), ok(""), ok("a.b.c"),
    ] {
      let bench = try bench("client_secret: s, signed: true")
      let client = bench.connect()
      client.send(get("t"))
      try #require(asked(bench, at: 9).last).send(answer)
      #expect(try result(bench, client) == "introspection_unavailable", "\(answer)")
      client.reset()
      bench.expectNothingHeld()
    }
    // A key of the issuer that is new here is asked for, for the next answer.
    let bench = try bench("client_secret: s, signed: true")
    let client = bench.connect()
    client.send(get("t"))
    try #require(asked(bench, at: 9).last).send(try signed(by: try BenchIssuer(keyID: "key-2")))
    #expect(try result(bench, client) == "introspection_unavailable")
    #expect(bench.asked.contains { $0.question.source == .keySet(issuer: 0) })
  }

  // MARK: A storm

  @Test("T102 Ten thousand random tokens: no more calls than concurrency, bounded memory, and good tokens pass")
  func storm() throws {
    let bench = try bench("client_secret: s, concurrency: 16, refusals: 5s")
    let good = bench.connect()
    good.send(get("good"))
    try #require(asked(bench, at: 9).last).send(Self.active())
    #expect(try result(bench, good) == "served")
    var unavailable = 0
    var refused = 0
    for round in 0..<100 {
      let clients = (0..<100).map { _ in bench.connect() }
      for (number, client) in clients.enumerated() { client.send(get("random-\(round)-\(number)")) }
      #expect(bench.worker.introspections.callCount <= 16 && bench.worker.questions.count <= 16)
      // While all of that waits.
      good.send(get("good"))
      #expect(try result(bench, good) == "served")
      for server in asked(bench, at: 9) { server.send(Self.inactive) }
      for client in clients {
        switch code(client.take()) {
        case "introspection_unavailable": unavailable += 1
        case "token_inactive": refused += 1
        case let other: Issue.record("\(other)")
        }
        client.reset()
      }
      #expect(bench.worker.introspections.refusals.count <= RememberedRefusals.countMax)
    }
    #expect(refused == 1600 && unavailable == 8400)
    #expect(bench.worker.tokenCache.count == 1 && askedCount(bench) == 1601)
    good.reset()
    bench.expectNothingHeld()
  }
}

extension String {
  /// What begins with the last of these.
  fileprivate func components(from text: String) -> String {
    ranges(of: text).last.map { String(self[$0.lowerBound...]) } ?? self
  }
}
