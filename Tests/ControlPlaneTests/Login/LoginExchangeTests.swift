// A login's messages, one by one: discovery, the attempt in its cookie, the answer, the token end point.

import Bytes
import Cryptography
import JSON
import Testing
import Tokens

@testable import ControlPlane

private let issuer = "https://idp.test"

private func metadata(
  _ more: String = "", authorize: String = "https://idp.test/authorize", token: String = "https://idp.test/token"
) throws(RefreshFailure) -> ProviderMetadata {
  let body =
    "{\"issuer\":\"\(issuer)\",\"authorization_endpoint\":\"\(authorize)\",\"token_endpoint\":\"\(token)\"\(more)}"
  guard let rules = Discovery(issuer: issuer, isInsecureAllowed: false) else { throw .notJSON }
  return try ProviderMetadata(Array(body.utf8), issuer: issuer, rules: rules)
}

@Suite("What a provider says of itself")
struct ProviderMetadataTests {
  @Test("End points are read, and what is not there is not supposed")
  func read() throws {
    let plain = try metadata()
    #expect(plain.authorizationEndpoint.text == "https://idp.test/authorize")
    #expect(plain.endSessionEndpoint == nil && !plain.namesIssuerInAnswers && plain.authenticationMethods == nil)
    let full = try metadata(
      ",\"end_session_endpoint\":\"https://idp.test/end\",\"authorization_response_iss_parameter_supported\":true"
        + ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]"
        + ",\"code_challenge_methods_supported\":[\"plain\",\"S256\"]")
    #expect(full.endSessionEndpoint?.text == "https://idp.test/end" && full.namesIssuerInAnswers)
    #expect(full.authenticationMethods == ["client_secret_post"])
  }

  @Test("Places that are missing, are no URLs, or lead elsewhere are refused")
  func refused() {
    #expect(throws: RefreshFailure.urlNotAllowed("http: http://idp.test/token")) {
      try metadata(token: "http://idp.test/token")
    }
    #expect(throws: RefreshFailure.urlNotAllowed("a private address: https://10.0.0.1/a")) {
      try metadata(authorize: "https://10.0.0.1/a")
    }
    #expect(throws: RefreshFailure.discoveryInvalid("token_endpoint is not an http(s) URL")) {
      try metadata(token: "/token")
    }
    #expect(throws: RefreshFailure.discoveryInvalid("no end_session_endpoint")) {
      try metadata(",\"end_session_endpoint\":7")
    }
    #expect(throws: RefreshFailure.discoveryInvalid("code_challenge_methods_supported has no S256")) {
      try metadata(",\"code_challenge_methods_supported\":[\"plain\"]")
    }
  }
}

