// Credentials that somebody else does not know, for a short time: a small table of their own, so that no flood of bad
// ones pushes a good one out (T102, T104).

import Tokens

struct RememberedRefusals {
  private struct Name: Hashable {
    let digest: [UInt8]
    let source: Int

    func hash(into hasher: inout Hasher) { hasher.combine(digest: digest) }
  }

  /// In steady nanoseconds, until when that counts.
  private var ends: [Name: Int64] = [:]

  /// LIMIT: so many are remembered. Then all of them are forgotten.
  static let countMax = 1024

  var count: Int { ends.count }

  /// - Parameter source: the index of who does not know it.
  func has(_ digest: [UInt8], of source: Int, at now: Int64) -> Bool {
    if ends.isEmpty { return false }
    return ends[Name(digest: digest, source: source)].map { now < $0 } ?? false
  }

  mutating func insert(_ digest: [UInt8], of source: Int, until end: Int64) {
    if ends.count >= Self.countMax { ends = [:] }
    ends[Name(digest: digest, source: source)] = end
  }

  mutating func remove(_ digest: [UInt8], of source: Int) { ends[Name(digest: digest, source: source)] = nil }

  mutating func removeAll() { ends = [:] }
}
