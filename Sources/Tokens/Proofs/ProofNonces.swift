// Nonces that proofs must have (RFC 9449 §8, §9). They are made of a secret and of the time and kept nowhere, so every
// gateway with the same secrets knows those of all others.
//
// Invariant: a nonce is good in the period that it was made in and in the next one.

import Bytes
import Cryptography

/// The keys of all secrets. The first makes nonces, and those of all are good.
package struct ProofNonceKeys: Sendable {
  private let keys: [[UInt8]]

  private static let keyByteCount = 32
  private static let byteCount = 18

  /// Nil without a secret.
  package init?(secrets: [[UInt8]]) {
    let label = Array("catraca dpop nonce".utf8)
    keys = secrets.compactMap { KeyDerivation.derive(Self.keyByteCount, from: $0.span, label: label.span) }
    if keys.isEmpty { return nil }
  }

  /// Those of one period, as clients get them: 24 characters. The first is the one to give out.
  fileprivate func nonces(of period: Int64, seconds: Int64) -> [[UInt8]] {
    let label = Array("\(seconds) \(period)".utf8)
    return keys.compactMap { key in
      KeyDerivation.derive(Self.byteCount, from: key.span, label: label.span).map { Base64URL.encode($0.span) }
    }
  }
}

/// One a worker: it makes the nonces of a period once.
package struct ProofNonces {
  /// What a nonce in a proof is worth.
  package enum Judgement: Sendable { case good, ageing, unknown }

  private struct Period {
    let number: Int64
    let current: [[UInt8]]
    let previous: [[UInt8]]
    /// Of a gateway whose clock is ahead.
    let next: [[UInt8]]
  }

  private var keys: ProofNonceKeys?
  /// By the length of a period.
  private var periods: [Int64: Period] = [:]

  package init() {}

  /// For a configuration.
  package mutating func install(_ keys: ProofNonceKeys?) {
    self.keys = keys
    periods = [:]
  }

  /// The one to give out. Nil without a secret.
  /// - Parameter seconds: the length of a period.
  package mutating func current(seconds: Int64, now: Int64) -> [UInt8]? { period(seconds, now)?.current.first }

  /// - Parameter leeway: seconds that the clocks of a fleet may differ.
  package mutating func judge(_ nonce: [UInt8], seconds: Int64, leeway: Int64, now: Int64) -> Judgement {
    guard let period = period(seconds, now) else { return .unknown }
    if period.current.contains(nonce) { return nonce == period.current.first ? .good : .ageing }
    if period.previous.contains(nonce) { return .ageing }
    let isNextNear = (now &+ leeway) / max(seconds, 1) > period.number
    return isNextNear && period.next.contains(nonce) ? .good : .unknown
  }

  private mutating func period(_ seconds: Int64, _ now: Int64) -> Period? {
    guard let keys else { return nil }
    let number = now / max(seconds, 1)
    if let known = periods[seconds], known.number == number { return known }
    let fresh = Period(
      number: number, current: keys.nonces(of: number, seconds: seconds),
      previous: keys.nonces(of: number - 1, seconds: seconds), next: keys.nonces(of: number + 1, seconds: seconds))
    periods[seconds] = fresh
    return fresh
  }
}
