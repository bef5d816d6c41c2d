// The three forms of a request target that the gateway takes (RFC 9112 §3.2): origin, absolute and asterisk. The
// fourth, the authority form, belongs to CONNECT, which is refused before.

/// The form in which a request names its target.
public enum TargetForm: Sendable {
  case origin, absolute
  /// `*`, or what an absolute form without path and query means for OPTIONS (RFC 9112 §3.2.4).
  case asterisk
}

/// Where the parts of a request target are.
struct TargetParts {
  var form: TargetForm
  /// The authority of the absolute form.
  var authority: Range<Int>?
  /// What ``NormalTarget`` takes. Empty for the asterisk form and for an absolute form without path.
  var pathAndQuery: Range<Int>

  /// The parts of the target at `range`, which is not empty. Nil if it has none of the three forms.
  @inline(__always)
  static func read(_ input: Span<UInt8>, _ range: Range<Int>, method: Method) -> TargetParts? {
    if input[range.lowerBound] == 0x2F { return TargetParts(form: .origin, authority: nil, pathAndQuery: range) }
    return readUnusual(input, range, method: method)
  }

  private static func readUnusual(_ input: Span<UInt8>, _ range: Range<Int>, method: Method) -> TargetParts? {
    if range.count == 1, input[range.lowerBound] == 0x2A {
      guard method == .options else { return nil }
      return TargetParts(form: .asterisk, authority: nil, pathAndQuery: range.upperBound..<range.upperBound)
    }
    guard let start = schemeEnd(input, range) else { return nil }
    var end = start
    while end < range.upperBound, input[end] != 0x2F, input[end] != 0x3F, input[end] != 0x23 { end += 1 }
    let form = method == .options && end == range.upperBound ? TargetForm.asterisk : .absolute
    return TargetParts(form: form, authority: start..<end, pathAndQuery: end..<range.upperBound)
  }

  /// The index behind `http://` or `https://` in any case.
  private static func schemeEnd(_ input: Span<UInt8>, _ range: Range<Int>) -> Int? {
    var word: UInt64 = 0
    var index = range.lowerBound
    while index < range.upperBound, index - range.lowerBound < 8, input[index] != 0x3A {
      word = word << 8 | UInt64(lowered(input[index]))
      index += 1
    }
    // "http" and "https", packed.
    guard word == 0x6874_7470 || word == 0x68_7474_7073, range.upperBound - index >= 3 else { return nil }
    guard input[index] == 0x3A, input[index + 1] == 0x2F, input[index + 2] == 0x2F else { return nil }
    return index + 3
  }
}
