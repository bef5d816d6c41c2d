// Which refusals of tokens the operator is told about, with both values: the first of a kind, and then one a minute.
// The rest is counted.

import Bytes
import Configuration
import HTTPWire
package import Tokens

/// A refused token, in words for the gateway's own log and for `/status`.
package struct RefusalNotice: Sendable, Equatable {
  package let refusal: TokenRefusal
  package let route: String
  package let issuer: String?
  package let detail: RefusalDetail
  package let requestID: String
  /// Refusals of the kind since the notice before.
  package let leftOut: Int
  /// Whether the rule is in shadow, so that the request went on.
  package let isShadow: Bool
  /// The check of a proof that has failed, where that is the reason.
  package var proofFault: ProofStep?
}

/// When each kind may be reported again. A kind is a reason with an issuer.
struct RefusalNotices {
  private struct Kind {
    var dueAt = Int64.min
    var leftOut = 0
  }

  // LIMIT: one notice a minute of a kind, from each worker.
  private static let interval: Int64 = 60_000_000_000

  private var kinds: [Kind]
  private let issuerCount: Int

  /// For a configuration. What was reported under the one before may be reported again.
  init(issuerCount: Int) {
    self.issuerCount = issuerCount
    kinds = Array(repeating: Kind(), count: AuthenticationResult.count * (issuerCount + 1))
  }

  /// The refusals that were left out before this one. Nil where this one is left out as well.
  mutating func take(_ refusal: TokenRefusal, issuer: Int?, at now: Int64) -> Int? {
    let issuer = issuer ?? issuerCount
    guard issuer <= issuerCount else { return nil }
    let index = AuthenticationResult.refused(refusal).number * (issuerCount + 1) + issuer
    guard kinds.indices.contains(index) else { return nil }
    if now < kinds[index].dueAt {
      kinds[index].leftOut &+= 1
      return nil
    }
    let leftOut = kinds[index].leftOut
    kinds[index] = Kind(dueAt: now &+ Self.interval)
    return leftOut
  }
}

extension Exchange {
  func notice(_ refusal: TokenRefusal) {
    switch refusal {
    // Every visitor without a session, and what the log has said of keys already.
    case .tokenMissing, .keysUnavailable, .introspectionUnavailable, .revocationUnavailable, .sessionMissing,
      .sessionExpired, .sessionStoreUnavailable, .apiKeyMissing, .apiKeyStoreUnavailable:
      return
    default: break
    }
    // Of an earlier configuration the numbers mean other issuers.
    guard let route, snapshot.generation == worker.snapshot.generation,
      let leftOut = worker.refusalNotices.take(refusal, issuer: issuer, at: worker.time.nanoseconds)
    else { return }
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    let issuers = snapshot.configuration.issuers
    worker.commands.append(
      .reportRefusal(
        RefusalNotice(
          refusal: refusal, route: route.name,
          issuer: issuer.flatMap { issuers.indices.contains($0) ? issuers[$0].name : nil },
          detail: detail(of: refusal, route), requestID: request.idText,
          leftOut: leftOut, isShadow: answer.shadowRefusal != nil, proofFault: answer.proofFault)))
  }

  private func detail(of refusal: TokenRefusal, _ route: CompiledRoute) -> RefusalDetail {
    if refusal == .schemeNotBearer {
      return RefusalDetail(expected: "Authorization: Bearer and the token", got: request.head.schemeInWords)
    }
    if let detail = proofDetail(of: refusal) { return detail }
    let circumstances = RefusalCircumstances(
      candidates: route.token.issuers, issuer: issuer, issuers: snapshot.issuerRules, keySets: worker.keySets,
      now: worker.time.unixSeconds)
    var detail = request.detail(of: refusal, circumstances, worker.verifier)
    if refusal == .scopeMissing { detail.expected = route.token.scopeText }
    if refusal == .audienceMismatch, let rule = route.token.audiences.first(where: { $0.issuer == issuer }) {
      detail.expected = rule.text
    }
    return detail
  }
}

extension ClientRequest {
  fileprivate func detail(
    of refusal: TokenRefusal, _ circumstances: RefusalCircumstances, _ verifier: TokenVerifier
  ) -> RefusalDetail { verifier.detail(of: refusal, token, circumstances) }

  fileprivate var idText: String {
    let id = id.span.copied()
    return String(decoding: id, as: UTF8.self)
  }
}

extension RequestHead {
  /// The scheme in Authorization, if it is one that services know. Any other first word may be the credential itself.
  fileprivate var schemeInWords: String {
    guard let field = first(.authorization) else { return "no Authorization" }
    let bytes = bytes.span
    let value = bytes.extracting(field.value)
    let end = value.firstIndex(of: 0x20) ?? value.count
    if end == value.count { return "one word without a scheme" }
    let word = value.extracting(0..<end)
    for scheme in ["Basic", "Digest", "Negotiate", "NTLM", "Token", "JWT", "DPoP", "ApiKey", "OAuth", "HMAC", "Bearer"]
    where word.count == scheme.utf8.count {
      if foldedEquals(word, scheme.lowercased().utf8.span) { return "the scheme \(scheme)" }
    }
    return "another scheme"
  }
}
