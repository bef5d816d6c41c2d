// What the checks of a token's sender have seen. The data plane has made them, and says which one failed. What they saw
// is read again from the proof.

import Configuration
import Proxy
import Tokens

/// One check of who sent a token.
package struct SenderStepReport: Sendable, Equatable {
  package let name: String
  package let isPassed: Bool
  package let expected: String
  package let got: String
}

extension SenderStepReport {
  private static let refusals: Set<TokenRefusal> = [
    .proofMissing, .proofInvalid, .proofReplayed, .proofNonceDemanded, .proofsUnavailable,
  ]

  /// Empty where nobody looked at it: the token is not good, or nothing binds it.
  static func steps(
    of request: RehearsedRequest, _ outcome: RehearsedOutcome, in configuration: GatewayConfiguration, now: Int64
  ) -> [SenderStepReport] {
    let refusal = outcome.notice.flatMap { refusals.contains($0.refusal) ? $0 : nil }
    if let refusal, refusal.proofFault == nil {
      let detail = refusal.detail
      return [SenderStepReport(name: "sender", isPassed: false, expected: detail.expected, got: detail.got)]
    }
    guard let proof = RehearsedOutcome.value(of: "DPoP", in: request.fields), request.isOfBoundToken,
      refusal != nil || outcome.notice == nil && outcome.isTokenLookedAt
    else { return [] }
    let report = ProofReport(proof.utf8.span)
    let url =
      "\(request.url.isSecure ? "https" : "http")://\(request.url.authority)"
      + request.url.target.prefix { $0 != "?" }
    var steps: [SenderStepReport] = []
    for step in ProofStep.allCases {
      let isFault = step == refusal?.proofFault
      let expected = step.expected(method: request.url.method, url: url, nil)
      let got = report.got(by: step, now: now)
      if isFault, let detail = refusal?.detail {
        steps.append(
          SenderStepReport(name: step.rawValue, isPassed: false, expected: detail.expected, got: detail.got))
        break
      }
      // No rule of the file is known here, and one that is obeyed is of no interest.
      steps.append(
        SenderStepReport(
          name: step.rawValue, isPassed: true, expected: step == .time ? "" : expected, got: got))
    }
    return steps
  }
}

extension RehearsedOutcome {
  /// Whether the checks of a credential came to an end: what refuses the request, if anything, comes behind them.
  fileprivate var isTokenLookedAt: Bool { upstreamRequest != nil || code == nil }
}

extension RehearsedRequest {
  fileprivate var isOfBoundToken: Bool {
    RehearsedOutcome.value(of: "Authorization", in: fields)?.lowercased().hasPrefix("dpop ") ?? false
  }
}
