// `sessions:`, prepared: the cookie's lines, and what a page may read.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

/// Immutable, shared by all workers.
final class CompiledSession: Sendable {
  let name: String
  let cookieName: [UInt8]
  let lifetimeSeconds: Int64
  let idleSeconds: Int64
  /// How long a worker may remember one. A use is noted with a tenth of the idle time for its exactness.
  let cacheSeconds: Int64
  /// Where a browser begins to sign in. Nil where nobody does.
  let signInPath: String?
  /// Whether services get the provider's access token.
  let isTokenForwarded: Bool
  /// Index into the stores of the configuration. Nil for a list in this process.
  let store: Int?
  /// Whether the provider's tokens are renewed.
  let isRefreshed: Bool
  private let lineEnd: String
  private let shownClaims: [(name: [UInt8], path: ClaimPath)]

  /// Nil where pages get none.
  let pass: (plan: AssertionPlan, signer: Int)?

  init(_ rules: SessionRules, _ plans: inout AssertionPlans) {
    if let wanted = rules.exchange?.pass, let plan = plans.plan(wanted.signer, audience: wanted.audience) {
      pass = (plan, wanted.signer)
    } else {
      pass = nil
    }
    name = rules.name
    store = if case .redis(let store) = rules.store { store } else { nil }
    signInPath = rules.login?.paths.start.description
    isRefreshed = rules.login?.refresh ?? false
    isTokenForwarded = rules.login?.forward == .accessToken
    cookieName = Array(rules.cookie.name.utf8)
    lifetimeSeconds = rules.lifetime.components.seconds
    idleSeconds = rules.idleTimeout.components.seconds
    cacheSeconds = min(rules.cache.components.seconds, idleSeconds / 10)
    let sameSite =
      switch rules.cookie.sameSite {
      case .lax: "Lax"
      case .strict: "Strict"
      case .none: "None"
      }
    lineEnd = "; Path=/; Secure; HttpOnly; SameSite=\(sameSite)"
    shownClaims = rules.shownClaims.map { path in
      var name = ByteQueue()
      JSONWriter.append(string: path.description, to: &name)
      return (name.copied(), path)
    }
  }

  private var cookieText: String { String(decoding: cookieName, as: UTF8.self) }

  /// `Set-Cookie` of a session that begins.
  func beginningLine(_ value: [UInt8]) -> [UInt8] {
    let value = String(decoding: value, as: UTF8.self)
    return Array("Set-Cookie: \(cookieText)=\(value); Max-Age=\(lifetimeSeconds)\(lineEnd)\r\n".utf8)
  }

  /// `Set-Cookie` of one that is over.
  var endingLine: [UInt8] { Array("Set-Cookie: \(cookieText)=; Max-Age=0\(lineEnd)\r\n".utf8) }

  /// Whether the provider's tokens are of use to workers.
  var usesTokens: Bool { isTokenForwarded || isRefreshed }

  /// What of the provider's tokens counts. Nil where none does, so that none is read.
  func provided(_ tokens: [UInt8]) -> ProviderTokens? {
    guard usesTokens, var provided = ProviderTokens(encoded: tokens) else { return nil }
    if !isTokenForwarded { provided.accessToken = [] }
    if !isRefreshed { provided.refreshToken = [] }
    return provided
  }

  /// `me`: what a page may read of its session.
  func description(of caller: Caller) -> GatewayAnswer {
    var body = ByteQueue()
    let claims = caller.claims
    for (name, path) in shownClaims {
      guard let claim = caller.claim(path) else { continue }
      body.append(body.isEmpty ? "{" : ",")
      body.append(name)
      body.append(":")
      let bytes = claims.bytes
      body.append(bytes.span.extracting(claims.rawRange(of: claim)))
    }
    body.append(body.isEmpty ? "{}\n" : "}\n")
    let lines = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
    return GatewayAnswer(status: 200, fieldLines: Array(lines.utf8), body: body.copied())
  }
}
