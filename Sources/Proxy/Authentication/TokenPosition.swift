// Where a request carries its token: found once, used to verify it and to take it out again.

import Bytes
import Configuration
import HTTPWire

/// Where a token is in the head's bytes, or in the target's.
enum TokenPosition: Equatable {
  case none
  /// In the value of a field: `Authorization`, or a header of its own.
  case field(Range<Int>)
  /// In the Basic credentials that a field's value holds.
  case basic(Range<Int>)
  /// In a Cookie field's value.
  case cookie(Range<Int>)
  /// In the normal target's query.
  case query(Range<Int>)
  /// There is none, and the cookie of the session with this index is there instead.
  case session(Int)
}

extension ClientRequest {
  /// Looks at all sources of a route. Two tokens, in one source or in two, are an error (RFC 6750 §2), because
  /// nobody knows which of them an upstream would believe. An empty value is none.
  @inline(__always)
  mutating func findToken(in sources: [TokenSource]) -> TokenSearch {
    var found = TokenSearch.missing
    for source in sources {
      let next: TokenSearch
      switch source {
      case .authorization:
        let bearer = head.credentials(of: "bearer")
        if case .missing = bearer, head.count(of: .authorization) > 0 { next = findBoundToken() } else { next = bearer }
      case .basic: next = findTokenInBasic()
      case .value(.cookie(let name)): next = TokenSearch(head.search(cookie: name.utf8.span), TokenPosition.cookie)
      case .value(.query(let name)): next = TokenSearch(target.search(query: name.utf8.span), TokenPosition.query)
      case .value(.header(let name)): next = TokenSearch(head.search(header: name.utf8.span), TokenPosition.field)
      case .webSocketProtocol: next = tokenInWebSocketProtocol
      // No configuration has these.
      case .value(.clientIP), .value(.claim), .value(.tls): next = .missing
      }
      switch (found, next) {
      case (_, .missing): break
      case (.missing, _): found = next
      default: return .ambiguous
      }
    }
    return found
  }
}

extension ClientRequest {
  /// The bytes of the token that was found. None where there is none.
  var token: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      switch tokenPosition {
      case .none, .session: head.bytes.span.extracting(0..<0)
      case .field(let range), .cookie(let range): head.bytes.span.extracting(range)
      case .query(let range): target.bytes.span.extracting(range)
      case .basic: basicToken.span
      }
    }
  }
}

extension ClientRequest {
  /// RFC 9449 §7.1.
  private mutating func findBoundToken() -> TokenSearch {
    let found = head.credentials(of: "dpop")
    if case .found = found { isProofScheme = true }
    return found
  }

  /// Whether Authorization has something that the route's rules do not take for a token.
  func hasOtherScheme(_ rules: TokenRules) -> Bool {
    guard rules.looksAtAuthorization, let field = head.first(.authorization) else { return false }
    let bytes = head.bytes.span
    let end = bytes.extracting(field.value).firstIndex(of: 0x20) ?? field.value.count
    let scheme = bytes.extracting(field.value.lowerBound..<field.value.lowerBound + end)
    if scheme.isEmpty || scheme.equalsIgnoringCase("bearer") || scheme.equalsIgnoringCase("dpop") { return false }
    return !(scheme.equalsIgnoringCase("basic") && rules.sources.contains(.basic))
  }
}

extension RequestHead {
  /// What follows a scheme in Authorization.
  @inline(__always)
  func credentials(of scheme: StaticString) -> TokenSearch {
    guard count(of: .authorization) > 0, let field = first(.authorization) else { return .missing }
    if count(of: .authorization) > 1 { return .ambiguous }
    let bytes = bytes.span
    let value = field.value
    // RFC 9110 §11.1: the scheme is case-insensitive. Other schemes are not for us.
    var start = value.lowerBound + scheme.utf8CodeUnitCount
    guard start < value.upperBound,
      bytes.extracting(value.lowerBound..<start).equalsIgnoringCase(scheme), !Self.isLetterOrDigit(bytes[start])
    else { return .missing }
    // §11.4: spaces, and no tab, comma or sign of equality, at which services split as well (T80).
    if bytes[start] != 0x20 { return .malformed }
    while start < value.upperBound, bytes[start] == 0x20 { start += 1 }
    return start == value.upperBound ? .missing : .found(.field(start..<value.upperBound))
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 }
}

/// What looking for a token gave.
enum TokenSearch: Equatable {
  /// Or there is nothing in the source.
  case missing
  case malformed
  case ambiguous
  case found(TokenPosition)

  init(_ value: ValueSearch, _ position: (Range<Int>) -> TokenPosition) {
    switch value {
    case .missing, .empty: self = .missing
    case .ambiguous: self = .ambiguous
    case .found(let range): self = .found(position(range))
    }
  }
}
