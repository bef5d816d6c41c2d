// The request target as the upstream gets it: the normal path, rewritten as the route says, and the query without a token.

import Bytes
import Configuration
import HTTPWire

extension Exchange {
  func writeTarget(_ route: CompiledRoute) {
    if head.targetForm == .asterisk {
      upstreamHead.append("*")
      return
    }
    if !route.rewrite.path.isEmpty {
      fill(route.rewrite.path, route, into: &upstreamHead)
    } else {
      writePrefixes(route, target.bytes.span)
    }
    writeQuery(of: target, route, first: "?")
  }

  private func writePrefixes(_ route: CompiledRoute, _ bytes: Span<UInt8>) {
    let path = bytes.extracting(0..<target.pathCount)
    var start = 0
    if route.strippedSegmentCount > 0, route.strippedSegmentCount <= target.segments.count {
      // The route took these segments without their `;parameters` (T40), which go with them.
      start = target.segments[route.strippedSegmentCount - 1].upperBound
      while start < path.count, path[start] != 0x2F { start += 1 }
    }
    upstreamHead.append(route.addPrefix)
    let rest = path.extracting(start..<path.count)
    if rest.isEmpty, route.addPrefix.isEmpty { upstreamHead.append("/") }
    upstreamHead.append(rest)
  }

  /// The query as it came, without the pairs in which a service might find a token that was not verified.
  func writeQuery(of target: borrowing NormalTarget, _ route: CompiledRoute, first: StaticString) {
    guard let query = target.query else { return }
    let bytes = target.bytes.span
    if route.querySources.isEmpty {
      upstreamHead.append(first)
      upstreamHead.append(bytes.extracting(query))
      return
    }
    var pairs = QueryPairs(query)
    var isFirst = true
    while let pair = pairs.next(in: bytes) {
      let isForwarded = route.isTokenForwarded && tokenPlace == .query(pair.value)
      if !isForwarded, route.querySources.contain(bytes.extracting(pair.name)) { continue }
      appendPair(pair.pair, of: bytes, isFirst: isFirst, first: first)
      isFirst = false
    }
  }
}
