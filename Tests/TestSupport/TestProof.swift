// A client with a key of its own, to which its tokens are bound, and the proofs that it makes (RFC 9449).

import Cryptography
import Foundation
package import Tokens

package struct TestProof: Sendable {
  package let key: TestKey

  package init(_ algorithm: SignatureAlgorithm = .es256) throws { key = try TestKey(algorithm, id: nil) }

  /// RFC 7638, in base64url.
  package var thumbprint: String { base64URL(Thumbprint.make(key.signing.publicKey.components)) }

  /// What binds a token to the key.
  package var claims: [String: JSONValue] { ["cnf": ["jkt": .string(thumbprint)]] }

  /// A good proof, changed by what is given.
  package func make(
    _ method: String = "GET", _ url: String = "http://test/door", of token: String, _ claims: [String: JSONValue] = [:],
    header: [String: JSONValue] = [:], signedBy other: TestKey? = nil
  ) -> String {
    var members: [(String, JSONValue)] = [
      ("jti", .string(UUID().uuidString)), ("htm", .string(method)), ("htu", .string(url)),
      ("iat", .integer(unixNow())),
      ("ath", .string(base64URL(SHA256.digest(Array(token.utf8).span)))),
    ]
    merge(claims, into: &members)
    var fields: [(String, JSONValue)] = [
      ("typ", "dpop+jwt"), ("alg", .string(key.algorithm.rawValue)), ("jwk", .raw("{\(key.numbers)}")),
    ]
    merge(header, into: &fields)
    return (other ?? key).sign(header: JSONValue.object(fields).text, payload: JSONValue.object(members).text)
  }

  /// The fields of a request with a good proof.
  package func fields(
    _ method: String = "GET", _ url: String = "http://test/door", of token: String, _ claims: [String: JSONValue] = [:]
  ) -> [String] {
    ["Authorization: DPoP \(token)", "DPoP: \(make(method, url, of: token, claims))"]
  }
}
