// Fields that go on in part: without what may be a token that nobody verified, and without what is for the gateway
// only.

import Bytes
import HTTPWire

extension ClientRequest {
  /// Whether a field holds the very token that was verified, and that the route sends on: of all places where a service
  /// could look for one, only this stays (T80).
  @inline(__always)
  func isForwardedToken(_ field: FieldLine, _ route: CompiledRoute) -> Bool {
    if !route.isTokenForwarded { return false }
    switch tokenPosition {
    case .field(let token), .basic(let token):
      return field.value.lowerBound <= token.lowerBound && token.upperBound <= field.value.upperBound
    case .none, .cookie, .query, .session: return false
    }
  }
}

extension CompiledRoute {
  /// Whether a field would not go on in any case.
  @inline(__always)
  private func rulesOut(_ field: FieldLine, named name: Span<UInt8>, _ snapshot: Snapshot) -> Bool {
    field.isHopByHop || snapshot.identityDrops.contains(name, hash: field.foldedHash)
      || requestFields.drops.contains(name, hash: field.foldedHash)
  }

  /// The Cookie field without the pairs in which a service might find a token that was not verified, and without the
  /// gateway's own. Nothing if that was all of it.
  func writeCutCookie(
    _ field: FieldLine, of bytes: Span<UInt8>, verified: TokenPosition, butSticky stickyName: [UInt8]?,
    _ snapshot: Snapshot, into output: inout ByteQueue
  ) {
    if rulesOut(field, named: bytes.extracting(field.name), snapshot) { return }
    var pairs = CookiePairs(field.value)
    var hasWritten = false
    while let pair = pairs.next(in: bytes) {
      let name = bytes.extracting(pair.name)
      let isForwarded = isTokenForwarded && verified == .cookie(pair.value)
      if !isForwarded,
        token.cookieSources.contain(name) || token.cookieSources.contain(anyIn: pair.pair, of: bytes)
      {
        continue
      }
      if let stickyName, name.equals(stickyName) { continue }
      output.append(hasWritten ? "; " : "Cookie: ")
      output.append(bytes.extracting(pair.pair))
      hasWritten = true
    }
    if hasWritten { output.append("\r\n") }
  }

  /// The Referer field without the tokens in its query.
  func writeCutReferer(
    _ field: FieldLine, of bytes: Span<UInt8>, _ snapshot: Snapshot, into output: inout ByteQueue
  ) {
    if rulesOut(field, named: bytes.extracting(field.name), snapshot) { return }
    output.append("Referer: ")
    let mark = bytes.extracting(field.value).firstIndex(of: UInt8(ascii: "?"))
    let query = field.value.lowerBound + (mark ?? field.value.count)..<field.value.upperBound
    output.append(bytes.extracting(field.value.lowerBound..<query.lowerBound))
    if !query.isEmpty {
      var pairs = QueryPairs(query.lowerBound + 1..<query.upperBound)
      var isFirst = true
      while let pair = pairs.next(in: bytes) {
        if snapshot.queryTokenNames.contain(bytes.extracting(pair.name)) { continue }
        output.appendPair(pair.pair, of: bytes, isFirst: isFirst, first: "?")
        isFirst = false
      }
    }
    output.append("\r\n")
  }
}