@Suite("A login under way")
struct LoginAttemptTests {
  @Test("An attempt is the same when it comes back, and no two are alike")
  func roundTrip() throws {
    let attempt = try #require(LoginAttempt(returnTo: "/a?b=\"c\"", contexts: ["phr", "urn:x"], now: 1000))
    #expect(LoginAttempt(encoded: attempt.encoded) == attempt)
    #expect(attempt.state.utf8.count == 22 && attempt.nonce.utf8.count == 22 && attempt.verifier.utf8.count == 43)
    let other = try #require(LoginAttempt(returnTo: "/", now: 1000))
    #expect(attempt.state != other.state && attempt.nonce != other.nonce && attempt.verifier != other.verifier)
    for text in ["", "{}", "[]", "{\"state\":\"a\"}"] { #expect(LoginAttempt(encoded: Array(text.utf8)) == nil) }
  }

  @Test("The challenge of RFC 7636 is that of its verifier")
  func challenge() throws {
    // Appendix B.
    let text = """
      {"state":"s","nonce":"n","verifier":"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk","return_to":"/","began_at":1}
      """
    let attempt = try #require(LoginAttempt(encoded: Array(text.utf8)))
    #expect(attempt.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
  }

  private func code(
    _ query: String, _ attempt: LoginAttempt, now: Int64 = 1000, _ more: String = ""
  ) throws -> String {
    do {
      let answer = try LoginAnswer(SmallRequest.parameters(query))
      return try answer.code(for: attempt, of: try metadata(more), now: now)
    } catch let fault as LoginFault {
      return fault.code
    }
  }

  @Test("T107 A code counts with the state of this browser's own login, in its time, from its provider")
  func answers() throws {
    let attempt = try #require(LoginAttempt(returnTo: "/", now: 1000))
    let state = "state=\(attempt.state)"
    let names = ",\"authorization_response_iss_parameter_supported\":true"
    #expect(try code("\(state)&code=c", attempt) == "c")
    #expect(try code("\(state)&code=c", attempt, now: 1599) == "c")
    #expect(try code("\(state)&code=c", attempt, now: 1600) == "login_unknown")
    #expect(try code("\(state)&code=c", attempt, now: 900) == "login_unknown")
    #expect(try code("state=AAAAAAAAAAAAAAAAAAAAAA&code=c", attempt) == "login_unknown")
    #expect(try code("\(state)&code=c&iss=https%3A%2F%2Fidp.test", attempt, names) == "c")
    #expect(try code("\(state)&code=c&iss=https%3A%2F%2Fidp.test", attempt) == "c")
    #expect(try code("\(state)&code=c&iss=https%3A%2F%2Fevil.test", attempt) == "login_issuer_mismatch")
    #expect(try code("\(state)&code=c", attempt, names) == "login_issuer_mismatch")
    #expect(try code("\(state)&error=access_denied&iss=https%3A%2F%2Fevil.test", attempt) == "login_issuer_mismatch")
    #expect(try code("\(state)&error=access_denied", attempt) == "login_refused")
    for query in [
      "", "code=c", state, "\(state)&code=", "\(state)&code=c&code=d", "\(state)&\(state)&code=c",
      "\(state)&code=c&error=e", "\(state)&code=\(String(repeating: "c", count: 2049))",
    ] {
      #expect(try code(query, attempt) == "login_answer_malformed", "\(query)")
    }
  }

  private func code(_ query: String, _ attempt: LoginAttempt, _ more: String) throws -> String {
    try code(query, attempt, now: 1000, more)
  }

  @Test("What a provider calls its errors is cut to a word")
  func words() throws {
    #expect(LoginFault.word("access_denied") == "access_denied")
    #expect(LoginFault.word("<b>\r\na é") == "ba")
    #expect(LoginFault.word(String(repeating: "a", count: 100)).utf8.count == 64)
  }
}

@Suite("The token end point")
struct TokenGrantTests {
  private func grant(_ body: String, status: Int = 200) -> String {
    do throws(LoginFault) {
      let grant = try TokenGrant(Document(status: status, body: Array(body.utf8)))
      let lifetime = grant.expiresInSeconds.map { "\($0)" } ?? "-"
      return "\(grant.accessToken) \(grant.idToken ?? "-") \(grant.refreshToken ?? "-") \(lifetime)"
    } catch {
      switch error {
      case .refused(let word), .providerUnavailable(let word), .tokenInvalid(let word): return "\(error.code) \(word)"
      default: return error.code
      }
    }
  }

  @Test("Tokens are read, with what is left out and the number that is written as text")
  func tokens() {
    #expect(grant("{\"access_token\":\"a\",\"token_type\":\"Bearer\"}") == "a - - -")
    #expect(
      grant(
        """
        {"access_token":"a","token_type":"bearer","id_token":"i.i.i","refresh_token":"r","expires_in":300,"x":[1]}
        """) == "a i.i.i r 300")
    #expect(grant("{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":\"60\"}") == "a - - 60")
    #expect(grant("{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":-1}") == "a - - -")
  }

