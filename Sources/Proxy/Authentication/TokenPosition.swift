// Where a request carries its token: found once, used to verify it and to take it out again.

import Bytes
import Configuration
import HTTPWire

/// The place of a token in the head's bytes, or in the target's.
enum TokenPosition: Equatable {
  case none
  /// In the value of a field: `Authorization`, or a header of its own.
  case field(Range<Int>)
  /// In a Cookie field's value.
  case cookie(Range<Int>)
  /// In the normal target's query.
  case query(Range<Int>)
}

extension Exchange {
  /// Looks at all of the route's sources. Two tokens, in one source or in two, are an error (RFC 6750 §2), because
  /// nobody knows which of them an upstream would believe. An empty value does not count where there is a token beside
  /// it.
  func findToken(_ route: CompiledRoute) -> TokenSearch {
    var found = TokenSearch.missing
    for source in route.tokenSources {
      let next: TokenSearch
      switch source {
      case .authorization: next = tokenInAuthorization(request.head.bytes.span)
      case .value(.cookie(let name)):
        next = TokenSearch(request.head.search(cookie: name.utf8.span), TokenPosition.cookie)
      case .value(.query(let name)):
        next = TokenSearch(request.target.search(query: name.utf8.span), TokenPosition.query)
      case .value(.header(let name)):
        next = TokenSearch(request.head.search(header: name.utf8.span), TokenPosition.field)
      case .webSocketProtocol: next = request.tokenInWebSocketProtocol(request.head.bytes.span)
      // No configuration has these.
      case .value(.clientIP), .value(.claim), .value(.tls): next = .missing
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
    guard request.head.count(of: .authorization) > 0, let field = request.head.first(.authorization) else {
      return .missing
    }
    if request.head.count(of: .authorization) > 1 { return .ambiguous }
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
  case found(TokenPosition)

  init(_ value: ValueSearch, _ place: (Range<Int>) -> TokenPosition) {
    switch value {
    case .missing: self = .missing
    case .empty: self = .empty
    case .ambiguous: self = .ambiguous
    case .found(let range): self = .found(place(range))
    }
  }
}
