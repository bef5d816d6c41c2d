// How often a caller may ask. Limits by address, header, cookie and route come before the token is looked at, so that a
// flood of bad ones is held too. Those by claim come behind it.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension Exchange {
  /// Takes the request out of each of the limits, in their order, up to the first that has nothing left. What was taken
  /// stays taken: a request that a later limit refuses has cost the earlier ones.
  func checkRateLimits(_ limits: [CompiledRateLimit]) -> StageOutcome {
    for index in limits.indices {
      let limit = limits[index]
      let verdict = limit.limiter.take(rateLimitKey(limit), at: worker.time.nanoseconds)
      if verdict.hasEvicted { worker.counters.countRateLimitEviction(route: route?.counterID) }
      if limit.isDryRun {
        if !verdict.isAllowed { worker.counters.countRateLimited(route: route?.counterID, isDryRun: true) }
        continue
      }
      let seconds = UInt64(clamping: (verdict.wait &+ 999_999_999) / 1_000_000_000)
      if !limit.fieldLines.isEmpty {
        answer.addedLines.append(limit.fieldLines)
        answer.addedLines.append(decimal: UInt64(clamping: verdict.remaining))
        answer.addedLines.append(";t=")
        answer.addedLines.append(decimal: seconds)
        answer.addedLines.append("\r\n")
      }
      if verdict.isAllowed { continue }
      worker.counters.countRateLimited(route: route?.counterID, isDryRun: false)
      answer.addedLines.append("Retry-After: ")
      answer.addedLines.append(decimal: seconds)
      answer.addedLines.append("\r\n")
      return .refuse(.gateway(.rateLimited))
    }
    return .next
  }

  /// Which bucket the request is counted in. Without what the limit counts by, or with two of it, a request counts for
  /// its client's address: leaving it out must not be a way round.
  private func rateLimitKey(_ limit: CompiledRateLimit) -> UInt64 {
    let limiter = limit.limiter
    switch limit.key {
    case .route: return 1
    case .value(.clientIP): return addressKey(limiter)
    case .value(.claim(let path)): return claimKey(path, limiter) ?? addressKey(limiter)
    case .value(let value): return hashOfSent(value, ~limiter.hashKey0, limiter.hashKey1) ?? addressKey(limiter)
    }
  }

  private func addressKey(_ limiter: RateLimiter) -> UInt64 {
    if case .unknown(let text) = request.peer.namedClient { return Self.unknownKey(text, in: request.head, limiter) }
    guard let client = clientAddress?.network(prefix: snapshot.ipv6PrefixLength) else { return 0 }
    return keyedHash(of: client.high, client.low, limiter.hashKey0, limiter.hashKey1)
  }

  /// By what the proxy writes in the place of an address, apart from all addresses.
  private static func unknownKey(
    _ text: Range<Int>, in head: borrowing RequestHead, _ limiter: RateLimiter
  ) -> UInt64 {
    head.bytes.span.extracting(text).keyedHash(limiter.hashKey0, ~limiter.hashKey1)
  }

  /// By the issuer's name and the value: two issuers may both have a caller `1`. Lists, objects and null are no keys.
  private func claimKey(_ path: ClaimPath, _ limiter: RateLimiter) -> UInt64? {
    guard let caller, let node = caller.claim(path), snapshot.issuerCounterIDs.indices.contains(caller.issuer) else {
      return nil
    }
    // A number that stays with the name across reloads.
    let key0 = limiter.hashKey0 &+ UInt64(clamping: snapshot.issuerCounterIDs[caller.issuer] &+ 1)
    switch caller.claims.kind(node) {
    case .string, .integer, .number, .true, .false: return caller.claims.keyedHash(of: node, key0, limiter.hashKey1)
    case .array, .object, .null: return nil
    }
  }
}
