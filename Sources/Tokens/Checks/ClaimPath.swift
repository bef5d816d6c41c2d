// The path of a claim within the claims, as the configuration names it.

/// A claim's place: `org.tier` is the member `tier` of the member `org`. A claim whose own name holds dots is found
/// too: at every level the longest run of parts that names a member wins.
package struct ClaimPath: Sendable, Hashable, CustomStringConvertible {
  package let parts: [String]
  /// The whole path in UTF-8. A run of parts is a run of these bytes.
  let bytes: [UInt8]
  /// Where each part begins, and one more: the length plus 1.
  let starts: [Int]

  package init(_ text: String) {
    parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let bytes = Array(text.utf8)
    self.bytes = bytes
    starts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: ".") }.map { $0 + 1 } + [bytes.count + 1]
  }

  package var description: String { parts.joined(separator: ".") }
}
