// Which of a route's upstreams a request goes to.

import Configuration

/// A route's `upstreams`, prepared.
final class PreparedSplit: Sendable {
  /// Indices into the configuration's upstreams.
  let upstreams: [Int]
  /// Behind the share of each: the sum of its weight and those before it.
  let ends: [Int]
  let key: RequestValue?

  init(_ split: Split) {
    upstreams = split.shares.map(\.upstream)
    var sum = 0
    ends = split.shares.map { share in
      sum += share.weight
      return sum
    }
    key = split.key
  }

  /// - Parameter number: evenly spread over all numbers.
  func upstream(for number: UInt64) -> Int {
    let point = scaled(number, below: ends.last ?? 1)
    return upstreams[ends.firstIndex { point < $0 } ?? 0]
  }

  /// Chosen by another number than the server is. Else all of a small share's callers would go to the same server.
  func upstream(forCaller hash: UInt64) -> Int { upstream(for: mixed(hash ^ 0x9E37_79B9_7F4A_7C15)) }
}
