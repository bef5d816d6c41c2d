// Which upstream the request goes to. It comes before the server, and before the request is written for it: upstreams
// speak different protocols.

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
}

extension Exchange {
  func chooseUpstream(_ route: CompiledRoute) {
    guard let split = route.split else {
      delivery.pool = worker.pool(at: route.upstream, of: snapshot)
      return
    }
    // Another number than the one that chooses the server: else a small share's callers would all have the same one.
    let number =
      split.key.flatMap { callerHash($0) }.map { mixed($0 ^ 0x9E37_79B9_7F4A_7C15) } ?? worker.randomIdentifiers.next()
    delivery.pool = worker.pool(at: split.upstream(for: number), of: snapshot)
  }
}
