// Routes and requests in one line each, for the tests of the route table.

import Bytes
import Configuration

@testable import Proxy

/// A route that is named by its path unless a name is given. `/a/*` is a prefix, `{x}` a parameter, `*.` in front of a
/// host a wildcard.
func makeRoute(
  _ path: String, host: String? = nil, methods: [String] = [], headers: [String: String] = [:], name: String? = nil
) -> Route {
  var text = Substring(path)
  let isPrefix = text.hasSuffix("/*")
  if isPrefix { text = text.dropLast(2) }
  let segments = text.split(separator: "/").map { part -> PathPattern.Segment in
    part.hasPrefix("{") ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
  }
  let pattern = PathPattern(
    segments: segments, isPrefix: isPrefix, hasTrailingSlash: !isPrefix && text.hasSuffix("/"))
  var route = Route(
    name: name ?? path, path: pattern, auth: .public,
    action: .respond(FixedResponse(status: 200, body: "", contentType: "text/plain")))
  if let host { route.host = host.hasPrefix("*.") ? .subdomains(of: String(host.dropFirst(2))) : .exact(host) }
  route.methods = methods
  route.headers = headers.sorted { $0.key < $1.key }.map { HeaderMatch(name: $0.key, value: $0.value) }
  return route
}

/// Header fields as lower-case names and values.
struct FieldList: RequestFields {
  var fields: [(name: String, value: String)]

  func hasOnlyField(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
    let same = fields.filter { Array($0.name.utf8).span.equals(name) }
    return same.count == 1 && Array(same[0].value.utf8).span.equals(value)
  }
}

/// What a look-up found, in words.
struct Found: Equatable {
  /// The route's name, `404`, or `405` with the methods allowed.
  var route: String
  var captures: [String] = []
  var rest = ""
}

/// A route table with the names of its routes.
final class RouteLookUp {
  let routes: [Route]
  let table: RouteTable

  init(_ routes: [Route]) {
    self.routes = routes
    table = RouteTable(routes)
  }

  func find(
    _ path: String, host: String = "", method: String = "GET", fields: [(name: String, value: String)] = []
  ) -> Found {
    var match = RouteMatch()
    return find(path, host: host, method: method, fields: fields, using: &match)
  }

  /// - Parameter match: as left by a look-up before.
  func find(
    _ path: String, host: String = "", method: String = "GET", fields: [(name: String, value: String)] = [],
    using match: inout RouteMatch
  ) -> Found {
    let bytes = Array(path.utf8)
    let (segments, hasTrailingSlash) = Self.cut(bytes)
    let result = table.match(
      host: Array(host.utf8).span, path: bytes.span, segments: segments, hasTrailingSlash: hasTrailingSlash,
      method: Array(method.utf8).span, fields: FieldList(fields: fields), into: &match)
    switch result {
    case .notFound: return Found(route: "404")
    case .methodNotAllowed:
      var allow = ByteQueue()
      table.appendAllow(of: match, to: &allow)
      return Found(route: "405 " + allow.span.text())
    case .route(let index):
      return Found(
        route: routes[index].name, captures: match.captures.map { String(decoding: bytes[$0], as: UTF8.self) },
        rest: String(decoding: bytes[match.rest], as: UTF8.self))
    }
  }

  /// Segments of a normal path as the target's normal form gives them: without parameters, and without the empty one
  /// behind a final slash.
  static func cut(_ path: [UInt8]) -> (segments: [Range<Int>], hasTrailingSlash: Bool) {
    var segments: [Range<Int>] = []
    guard path.first == UInt8(ascii: "/") else { return ([], false) }
    var start = 1
    while start < path.count {
      let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
      segments.append(start..<(path[start..<end].firstIndex(of: UInt8(ascii: ";")) ?? end))
      start = end + 1
    }
    return (segments, path.last == UInt8(ascii: "/"))
  }
}
