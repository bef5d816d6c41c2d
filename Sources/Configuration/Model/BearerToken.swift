// The bearer token that a fetch of keys shows.

/// The one word in a file, which goes into a field of a request.
package struct BearerToken: Sendable {
  package let text: String

  /// - Parameter content: nil unless it is visible ASCII, but for a line break at the end.
  package init?(_ content: [UInt8]) {
    var word = content[...]
    if word.last == 0x0A { word.removeLast() }
    if word.last == 0x0D { word.removeLast() }
    guard !word.isEmpty, word.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    text = String(decoding: word, as: UTF8.self)
  }
}
