// The tokens that are in the demo's lines.

import Demo

/// One token a lesson. They last a day, so that the lines can be pasted as long as the demo runs.
struct DemoTokens {
  var good = ""
  var expired = ""
  var forged = ""
  var administrator = ""

  init() {}

  init(from issuer: DemoIssuer) async throws {
    let day: Int64 = 86400
    func mint(_ change: (inout DemoToken) -> Void) async throws -> String {
      var token = DemoToken(audience: issuer.audience)
      // Short signatures make short lines.
      token.algorithm = "ES256"
      token.expiresInSeconds = day
      token.claims = [("email", "ada@example.com")]
      change(&token)
      guard let text = await issuer.mint(token) else { throw TokenError("the demo's issuer makes no token") }
      return text
    }
    good = try await mint { _ in }
    expired = try await mint { $0.expiresInSeconds = -3600 }
    forged = try await mint { $0.isForged = true }
    administrator = try await mint { $0.scope = "demo:read demo:admin" }
  }
}
