// A gateway with one issuer that has a denylist, and tokens of it.

import TestSupport
import Tokens

struct DenylistScene {
  let key: TestKey

  init() throws { key = try TestKey(.es256, id: "k1") }

  /// - Parameters:
  ///   - top: further lines of the file.
  ///   - issuers: further entries of `issuers`.
  func text(_ denylist: String, top: String = "", issuers: String = "") -> String {
    """
    \(top)
    issuers:
      login:
        issuer: "\(TokenDoor.issuer)"
        audiences: [api]
        jwks: keys.json
        revocation: { denylist: \(denylist) }
      \(issuers)
    routes:
      - { path: /, auth: login, respond: { status: 204 } }
    """
  }

  /// - Parameter list: what the file `revoked.jsonl` has. Nil without it.
  func files(_ list: String?) -> [String: String] {
    var files = ["keys.json": keySetText([key.jwk()])]
    files["revoked.jsonl"] = list
    return files
  }

  func start(
    _ denylist: String, top: String = "", issuers: String = "", list: String? = nil
  ) async throws -> GatewayProcess {
    try await GatewayProcess.start(text(denylist, top: top, issuers: issuers), files: files(list))
  }

  func token(_ id: String, sub: String = "ada") -> String {
    TokenDoor.token(key, ["jti": .string(id), "sub": .string(sub), "iat": .integer(unixNow() - 60)])
  }

  /// What a new token with this `jti` is told. Nil where it passes.
  func code(_ gateway: GatewayProcess, _ id: String, sub: String = "ada") async throws -> String? {
    try await gateway.get("/", ["Authorization: Bearer \(token(id, sub: sub))"]).code
  }
}
