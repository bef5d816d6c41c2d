// Opaque tokens: the issuer is asked whose each of them is. Requests with one token wait for one call, see
// ``Questions``. Whom the issuer knows is remembered beside the callers of other tokens, and what it does not know in a
// small table of its own, so that no flood of bad tokens pushes a good one out (T102).

import Bytes
import Configuration
import JSON
import Tokens

/// What an issuer said of a token, for `catraca_introspection_total`.
package enum IntrospectionResult: Int, Sendable, CaseIterable {
  case active, inactive, unavailable

  package var label: String {
    switch self {
    case .active: "active"
    case .inactive: "inactive"
    case .unavailable: "unavailable"
    }
  }
}

/// What a worker remembers and has under way.
struct Introspections {
  /// Tokens that are not active.
  var refusals = RememberedRefusals()
  /// Calls under way, by the index of the issuer.
  private var callCounts: [Int: Int] = [:]

  /// LIMIT: `concurrency` of the issuer.
  mutating func begin(_ issuer: Int, max: Int) -> Bool {
    if callCounts[issuer, default: 0] >= max { return false }
    callCounts[issuer, default: 0] += 1
    return true
  }

  mutating func end(_ issuer: Int) { callCounts[issuer, default: 1] -= 1 }

  /// Calls under way.
  var callCount: Int { callCounts.values.reduce(0, +) }

  /// Another configuration has other issuers. Calls under way end as those of nobody.
  mutating func forget() { self = Introspections() }
}
