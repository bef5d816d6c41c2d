// Where discovery documents are, and which of their words are believed.

import Testing

@testable import ControlPlane

@Suite struct DiscoveryTests {
  @Test(
    "The document is looked for in OpenID's place, then in RFC 8414's",
    arguments: [
      (
        "https://idp.test",
        [
          "https://idp.test/.well-known/openid-configuration",
          "https://idp.test/.well-known/oauth-authorization-server",
        ]
      ),
      (
        "https://idp.test/",
        [
          "https://idp.test/.well-known/openid-configuration",
          "https://idp.test/.well-known/oauth-authorization-server",
        ]
      ),
      (
        "https://idp.test:8443/realms/a/",
        [
          "https://idp.test:8443/realms/a/.well-known/openid-configuration",
          "https://idp.test:8443/.well-known/oauth-authorization-server/realms/a",
          "https://idp.test:8443/.well-known/openid-configuration/realms/a",
        ]
      ),
    ])
  func places(issuer: String, urls: [String]) throws {
    #expect(try #require(Discovery(issuer: issuer, isInsecureAllowed: false)).documentURLs == urls)
  }

  @Test(
    "An issuer that is not an http(s) URL has no documents",
    arguments: ["partner", "https://idp.test/?a=b", "ftp://x/"])
  func noURL(issuer: String) { #expect(Discovery(issuer: issuer, isInsecureAllowed: true) == nil) }

  private func keysURL(_ body: String, issuer: String = "https://idp.test/", insecure: Bool = false) -> Result<
    String, RefreshFailure
  > {
    guard let discovery = Discovery(issuer: issuer, isInsecureAllowed: insecure) else { return .failure(.notJSON) }
    do throws(RefreshFailure) {
      return .success(try discovery.keysURL(in: Array(body.utf8), issuer: issuer))
    } catch {
      return .failure(error)
    }
  }

  private func document(_ uri: String, issuer: String = "https://idp.test/") -> String {
    #"{"issuer":"\#(issuer)","jwks_uri":"\#(uri)"}"#
  }

  @Test("T73 The URL of the keys is used as it is")
  func verbatim() {
    #expect(keysURL(document("https://keys.test//a/../k?x=%2e")) == .success("https://keys.test//a/../k?x=%2e"))
  }

  @Test(
    "T24 A document that speaks for another issuer is not believed",
    arguments: ["https://idp.test", "https://IDP.test/", "https://evil.test/", ""])
  func otherIssuer(named: String) {
    #expect(
      keysURL(document("https://idp.test/k", issuer: named))
        == .failure(.issuerMismatch(expected: "https://idp.test/", got: named)))
  }

  @Test("T25 An http URL of keys is refused, unless the issuer itself is on loopback or it is allowed")
  func plain() {
    #expect(keysURL(document("http://idp.test/k")) == .failure(.urlNotAllowed("http: http://idp.test/k")))
    #expect(keysURL(document("http://127.0.0.1/k")) == .failure(.urlNotAllowed("http: http://127.0.0.1/k")))
    #expect(keysURL(document("http://idp.test/k"), insecure: true) == .success("http://idp.test/k"))
    let local = "http://localhost:8080/"
    #expect(keysURL(document("http://127.0.0.1:9/k", issuer: local), issuer: local) == .success("http://127.0.0.1:9/k"))
    #expect(
      keysURL(document("http://idp.test/k", issuer: local), issuer: local)
        == .failure(.urlNotAllowed("http: http://idp.test/k")))
  }

  @Test(
    "T24 A document from the world may not lead into this network",
    arguments: ["169.254.169.254", "10.0.0.1", "127.0.0.1", "localhost", "[::1]", "[fd00::1]"])
  func nearby(host: String) {
    let url = "https://\(host)/k"
    #expect(keysURL(document(url)) == .failure(.urlNotAllowed("a private address: \(url)")))
    #expect(keysURL(document(url), insecure: true) == .success(url))
    let here = "https://\(host)/"
    #expect(keysURL(document(url, issuer: here), issuer: here) == .success(url))
  }

  @Test(
    "T23 What is not a discovery document is reported with its fault",
    arguments: [
      ("<html>", "not_json"), ("", "not_json"), (#"{"issuer":"https://idp.test/","jwks_uri":"https://idp"#, "not_json"),
      ("[]", "discovery_invalid"), ("{}", "discovery_invalid"), (#"{"issuer":1}"#, "discovery_invalid"),
      (#"{"issuer":"https://idp.test/"}"#, "discovery_invalid"),
      (#"{"issuer":"https://idp.test/","jwks_uri":"file:///etc/passwd"}"#, "discovery_invalid"),
      (#"{"issuer":"https://idp.test/","jwks_uri":null}"#, "discovery_invalid"),
      (#"{"issuer":"https://idp.test/","issuer":"https://idp.test/","jwks_uri":"https://idp.test/k"}"#, "not_json"),
    ])
  func bad(body: String, code: String) {
    switch keysURL(body) {
    case .success(let url): Issue.record("took \(url)")
    case .failure(let failure): #expect(failure.code == code)
    }
  }
}
