// The one reader of values that clients send under a name. A value that is there twice is none: which of the two a
// server would take is not known here.

import Bytes
import Configuration
import HTTPWire

/// What looking for a value gave.
enum ValueSearch: Equatable {
  case missing
  /// The name is there, with nothing behind it.
  case empty
  /// It is there twice.
  case ambiguous
  /// In the head's bytes, or in the target's for a query parameter.
  case found(Range<Int>)

  /// Where the value is, if there is one.
  var range: Range<Int>? { if case .found(let range) = self { range } else { nil } }
}

extension RequestHead {
  /// - Parameter name: lower case.
  func search(header name: Span<UInt8>) -> ValueSearch {
    let bytes = bytes.span
    var found = ValueSearch.missing
    for index in fields.indices {
      let field = fields[index]
      guard field.name.count == name.count, foldedEquals(bytes.extracting(field.name), name) else { continue }
      if found != .missing { return .ambiguous }
      found = field.value.isEmpty ? .empty : .found(field.value)
    }
    return found
  }

  func search(cookie name: Span<UInt8>) -> ValueSearch {
    guard count(of: .cookie) > 0 else { return .missing }
    let bytes = bytes.span
    var found = ValueSearch.missing
    for index in fields.indices where fields[index].known == .cookie {
      var pairs = CookiePairs(fields[index].value)
      while let pair = pairs.next(in: bytes) {
        guard bytes.extracting(pair.name).equals(name) else { continue }
        if found != .missing { return .ambiguous }
        found = pair.value.isEmpty ? .empty : .found(pair.value)
      }
    }
    return found
  }

  fileprivate func hash(_ range: Range<Int>, _ key0: UInt64, _ key1: UInt64) -> UInt64 {
    bytes.span.extracting(range).keyedHash(key0, key1)
  }
}

extension NormalTarget {
  /// Of the query's parameters, undecoded.
  func search(query name: Span<UInt8>) -> ValueSearch {
    guard let query else { return .missing }
    let bytes = bytes.span
    var found = ValueSearch.missing
    var pairs = QueryPairs(query)
    while let pair = pairs.next(in: bytes) {
      guard decodes(bytes.extracting(pair.name), to: name) else { continue }
      if found != .missing { return .ambiguous }
      found = pair.value.isEmpty ? .empty : .found(pair.value)
    }
    return found
  }

  fileprivate func hash(_ range: Range<Int>, _ key0: UInt64, _ key1: UInt64) -> UInt64 {
    bytes.span.extracting(range).keyedHash(key0, key1)
  }
}

extension ClientRequest {
  /// What the client sent under a name. Nothing where there is nothing, and for values of other kinds.
  func appendSent(_ value: RequestValue, to queue: inout ByteQueue) {
    switch value {
    case .cookie(let name):
      if let range = head.search(cookie: name.utf8.span).range { queue.append(head.bytes.span.extracting(range)) }
    case .header(let name):
      if let range = head.search(header: name.utf8.span).range { queue.append(head.bytes.span.extracting(range)) }
    case .query(let name):
      if let range = target.search(query: name.utf8.span).range { queue.append(target.bytes.span.extracting(range)) }
    case .clientIP, .claim, .tls: break
    }
  }

  /// A keyed hash of what the client sent under a name. Nil where there is nothing, and for values of other kinds.
  func hash(ofSent value: RequestValue, _ key0: UInt64, _ key1: UInt64) -> UInt64? {
    switch value {
    case .cookie(let name): head.search(cookie: name.utf8.span).range.map { head.hash($0, key0, key1) }
    case .header(let name): head.search(header: name.utf8.span).range.map { head.hash($0, key0, key1) }
    case .query(let name):
      target.search(query: name.utf8.span).range.map { target.hash($0, key0, key1) }
    case .clientIP, .claim, .tls: nil
    }
  }
}
