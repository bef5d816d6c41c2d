// The request target as the upstream gets it: the normal path, rewritten as the route says, and the query without a
// token.

import Bytes
import Configuration
import HTTPWire

extension ByteQueue {
  /// The path without what the route strips, behind what it adds.
  @inline(__always)
  mutating func appendPath(of target: borrowing NormalTarget, _ route: CompiledRoute) {
    let path = target.bytes.span.extracting(0..<target.pathCount)
    var start = 0
    if route.rewrite.strippedSegmentCount > 0, route.rewrite.strippedSegmentCount <= target.segments.count {
      // The route took these segments without their `;parameters` (T40), which go with them.
      start = target.segments[route.rewrite.strippedSegmentCount - 1].upperBound
      while start < path.count, path[start] != 0x2F { start += 1 }
    }
    append(route.rewrite.addPrefix)
    let rest = path.extracting(start..<path.count)
    if rest.isEmpty, route.rewrite.addPrefix.isEmpty { append("/") }
    append(rest)
  }
}

extension UpstreamHead {
  /// The same with the empty segments that the client wrote. False if the path would begin with two slashes, behind
  /// which many servers read a host.
  mutating func writeUnmergedPath(of request: borrowing ClientRequest, _ route: CompiledRoute) -> Bool {
    let path = request.target.bytes.span.extracting(0..<request.target.pathCount)
    let raw = request.head.bytes.span.extracting(request.head.pathAndQueryRange)
    bytes.append(route.rewrite.addPrefix)
    var segments = UnmergedSegments()
    var strippedCount = route.rewrite.strippedSegmentCount
    var isFirst = route.rewrite.addPrefix.isEmpty
    while let segment = segments.next(in: path, raw) {
      if strippedCount > 0 {
        strippedCount -= 1
        continue
      }
      if isFirst, segment.slashes.count > 1 { return false }
      isFirst = false
      bytes.append(raw.extracting(segment.slashes))
      bytes.append(path.extracting(segment.normal))
    }
    if isFirst { bytes.append("/") }
    return true
  }
}

extension ClientRequest {
  /// Whether no empty segment is in front of what `/*` took. Behind one, a path would not begin as its route does.
  var hasEmptySegmentsInRestOnly: Bool {
    let path = target.bytes.span.extracting(0..<target.pathCount)
    let raw = head.bytes.span.extracting(head.pathAndQueryRange)
    var segments = UnmergedSegments()
    while let segment = segments.next(in: path, raw), segment.normal.lowerBound < match.rest.lowerBound {
      if segment.slashes.count > 1 { return false }
    }
    return true
  }
}

/// The segments of a path without dot segments, each with the slashes that the client wrote in front of it.
private struct UnmergedSegments {
  private var rawIndex = 0
  private var normalIndex = 0

  /// - Returns: the slashes in the path as it came, and the segment in its normal form.
  mutating func next(in normal: Span<UInt8>, _ raw: Span<UInt8>) -> (slashes: Range<Int>, normal: Range<Int>)? {
    let slashes = rawIndex
    while rawIndex < raw.count, raw[rawIndex] == 0x2F { rawIndex += 1 }
    if rawIndex == slashes || normalIndex == normal.count { return nil }
    let slashesEnd = rawIndex
    while rawIndex < raw.count, raw[rawIndex] != 0x2F, raw[rawIndex] != 0x3F { rawIndex += 1 }
    let start = normalIndex + 1
    normalIndex = start
    while normalIndex < normal.count, normal[normalIndex] != 0x2F { normalIndex += 1 }
    return (slashes..<slashesEnd, start..<normalIndex)
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
    if token.querySources.isEmpty {
      head.append(first)
      head.append(bytes.extracting(query))
      return
    }
    var pairs = QueryPairs(query)
    var isFirst = true
    while let pair = pairs.next(in: bytes) {
      let isForwarded = isTokenForwarded && verified == .query(pair.value)
      if !isForwarded, token.querySources.contain(bytes.extracting(pair.name)) { continue }
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
