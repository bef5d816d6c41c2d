// Where a request carries its token: found once, used to verify it and to take it out again.

import Bytes
import Configuration
import HTTPWire

/// The place of a token in the head's bytes, or in the target's.
enum TokenPlace: Equatable {
  case none
  /// In the value of a field: `Authorization`, or a header of its own.
  case field(Range<Int>)
  /// In a Cookie field's value.
  case cookie(Range<Int>)
  /// In the normal target's query.
  case query(Range<Int>)
}

extension Exchange {
  /// Looks at all of the route's sources. Two tokens, in one source or in two, are an error (RFC 6750 §2): which of them an
  /// upstream would believe is anybody's guess. An empty value is no token where there is one beside it.
  func findToken(_ route: CompiledRoute) -> TokenSearch {
    var found = TokenSearch.missing
    for source in route.tokenSources {
      let next: TokenSearch
      switch source {
      case .authorization: next = tokenInAuthorization(head.bytes.span)
      case .cookie(let name): next = TokenSearch(head.search(cookie: name.utf8.span), TokenPlace.cookie)
      case .query(let name): next = TokenSearch(target.search(query: name.utf8.span), TokenPlace.query)
      case .header(let name): next = TokenSearch(head.search(header: name.utf8.span), TokenPlace.field)
      case .webSocketProtocol: next = tokenInWebSocketProtocol(head.bytes.span)
      }
      switch (found, next) {
      case (_, .missing): break
      case (.missing, _), (.empty, _): found = next
      case (_, .empty): break
      default: return .ambiguous
      }
    }
    return found
  }

  private func tokenInAuthorization(_ bytes: Span<UInt8>) -> TokenSearch {
    guard head.count(of: .authorization) > 0, let field = head.first(.authorization) else { return .missing }
    if head.count(of: .authorization) > 1 { return .ambiguous }
    let value = field.value
    // RFC 9110 §11.1: the scheme is case-insensitive. Other schemes are not for us.
    var start = value.lowerBound + 6
    guard start <= value.upperBound,
      bytes.extracting(value.lowerBound..<start).equalsIgnoringCase("bearer"),
      start == value.upperBound || !isLetterOrDigit(bytes[start])
    else { return .missing }
    // §11.4: spaces, and no tab, comma or sign of equality, at which services split as well (T80).
    while start < value.upperBound, bytes[start] == 0x20 { start += 1 }
    if start == value.lowerBound + 6 { return .malformed }
    return start == value.upperBound ? .malformed : .found(.field(start..<value.upperBound))
  }

  private func isLetterOrDigit(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 }
}

/// What looking for a token gave.
enum TokenSearch: Equatable {
  case missing
  /// The place is there, with nothing in it.
  case empty
  case malformed
  case ambiguous
  case found(TokenPlace)

  init(_ value: ValueSearch, _ place: (Range<Int>) -> TokenPlace) {
    switch value {
    case .missing: self = .missing
    case .empty: self = .empty
    case .ambiguous: self = .ambiguous
    case .found(let range): self = .found(place(range))
    }
  }
}

/// The pairs of a Cookie field (RFC 6265 §4.2.1), as ranges of the head's bytes; a value's quotes are left out.
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

/// The range without spaces and tabs at its ends.
func trimmed(_ range: Range<Int>, in bytes: Span<UInt8>) -> Range<Int> {
  var (start, end) = (range.lowerBound, range.upperBound)
  while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
  while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
  return start..<end
}
