// The elements of lists in field values, and the pairs of cookies and queries. Each is found as a range of the bytes.

import Bytes

/// The elements of a comma-separated field value, as ranges of the head's bytes.
struct ListElements {
  private var rest: Range<Int>

  init(_ value: Range<Int>) { rest = value }

  mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
    while !rest.isEmpty {
      let end = bytes.extracting(rest).firstIndex(of: 0x2C).map { rest.lowerBound + $0 } ?? rest.upperBound
      let element = trimmed(rest.lowerBound..<end, in: bytes)
      rest = min(end + 1, rest.upperBound)..<rest.upperBound
      if !element.isEmpty { return element }
    }
    return nil
  }
}

/// The pairs of a Cookie field (RFC 6265 §4.2.1), as ranges of the head's bytes. A value's quotes are left out.
struct CookiePairs {
  private var rest: Range<Int>

  init(_ value: Range<Int>) { rest = value }

  mutating func next(in bytes: Span<UInt8>) -> (pair: Range<Int>, name: Range<Int>, value: Range<Int>)? {
    while !rest.isEmpty {
      let end = bytes.extracting(rest).firstIndex(of: 0x3B).map { rest.lowerBound + $0 } ?? rest.upperBound
      let pair = trimmed(rest.lowerBound..<end, in: bytes)
      rest = min(end + 1, rest.upperBound)..<rest.upperBound
      if pair.isEmpty { continue }
      guard let equals = bytes.extracting(pair).firstIndex(of: 0x3D) else {
        return (pair, pair, pair.upperBound..<pair.upperBound)
      }
      let name = trimmed(pair.lowerBound..<(pair.lowerBound + equals), in: bytes)
      var value = trimmed((pair.lowerBound + equals + 1)..<pair.upperBound, in: bytes)
      if value.count >= 2, bytes[value.lowerBound] == 0x22, bytes[value.upperBound - 1] == 0x22 {
        value = (value.lowerBound + 1)..<(value.upperBound - 1)
      }
      return (pair, name, value)
    }
    return nil
  }
}

/// The `name=value` pairs of a query, undecoded. A `;` ends one as `&` does: to services of old it is the same.
struct QueryPairs {
  private var rest: Range<Int>

  init(_ query: Range<Int>) { rest = query }

  mutating func next(in bytes: Span<UInt8>) -> (pair: Range<Int>, name: Range<Int>, value: Range<Int>)? {
    if rest.isEmpty { return nil }
    var end = rest.lowerBound
    while end < rest.upperBound, bytes[end] != 0x26, bytes[end] != 0x3B { end += 1 }
    let pair = rest.lowerBound..<end
    rest = min(end + 1, rest.upperBound)..<rest.upperBound
    let equals = bytes.extracting(pair).firstIndex(of: 0x3D).map { pair.lowerBound + $0 } ?? end
    return (pair, pair.lowerBound..<equals, min(equals + 1, end)..<end)
  }
}

/// Whether a name of a query is `wanted` once its %XX are decoded: an upstream that decodes would find a token under
/// `access%5Ftoken`, too.
func decodes(_ name: Span<UInt8>, to wanted: Span<UInt8>) -> Bool {
  var index = 0
  var matched = 0
  while index < name.count {
    if matched == wanted.count { return false }
    var byte = name[index]
    if byte == 0x25, index + 2 < name.count, let high = hexadecimalValue(name[index + 1]),
      let low = hexadecimalValue(name[index + 2])
    {
      byte = UInt8(high << 4 | low)
      index += 2
    }
    if byte != wanted[matched] { return false }
    matched += 1
    index += 1
  }
  return matched == wanted.count
}

/// The range without spaces and tabs at its ends.
func trimmed(_ range: Range<Int>, in bytes: Span<UInt8>) -> Range<Int> {
  var (start, end) = (range.lowerBound, range.upperBound)
  while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
  while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
  return start..<end
}
