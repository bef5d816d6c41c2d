// An issuer for tests: its keys, its tokens, and the server that publishes them.

import Foundation
package import Tokens

/// Serves `/keys`, `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server` on loopback. Every
/// answer can be replaced through ``server``.
package final class TestIssuer: Sendable {
  package let key: TestKey
  package let server: DocumentServer
  /// What `iss` says: the server's own URL.
  package let url: String

  private init(key: TestKey, server: DocumentServer) {
    self.key = key
    self.server = server
    url = "http://127.0.0.1:\(server.port)"
  }

  package static func start(_ key: TestKey) async throws -> TestIssuer {
    let issuer = TestIssuer(key: key, server: try await DocumentServer.start())
    issuer.publish([key.jwk()])
    let discovery = "{\"issuer\":\"\(issuer.url)\",\"jwks_uri\":\"\(issuer.url)/keys\"}"
    issuer.server.put("/.well-known/openid-configuration", .json(discovery))
    return issuer
  }

  package static func start(_ algorithm: SignatureAlgorithm = .es256) async throws -> TestIssuer {
    try await start(try TestKey(algorithm))
  }

  /// What `/keys` says from now on.
  package func publish(_ jwks: [String]) { server.put("/keys", .json(keySetText(jwks))) }

  /// Fetches of the key set so far.
  package var fetchCount: Int { server.count(of: "/keys") }

  /// A good token of this issuer, changed by what is given.
  package func token(
    _ claims: [String: JSONValue] = [:], header: [String: JSONValue] = [:], key: TestKey? = nil
  ) -> String {
    makeToken(issuer: url, claims, header: header, key: key ?? self.key)
  }

  /// The `issuers:` entry for this issuer, with its keys by discovery or, when it is given, from `jwks`.
  package func configuration(name: String = "login", jwks: String? = nil, more: [String] = []) -> String {
    issuerConfiguration(
      name: name, issuer: url, jwks: jwks == nil ? nil : jwks, more: more)
  }
}

/// A token that passes at an issuer of this name with the audience `api`: `sub` alice, good for five minutes.
package func makeToken(
  issuer: String, _ claims: [String: JSONValue] = [:], header: [String: JSONValue] = [:], key: TestKey
) -> String {
  let now = unixNow()
  var members: [(String, JSONValue)] = [
    ("iss", .string(issuer)), ("aud", "api"), ("sub", "alice"), ("iat", .integer(now)), ("exp", .integer(now + 300)),
  ]
  merge(claims, into: &members)
  var fields: [(String, JSONValue)] = [("alg", .string(key.algorithm.rawValue))]
  if let id = key.id { fields.append(("kid", .string(id))) }
  merge(header, into: &fields)
  return key.sign(header: JSONValue.object(fields).text, payload: JSONValue.object(members).text)
}

func merge(_ changes: [String: JSONValue], into members: inout [(String, JSONValue)]) {
  for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
    if let index = members.firstIndex(where: { $0.0 == name }) {
      members[index].1 = value
    } else {
      members.append((name, value))
    }
  }
}

/// An entry of `issuers:`, indented by two. `more` are further lines, such as `leeway: 0s`.
package func issuerConfiguration(
  name: String = "login", issuer: String, audiences: String = "[api]", jwks: String? = nil, more: [String] = []
) -> String {
  var lines = ["  \(name):", "    issuer: \(issuer)", "    audiences: \(audiences)"]
  if let jwks { lines.append("    jwks: \(jwks)") }
  lines += more.map { "    " + $0 }
  return lines.joined(separator: "\n") + "\n"
}

/// Seconds since 1970.
package func unixNow() -> Int { Int(Date().timeIntervalSince1970) }
