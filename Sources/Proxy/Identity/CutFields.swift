// Fields that go on in part: without what may be a token that nobody verified, and without what is for the gateway
// only.

import Bytes
import HTTPWire

extension ClientRequest {
  /// Whether a field holds the very token that was verified, and that the route sends on: of all places where a service
  /// could look for one, only this stays (T80).
  func isForwardedToken(_ field: FieldLine, _ route: CompiledRoute) -> Bool {
    guard route.isTokenForwarded, case .field(let token) = tokenPosition else { return false }
    return field.value.lowerBound <= token.lowerBound && token.upperBound <= field.value.upperBound
  }
}

extension Exchange {
  /// Whether cookies may be there that are not for the upstream.
  func isCookieCut(_ route: CompiledRoute) -> Bool { !route.cookieSources.isEmpty || delivery.pool?.sticky != nil }

  /// The Cookie field without the pairs in which a service might find a token that was not verified, and without the
  /// gateway's own. Nothing if that was all of it.
  func writeCutCookie(_ bytes: Span<UInt8>, _ field: FieldLine, _ route: CompiledRoute) {
    if isRuledOut(bytes, field, route) { return }
    var pairs = CookiePairs(field.value)
    var hasWritten = false
    while let pair = pairs.next(in: bytes) {
      if isCut(pair, bytes, route) || isSticky(bytes.extracting(pair.name)) { continue }
      upstreamHead.bytes.append(hasWritten ? "; " : "Cookie: ")
      upstreamHead.bytes.append(bytes.extracting(pair.pair))
      hasWritten = true
    }
    if hasWritten { upstreamHead.bytes.append("\r\n") }
  }

  private func isCut(
    _ pair: (pair: Range<Int>, name: Range<Int>, value: Range<Int>), _ bytes: Span<UInt8>, _ route: CompiledRoute
  ) -> Bool {
    if route.isTokenForwarded, request.tokenPosition == .cookie(pair.value) { return false }
    return route.cookieSources.contain(bytes.extracting(pair.name))
      || route.cookieSources.contain(anyIn: pair.pair, of: bytes)
  }

  private func isSticky(_ name: Span<UInt8>) -> Bool { delivery.pool?.sticky.map { name.equals($0.name) } ?? false }

  /// Whether the page that the client comes from may have had a token in its query: on any route, since a page's
  /// pictures are on others (T90).
  var isRefererCut: Bool { !snapshot.queryTokenNames.isEmpty }

  func writeCutReferer(_ bytes: Span<UInt8>, _ field: FieldLine, _ route: CompiledRoute) {
    if isRuledOut(bytes, field, route) { return }
    upstreamHead.bytes.append("Referer: ")
    let mark = bytes.extracting(field.value).firstIndex(of: UInt8(ascii: "?"))
    let query = field.value.lowerBound + (mark ?? field.value.count)..<field.value.upperBound
    upstreamHead.bytes.append(bytes.extracting(field.value.lowerBound..<query.lowerBound))
    if !query.isEmpty {
      var pairs = QueryPairs(query.lowerBound + 1..<query.upperBound)
      var isFirst = true
      while let pair = pairs.next(in: bytes) {
        if snapshot.queryTokenNames.contain(bytes.extracting(pair.name)) { continue }
        upstreamHead.bytes.appendPair(pair.pair, of: bytes, isFirst: isFirst, first: "?")
        isFirst = false
      }
    }
    upstreamHead.bytes.append("\r\n")
  }

  /// Whether the field would not go on in any case.
  private func isRuledOut(_ bytes: Span<UInt8>, _ field: FieldLine, _ route: CompiledRoute) -> Bool {
    let name = bytes.extracting(field.name)
    return field.isHopByHop || snapshot.identityDrops.contains(name, hash: field.foldedHash)
      || route.requestDrops.contains(name, hash: field.foldedHash)
  }
}
