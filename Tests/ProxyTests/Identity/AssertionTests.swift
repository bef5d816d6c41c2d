// What the gateway signs about a caller, on its way to the upstream: never a client's, one for each audience, and no
// request without it.

import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Assertions")
struct AssertionFieldTests {
  let issuer: BenchIssuer
  let signer: AssertionSigner

  init() throws {
    issuer = try BenchIssuer()
    signer = AssertionSigner(
      [AssertionSigner.Key(try .generate(.ellipticCurve(.p256)))], algorithm: .es256, type: "JWT")
  }

  private var text: String {
    """
    assertions: { internal: { issuer: gw, keys: keys, claims: [sub, org.id] } }
    routes:
    - { path: /a, upstream: app, auth: login, identity: { assertion: { name: internal, audience: a } } }
    - { path: /aa, upstream: app, auth: login, identity: { assertion: { name: internal, audience: a, header: X-Pass } } }
    - { path: /b, upstream: app, auth: login, identity: { assertion: { name: internal, audience: b } } }
    - path: /any
      upstream: app
      auth: { issuers: [login], optional: true }
      identity: { assertion: { name: internal, audience: a } }
    - path: /shown
      auth: login
      identity: { assertion: { name: internal, audience: a } }
      respond: { status: 204, identity: true }
    - { path: /public, upstream: app, auth: public }
    - { path: /keys, auth: public, respond: { key_set: internal } }
    \(issuer.section)
    """
  }

  private func bench(_ signers: [AssertionSigner?]) throws -> Bench {
    Bench(Snapshot(try configuration(text), generation: 1, signers: signers), keySets: [try issuer.keySet()])
  }

  private func sent(_ bench: Bench, _ path: String, _ fields: String...) throws -> String {
    let client = bench.connect()
    defer { client.reset() }
    let count = bench.servers.count
    client.send((["GET \(path) HTTP/1.1", "Host: h"] + fields).map { $0 + "\r\n" }.joined() + "\r\n")
    #expect(bench.servers.count == count + 1, "\(client.text)")
    return try bench.server().text
  }

  private func bearer(_ claims: String = "") throws -> String { "Authorization: Bearer \(try issuer.token(claims))" }

  private func claims(_ assertion: String) -> String {
    let parts = assertion.split(separator: ".")
    guard parts.count == 3, let bytes = Base64URL.decode(Array(parts[1].utf8).span) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("T32 T33 A client's own is dropped in every spelling on every route, and the gateway's is there once")
  func spellings() throws {
    let bench = try bench([signer])
    let forged = ["X-Assertion", "x_assertion", "X.ASSERTION", "X-Pass", "X_pass"].map { "\($0): forged" }
    for path in ["/a", "/aa", "/b", "/any", "/public"] {
      let client = bench.connect()
      let token = path == "/any" || path == "/public" ? [] : [try bearer()]
      client.send((["GET \(path) HTTP/1.1", "Host: h"] + forged + token).map { $0 + "\r\n" }.joined() + "\r\n")
      let sent = try bench.server().text
      #expect(!sent.contains("forged"), "\(sent)")
      #expect(values("X-Assertion", in: sent).count == (path == "/a" || path == "/b" ? 1 : 0))
      #expect(values("X-Pass", in: sent).count == (path == "/aa" ? 1 : 0))
      client.reset()
    }
  }

  @Test("A caller has one for each audience until half of its time is over, whatever route and header")
  func remembered() throws {
    let bench = try bench([signer])
    let token = try bearer(",\"org\":{\"id\":7}")
    let a = try #require(values("X-Assertion", in: try sent(bench, "/a", token)).first)
    #expect(
      claims(a).contains("\"iss\":\"gw\",\"aud\":\"a\"") && claims(a).hasSuffix("\"sub\":\"alice\",\"org\":{\"id\":7}}")
    )
    #expect(values("X-Assertion", in: try sent(bench, "/a", token)) == [a])
    #expect(values("X-Pass", in: try sent(bench, "/aa", token)) == [a])
    let b = try #require(values("X-Assertion", in: try sent(bench, "/b", token)).first)
    #expect(claims(b).contains("\"aud\":\"b\""))
    // Another caller has another one.
    let other = try #require(values("X-Assertion", in: try sent(bench, "/a", try bearer(",\"jti\":\"2\""))).first)
    #expect(other != a)
    bench.wait(.seconds(31))
    let renewed = try #require(values("X-Assertion", in: try sent(bench, "/a", token)).first)
    #expect(renewed != a && claims(renewed).contains("\"exp\":\(Bench.unixMilliseconds / 1000 + 31 + 60)"))
  }

  @Test("An anonymous caller has none, and a request that cannot have one goes to nobody")
  func absent() throws {
    let bench = try bench([signer])
    #expect(values("X-Assertion", in: try sent(bench, "/any")).isEmpty)
    let without = try self.bench([])
    for path in ["/a", "/aa", "/keys"] {
      let client = without.connect()
      client.send(get(path, try bearer()))
      #expect(client.text.hasPrefix("HTTP/1.1 503") && code(client.text) == "assertion_unavailable")
      client.reset()
    }
    #expect(without.servers.isEmpty)
  }

  @Test("A request that waits while a reload takes the signer away goes on with what it began with")
  func reload() throws {
    let late = try BenchIssuer(keyID: "late")
    let bench = try bench([signer])
    let client = bench.connect()
    client.send(get("/a", "Authorization: Bearer \(try late.token())"))
    #expect(bench.servers.isEmpty && client.bytes.isEmpty)
    let keySet = try late.keySet()
    try bench.reload(
      "routes: [{ path: /*, upstream: app, auth: login }]\n\(issuer.section)", keySets: [keySet])
    try bench.answer(.keys(haveChanged: true))
    #expect(values("X-Assertion", in: try bench.server().text).count == 1)
    // And the next one by what counts now.
    #expect(values("X-Assertion", in: try sent(bench, "/a", "Authorization: Bearer \(try late.token())")).isEmpty)
  }

  @Test("A proxy that asks this gateway gets it with the answer, and a refusal where it cannot be signed")
  func shown() throws {
    let bench = try bench([signer])
    let client = bench.connect()
    client.send(get("/shown", try bearer()))
    #expect(client.text.hasPrefix("HTTP/1.1 204"))
    #expect(claims(try #require(values("X-Assertion", in: client.text).first)).contains("\"sub\":\"alice\""))
    let without = try self.bench([nil])
    let other = without.connect()
    other.send(get("/shown", try bearer()))
    #expect(code(other.text) == "assertion_unavailable")
    #expect(bench.servers.isEmpty && without.servers.isEmpty)
  }

  @Test("The public keys are answered with the time that they may be kept, and no private one")
  func keySet() throws {
    let bench = try bench([signer])
    let client = bench.connect()
    client.send(get("/keys"))
    #expect(values("Content-Type", in: client.text) == ["application/jwk-set+json"])
    #expect(values("Cache-Control", in: client.text) == ["public, max-age=60"])
    let body = body(of: client.text)
    #expect(body == String(decoding: signer.keySet, as: UTF8.self))
    #expect(body.contains("\"kty\":\"EC\"") && !body.contains("\"d\""))
  }
}