  @Test("A refusal ends a session. A provider that is not well says nothing about it")
  func failures() {
    #expect(grant("{\"error\":\"invalid_grant\"}", status: 400) == "login_refused invalid_grant")
    #expect(grant("{\"error\":\"invalid_client\"}", status: 401) == "login_refused invalid_client")
    #expect(grant("{\"error\":\"slow_down\"}", status: 429) == "login_provider_unavailable status 429")
    #expect(grant("{\"error\":\"server_error\"}", status: 500) == "login_provider_unavailable status 500")
    #expect(grant("{}", status: 400) == "login_provider_unavailable status 400")
    #expect(grant("<html>", status: 400) == "login_provider_unavailable status 400, not JSON")
    #expect(grant("[]") == "login_provider_unavailable status 200, not JSON")
    #expect(grant("{\"token_type\":\"Bearer\"}") == "login_token_invalid no_access_token")
    #expect(grant("{\"access_token\":\"a\",\"token_type\":\"DPoP\"}") == "login_token_invalid token_type")
    #expect(grant("{\"access_token\":\"a\"}") == "login_token_invalid token_type")
    #expect(grant("{\"access_token\":\"a\\r\\nb\",\"token_type\":\"Bearer\"}") == "login_token_invalid token_unusable")
    let long = String(repeating: "a", count: 16 * 1024 + 1)
    #expect(
      grant("{\"access_token\":\"\(long)\",\"token_type\":\"Bearer\"}") == "login_token_invalid token_unusable")
  }

  private func posting(_ client: ClientAuthentication) throws -> Posting {
    try client.posting(
      [("grant_type", "authorization_code"), ("code", "a b")], clientID: "web:1", to: try metadata(), now: 1000)
  }

  @Test("The client proves itself in the way that the provider takes")
  func clients() throws {
    let open = try posting(.none)
    #expect(String(decoding: open.body, as: UTF8.self) == "grant_type=authorization_code&code=a%20b&client_id=web%3A1")
    #expect(!open.fields.contains { $0.name == "Authorization" })
    let basic = try posting(.secretBasic("s:+é"))
    #expect(String(decoding: basic.body, as: UTF8.self) == "grant_type=authorization_code&code=a%20b")
    // web%3A1:s%3A%2B%C3%A9
    #expect(
      basic.fields.first { $0.name == "Authorization" }?.value == "Basic d2ViJTNBMTpzJTNBJTJCJUMzJUE5")
    let post = try posting(.secretPost("s"))
    #expect(String(decoding: post.body, as: UTF8.self).hasSuffix("&client_id=web%3A1&client_secret=s"))
    let only = try metadata(",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",\"private_key_jwt\"]")
    guard case .secretPost = ClientAuthentication.secret("s", for: only) else {
      Issue.record("not posted")
      return
    }
    guard case .secretBasic = ClientAuthentication.secret("s", for: try metadata()) else {
      Issue.record("not in Authorization")
      return
    }
  }

  @Test("A client with a key signs for the token end point, for a minute")
  func privateKey() throws {
    let key = try SigningKey.generate(.ellipticCurve(.p256))
    let posting = try posting(.privateKey(ClientKey(key)))
    let form = SmallRequest.parameters(String(decoding: posting.body, as: UTF8.self))
    let assertion = try #require(form.first { $0.name == "client_assertion" }?.value)
    #expect(
      form.first { $0.name == "client_assertion_type" }?.value
        == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    let parts = assertion.split(separator: ".")
    let header = Base64URL.decode(parts[0].utf8.span)
    let payload = Base64URL.decode(parts[1].utf8.span)
    #expect(
      String(decoding: try #require(header), as: UTF8.self) == "{\"alg\":\"ES256\",\"kid\":\"\(ClientKey(key).id)\"}")
    let claims = try JSONDocument(try #require(payload))
    func text(_ name: String) -> String? {
      claims.member(name.utf8.span, of: claims.root).flatMap { claims.string(at: $0) }
    }
    #expect(text("iss") == "web:1" && text("sub") == "web:1" && text("aud") == "https://idp.test/token")
    #expect(text("jti")?.utf8.count == 22)
    #expect(claims.member("exp".utf8.span, of: claims.root).flatMap { claims.integer(at: $0) } == 1060)
  }

  @Test("A client's key signs by the first of the provider's algorithms that fits it")
  func algorithms() throws {
    let rsa = ClientKey(try SigningKey.generate(.rsa(bitCount: 2048)))
    #expect(rsa.algorithm(among: ["ES256", "PS256", "RS256"]) == .ps256)
    #expect(rsa.algorithm(among: []) == .rs256 && rsa.algorithm(among: ["ES256", "XY"]) == .rs256)
    #expect(ClientKey(try SigningKey.generate(.edwards(.ed25519))).algorithm(among: ["HS256"]) == .edDSA)
    #expect(throws: LoginFault.providerUnavailable("private_key_unreadable")) { try ClientKey(file: "/dev/null") }
  }

  @Test("Parameters are added to a URL behind those that it has")
  func urls() {
    let pairs = [(name: "a", value: "b&c=/é"), (name: "d", value: "")]
    #expect(FormEncoding.append(pairs, to: "https://h/p") == "https://h/p?a=b%26c%3D%2F%C3%A9&d=")
    #expect(FormEncoding.append(pairs, to: "https://h/p?x=1") == "https://h/p?x=1&a=b%26c%3D%2F%C3%A9&d=")
    #expect(FormEncoding.append(pairs, to: "https://h/p?") == "https://h/p?a=b%26c%3D%2F%C3%A9&d=")
  }
}
