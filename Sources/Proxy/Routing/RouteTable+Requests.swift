// The route table asked with a parsed head and its normal target, as the exchange has them.

import Bytes
package import HTTPWire

extension RouteTable {
  private static let get = Array("GET".utf8)

  /// Finds the most specific route that takes a request.
  ///
  /// - Parameters:
  ///   - host: without port. Empty when the request names none.
  ///   - target: the normal form of the head's target. Not looked at for the asterisk form.
  ///   - method: where in the head the requested method is, when it is not the request's own.
  package func match(
    host: Span<UInt8>, target: borrowing NormalTarget, head: borrowing RequestHead, method: Range<Int>? = nil,
    into match: inout RouteMatch
  ) -> RouteResult {
    let bytes = head.bytes.span
    // RFC 8441 §4: a CONNECT with `:protocol` is what a GET with Upgrade is in HTTP/1.1.
    let method = head.connectProtocol == nil ? bytes.extracting(method ?? head.methodRange) : Self.get.span
    if head.targetForm == .asterisk {
      // Also where it came as an absolute form without a path: it goes up as `*`, so no rule for `/` may let it pass
      // (T44).
      let asterisk: InlineArray<1, UInt8> = [UInt8(ascii: "*")]
      return self.match(
        host: host, path: asterisk.span, segments: [], hasTrailingSlash: false, method: method, fields: head,
        into: &match)
    }
    if target.hasEncodedDelimiter {
      let result = self.match(
        host: host, path: target.plainPath.span, segments: target.plainSegments,
        hasTrailingSlash: target.hasTrailingSlash, method: method, fields: head, into: &match)
      match.move(from: target.plainSegments, to: target.segments, end: target.pathCount)
      return result
    }
    return self.match(
      host: host, path: target.bytes.span.extracting(0..<target.pathCount), segments: target.segments,
      hasTrailingSlash: target.hasTrailingSlash, method: method, fields: head, into: &match)
  }
}

extension RequestHead: RequestFields {
  package borrowing func hasOnlyField(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
    let bytes = self.bytes.span
    var isFound = false
    for index in fields.indices {
      let line = fields[index]
      guard foldedEquals(bytes.extracting(line.name), name) else { continue }
      if isFound || !bytes.extracting(line.value).equals(value) { return false }
      isFound = true
    }
    return isFound
  }
}
