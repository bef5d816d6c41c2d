// Where a request of GraphQL has its document: in a body of one of two types, or in the query. What a lenient server
// could find elsewhere is refused (T114).

import Bytes
import HTTPWire

/// What a body is.
enum GraphQLForm {
  /// `application/json`.
  case json
  /// `application/graphql`: the document itself.
  case document
}

extension RequestHead {
  /// Nil for a body that nobody looks into: of another type, of two, or coded. Pages of other origins can send
  /// `text/plain` without being asked.
  var graphQLForm: GraphQLForm? {
    var found: GraphQLForm?
    let bytes = bytes.span
    for index in fields.indices {
      switch fields[index].folded {
      case .contentEncoding: return nil
      case .contentType:
        guard found == nil, fields[index].known == .contentType else { return nil }
        found = Self.form(bytes, fields[index].value)
        if found == nil { return nil }
      default: break
      }
    }
    return found
  }

  private static func form(_ bytes: Span<UInt8>, _ value: Range<Int>) -> GraphQLForm? {
    let type = mediaType(in: bytes, value)
    guard isPlainUTF8(bytes.extracting(type.upperBound..<value.upperBound)) else { return nil }
    if bytes.extracting(type).equalsIgnoringCase("application/json") { return .json }
    return bytes.extracting(type).equalsIgnoringCase("application/graphql") ? .document : nil
  }

  /// Whether the parameters of a media type say nothing but `charset=utf-8`: in another charset the same bytes are
  /// another document.
  private static func isPlainUTF8(_ parameters: Span<UInt8>) -> Bool {
    let rest = trimmed(0..<parameters.count, in: parameters)
    if rest.isEmpty { return true }
    guard parameters[rest.lowerBound] == UInt8(ascii: ";") else { return false }
    let parameter = parameters.extracting(trimmed(rest.lowerBound + 1..<rest.upperBound, in: parameters))
    return parameter.equalsIgnoringCase("charset=utf-8") || parameter.equalsIgnoringCase("charset=\"utf-8\"")
  }
}

/// The parameters of a GET, decoded.
struct GraphQLParameters {
  var query: [UInt8]?
  var operationName: [UInt8]?
  var extensions: [UInt8]?
}

/// Names of parameters.
private enum Names {
  static let query = Name("query")
  static let operationName = Name("operationName")
  static let variables = Name("variables")
  static let extensions = Name("extensions")
  /// Names a document that is nowhere in the request.
  static let documentID = Name("documentId")

  struct Name {
    let lenient: LenientName
    let bytes: [UInt8]

    init(_ name: String) {
      lenient = LenientName(name)
      bytes = Array(name.utf8)
    }

    func matches(_ name: Span<UInt8>) -> Bool { lenient.matches(name) }
  }
}

extension NormalTarget {
  /// Whether the query has a parameter that a server of GraphQL could take.
  var namesGraphQL: Bool {
    guard let query else { return false }
    let bytes = bytes.span
    var pairs = QueryPairs(query)
    while let pair = pairs.next(in: bytes) {
      let name = bytes.extracting(pair.name)
      if Names.query.matches(name) || Names.operationName.matches(name) || Names.variables.matches(name)
        || Names.extensions.matches(name) || Names.documentID.matches(name)
      {
        return true
      }
    }
    return false
  }

  /// Nil where servers could read the query in different ways: a parameter twice, a name in another spelling, a `;`.
  var graphQLParameters: GraphQLParameters? {
    var found = GraphQLParameters()
    guard let query else { return found }
    let bytes = bytes.span
    if bytes.extracting(query).firstIndex(of: UInt8(ascii: ";")) != nil { return nil }
    var hasVariables = false
    var pairs = QueryPairs(query)
    while let pair = pairs.next(in: bytes) {
      let name = bytes.extracting(pair.name)
      let value = bytes.extracting(pair.value)
      if Names.query.matches(name) {
        guard found.query == nil, name.equals(Names.query.bytes), let text = Self.decoded(value) else { return nil }
        found.query = text
      } else if Names.operationName.matches(name) {
        guard found.operationName == nil, name.equals(Names.operationName.bytes), let text = Self.decoded(value) else {
          return nil
        }
        found.operationName = text
      } else if Names.extensions.matches(name) {
        guard found.extensions == nil, name.equals(Names.extensions.bytes), let text = Self.decoded(value) else {
          return nil
        }
        found.extensions = text
      } else if Names.variables.matches(name) {
        guard !hasVariables, name.equals(Names.variables.bytes), Self.decoded(value) != nil else { return nil }
        hasVariables = true
      } else if Names.documentID.matches(name) {
        return nil
      }
    }
    return found
  }

  /// As a form has it. Nil for a `%` without two digits behind it.
  private static func decoded(_ value: Span<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(value.count)
    var index = 0
    while index < value.count {
      switch value[index] {
      case UInt8(ascii: "+"): result.append(0x20)
      case UInt8(ascii: "%"):
        guard index + 2 < value.count, let high = hexadecimalValue(value[index + 1]),
          let low = hexadecimalValue(value[index + 2])
        else { return nil }
        result.append(UInt8(high << 4 | low))
        index += 2
      default: result.append(value[index])
      }
      index += 1
    }
    return result
  }
}
