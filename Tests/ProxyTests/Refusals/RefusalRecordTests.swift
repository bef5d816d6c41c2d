// What all records of refusals have in common.

import HTTP2
import HTTPWire
import Testing
import Tokens

@testable import Proxy

@Suite("Records of refusals")
struct RefusalRecordTests {
  private static let all =
    TokenRefusal.allCases.map(Refusal.token) + GatewayRefusal.allCases.map(Refusal.gateway)
    + TargetError.allCases.map(Refusal.target) + HeadError.allCases.map(Refusal.head)

  @Test("No two reasons have one code")
  func codes() {
    let codes =
      Self.all.map(\.code) + ConnectionError.allCases.map(\.rawValue) + FailureReason.allCases.map(\.rawValue)
    #expect(Set(codes).count == codes.count)
  }

  @Test("Each reason has a sentence and advice, and both end as sentences end")
  func texts() {
    let texts =
      Self.all.map { ($0.code, "\($0.record.sentence)", "\($0.record.advice)") }
      + ConnectionError.allCases.map { ($0.rawValue, "\($0.record.sentence)", "\($0.record.advice)") }
      + FailureReason.allCases.map { ($0.rawValue, "\($0.record.sentence)", "\($0.record.advice)") }
    for (code, sentence, advice) in texts {
      #expect(sentence.hasSuffix(".") && sentence.count > 10, "\(code)")
      #expect(advice.hasSuffix(".") && advice.count > 10, "\(code)")
    }
  }

  @Test("401 carries a challenge, 403 for a token says what is missing, and nothing else has a challenge")
  func challenges() {
    for refusal in Self.all {
      switch (refusal.status, refusal.record.challenge) {
      case (401, .bearer), (401, .invalidToken), (401, .insufficientAuthenticationOfRoute): break
      case (401, .boundToken), (401, .invalidProof), (401, .proofNonce): break
      case (403, .insufficientScope), (403, .insufficientScopeOfRoute): break
      case (401, _): Issue.record("\(refusal.code) has no challenge")
      case (_, .none): break
      default: Issue.record("\(refusal.code) has a challenge with status \(refusal.status)")
      }
    }
    #expect(Refusal.token(.tokenMissing).record.challenge == .bearer)
  }

  @Test("Heads are refused with the statuses of RFC 9110 and RFC 6585")
  func heads() {
    let statuses: [(HeadError, Int)] = [
      (.targetTooLong, 414), (.expectationFailed, 417), (.headTooLarge, 431), (.tooManyFields, 431),
      (.methodUnsupported, 501), (.transferEncodingUnsupported, 501), (.versionUnsupported, 505),
      (.framingAmbiguous, 400), (.badRequestLine, 400),
    ]
    for (error, status) in statuses { #expect(error.record.status == status, "\(error)") }
  }
}
