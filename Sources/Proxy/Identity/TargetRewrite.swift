// The request target as the upstream gets it: the normal path, rewritten as the route says, and the query without a
// token.

import Bytes
import Configuration
import HTTPWire

extension UpstreamHead {
  /// The path without what the route strips, behind what it adds.
  @inline(__always)
  mutating func writePath(of target: borrowing NormalTarget, _ route: CompiledRoute) {
    let path = target.bytes.span.extracting(0..<target.pathCount)
    var start = 0
    if route.strippedSegmentCount > 0, route.strippedSegmentCount <= target.segments.count {
      // The route took these segments without their `;parameters` (T40), which go with them.
      start = target.segments[route.strippedSegmentCount - 1].upperBound
      while start < path.count, path[start] != 0x2F { start += 1 }
    }
    bytes.append(route.addPrefix)
    let rest = path.extracting(start..<path.count)
    if rest.isEmpty, route.addPrefix.isEmpty { bytes.append("/") }
    bytes.append(rest)
  }
}

extension CompiledRoute {
  /// The query as it came, without the pairs in which a service might find a token that was not verified.
  /// - Parameter verified: where the token is that was.
  func writeQuery(
    of target: borrowing NormalTarget, verified: TokenPosition, first: StaticString, into head: inout ByteQueue
  ) {
    guard let query = target.query else { return }
    let bytes = target.bytes.span
    if querySources.isEmpty {
      head.append(first)
      head.append(bytes.extracting(query))
      return
    }
    var pairs = QueryPairs(query)
    var isFirst = true
    while let pair = pairs.next(in: bytes) {
      let isForwarded = isTokenForwarded && verified == .query(pair.value)
      if !isForwarded, querySources.contain(bytes.extracting(pair.name)) { continue }
      head.appendPair(pair.pair, of: bytes, isFirst: isFirst, first: first)
      isFirst = false
    }
  }
}

extension ByteQueue {
  /// A query's pair behind the separator that was before it.
  mutating func appendPair(_ pair: Range<Int>, of bytes: Span<UInt8>, isFirst: Bool, first: StaticString) {
    if isFirst { append(first) } else { append(bytes[pair.lowerBound - 1]) }
    append(bytes.extracting(pair))
  }
}
