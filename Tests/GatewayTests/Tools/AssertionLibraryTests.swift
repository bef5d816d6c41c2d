// What the gateway signs is what others verify: two libraries of JWTs, which fetch the keys through the gateway.

import Cryptography
import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Assertions and libraries")
struct AssertionLibraryTests {
  /// Says the claims by each library, and what becomes of the assertion for another audience.
  private static let verifier = #"""
    import json, sys, urllib.request
    import jwt
    from joserfc import jwt as jose
    from joserfc.jwk import KeySet

    place, algorithm, assertion = sys.argv[1:]
    key = jwt.PyJWKClient(place).get_signing_key_from_jwt(assertion).key
    def by_pyjwt(audience):
        return jwt.decode(
            assertion, key, algorithms=[algorithm], audience=audience, issuer="https://gateway.example.com",
            options={"require": ["iss", "aud", "iat", "exp", "jti", "sub"]})
    claims = by_pyjwt("orders")
    print(json.dumps([claims["sub"], claims["org"], claims["scope"], claims["exp"] - claims["iat"]]))
    try:
        by_pyjwt("stock")
    except jwt.InvalidAudienceError:
        print("not for stock")
    keys = KeySet.import_key_set(json.load(urllib.request.urlopen(place)))
    token = jose.decode(assertion, keys, algorithms=[algorithm])
    jose.JWTClaimsRegistry(
        iss={"essential": True, "value": "https://gateway.example.com"}, aud={"essential": True, "value": "orders"},
        exp={"essential": True}).validate(token.claims)
    print(token.header["typ"], token.claims == claims)
    """#

  private static let algorithms: [SignatureAlgorithm] = [.es256, .es512, .rs256, .ps256, .edDSA]

  private static func pem(_ key: TestKey) throws -> String {
    String(decoding: try #require(key.signing.pem()), as: UTF8.self)
  }

  @Test("PyJWT and joserfc verify them by the keys of the gateway, for each kind of key", .needsTokenLibraries)
  func libraries() async throws {
    let python = try #require(await PythonPackages.tokens.value)
    let key = try TestKey()
    var files = ["keys.json": keySetText(key)]
    var assertions = ""
    var routes = ""
    for algorithm in Self.algorithms {
      let name = algorithm.rawValue
      files["signers/\(name).key"] = try Self.pem(try TestKey(algorithm))
      assertions +=
        "  \(name): { issuer: \"https://gateway.example.com\", keys: signers/\(name).key, algorithm: \(name), "
        + "claims: [sub, scope, org.id] }\n"
      routes += """
          - { path: /keys/\(name), auth: public, respond: { key_set: \(name) } }
          - path: /\(name)
            auth: login
            identity: { assertion: { name: \(name), audience: orders } }
            upstream: echo

        """
    }
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"), more: routes,
      top: "assertions:\n\(assertions)", files: files)
    let folder = try TemporaryFolder()
    try folder.write("verifier.py", Data(Self.verifier.utf8))
    let token = TokenDoor.token(key, ["scope": "a b", "org": ["id": 7]])
    for algorithm in Self.algorithms {
      let name = algorithm.rawValue
      let answer = try await door.gateway.get("/\(name)", ["Authorization: Bearer \(token)"])
      let assertion = try #require(answer.text.firstMatch(of: #/X-Assertion: (\S+)/#)).1
      let place = "http://127.0.0.1:\(door.gateway.port)/keys/\(name)"
      let ran = try await ChildProcess.run(python, ["verifier.py", place, name, String(assertion)], in: folder.url)
      #expect(
        ran.standardOutput.split(separator: "\n") == [
          #"["alice", {"id": 7}, "a b", 60]"#, "not for stock", "JWT True",
        ],
        "\(name): \(ran.standardError)")
    }
    let logs = door.gateway.accessLog + door.gateway.standardError
    #expect(!logs.contains { $0.contains("eyJ") })
  }
}
