// What each check of a proof has seen, for who asks why. It is read again from the proof, as that of a token is.

import Bytes
import JSON

/// A proof taken apart, whether or not it is one.
package struct ProofReport {
  private let header: JSONDocument?
  private let payload: JSONDocument?

  /// - Parameter proof: empty where there is none, or more than one.
  package init(_ proof: Span<UInt8>) {
    let firstDot = proof.firstIndex(of: UInt8(ascii: ".")) ?? proof.count
    let start = min(firstDot + 1, proof.count)
    let end = proof.firstIndex(of: UInt8(ascii: "."), from: start) ?? proof.count
    // LIMIT: of a longer one nothing is shown.
    let isShown = proof.count <= ProofCheck.byteCountMax
    header = isShown ? Self.object(proof.extracting(0..<firstDot)) : nil
    payload = isShown ? Self.object(proof.extracting(start..<end)) : nil
  }

  private static func object(_ part: Span<UInt8>) -> JSONDocument? {
    guard let bytes = Base64URL.decode(part), let document = try? JSONDocument(bytes),
      document.kind(document.root) == .object
    else { return nil }
    return document
  }

  /// What the proof says where a check looks. No more of a URL than its path, and nothing of a key or a signature.
  package func got(by step: ProofStep, now: Int64) -> String {
    switch step {
    case .type: header?.shown("typ") ?? "no typ"
    case .algorithm: header?.shown("alg") ?? "no alg"
    case .method: payload?.shown("htm") ?? "no htm"
    case .target: payload?.shown("htu").map { String($0.prefix { $0 != "?" && $0 != "#" }) } ?? "no htu"
    case .time: payload.map { $0.age("iat", at: now) } ?? "no iat"
    case .field, .form, .key, .thumbprint, .signature, .identifier, .token, .nonce, .replay: ""
    }
  }
}

extension ProofStep {
  /// - Parameters:
  ///   - method: of the request.
  ///   - url: that the client used, as far as the gateway knows.
  package func expected(method: String, url: String, _ rules: IssuerRules?) -> String {
    switch self {
    case .field: "one field DPoP, for a token that is bound to a key"
    case .form: "three parts of base64url with two JSON objects, without crit"
    case .type: "dpop+jwt"
    case .algorithm: "a known algorithm that is not of a shared secret"
    case .key: "a public key in jwk that fits alg"
    case .thumbprint: "the key that cnf.jkt of the token names"
    case .signature: "a signature by that key"
    case .method: method
    case .target: url
    case .time: "iat at most \(rules?.proofWindowSeconds ?? 0)s ago, leeway \(rules?.leewaySeconds ?? 0)s"
    case .identifier: "jti"
    case .token: "ath, the digest of the token"
    case .nonce: "a nonce that the gateway has given, and not long ago"
    case .replay: "a jti that was not seen before"
    }
  }

  /// What a check that has failed has found, where the proof does not say it.
  package var fault: String {
    switch self {
    case .field: "none, more than one, or a token that is not bound"
    case .thumbprint: "another key, or a cnf that is not understood"
    case .replay: "one that was"
    default: "none, or another"
    }
  }
}
