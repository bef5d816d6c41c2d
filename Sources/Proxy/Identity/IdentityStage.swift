// The request as the upstream will get it. The order is the point: hop-by-hop fields go first, then every field that only
// the gateway may set, then what the file says, and what the token says comes last (T32–T38).

import Bytes
import HTTPWire
import Tokens

extension Exchange {
  func establishIdentity() -> StageOutcome {
    guard let route, route.isProxied else { return .next }
    ensureRequestID()
    upstreamHead.removeAll()
    upstreamHead.reserve(head.bytes.count + 512)
    writeRequestLine(route)
    writeHost(route)
    writeKeptFields(head.bytes.span, route)
    writeForwardedFields(route)
    writeTracing(route)
    if case .chunked = head.framing { upstreamHead.append("Transfer-Encoding: chunked\r\n") }
    upstreamHead.append("Via: ")
    upstreamHead.append(head.version == .http11 ? "1.1" : "1.0")
    upstreamHead.append(" catraca\r\n")
    upstreamHead.append(route.requestLines)
    if let token { writeIdentityFields(of: token, route) }
    upstreamHead.append("\r\n")
    return .next
  }

  private func writeRequestLine(_ route: CompiledRoute) {
    upstreamHead.append(head.bytes.span.extracting(head.methodRange))
    upstreamHead.append(" ")
    writeTarget(route)
    upstreamHead.append(" HTTP/1.1\r\n")
  }

  /// The client's own authority: the upstream may serve several names.
  private func writeHost(_ route: CompiledRoute) {
    upstreamHead.append("Host: ")
    if let authority = head.authority {
      upstreamHead.append(head.bytes.span.extracting(authority))
    } else {
      upstreamHead.append(route.defaultHost)
    }
    upstreamHead.append("\r\n")
  }

  /// Copies what may pass, neighbouring lines as one run.
  private func writeKeptFields(_ bytes: Span<UInt8>, _ route: CompiledRoute) {
    var run = 0..<0
    for index in head.fields.indices {
      let field = head.fields[index]
      if !isKept(field, bytes.extracting(field.name), route) {
        if field.known == .cookie, !route.cookieSources.isEmpty { writeCookieWithoutToken(bytes, field, route) }
        continue
      }
      if run.upperBound == field.line.lowerBound {
        run = run.lowerBound..<field.line.upperBound
      } else {
        upstreamHead.append(bytes.extracting(run))
        run = field.line
      }
    }
    upstreamHead.append(bytes.extracting(run))
  }

  private func isKept(_ field: FieldLine, _ name: Span<UInt8>, _ route: CompiledRoute) -> Bool {
    switch field.known {
    case .host, .xRequestID, .traceparent: return false
    case .tracestate: if !isTraceKept { return false }
    case .authorization: if route.isAuthorizationSource, !route.isTokenForwarded { return false }
    case .expect: return head.expectsContinue
    case .cookie: if !route.cookieSources.isEmpty { return false }
    case .xForwardedFor, .forwarded: return false
    case .xForwardedProto, .xForwardedHost: if !isPeerTrusted { return false }
    default: break
    }
    if head.isHopByHop(field) { return false }
    let hash = field.foldedHash
    if snapshot.identityDrops.contains(name, hash: hash) { return false }
    if snapshot.forwardedDrops.contains(name, hash: hash), !isPeerTrusted || isAlias(name) { return false }
    if !route.requestDrops.isEmpty, route.requestDrops.contains(name, hash: hash) { return false }
    if !route.headerSources.isEmpty, !route.isTokenForwarded, route.headerSources.contains(name, hash: hash) {
      return false
    }
    return true
  }

  /// Another spelling of a name, which a CGI-like upstream cannot tell from the real one.
  private func isAlias(_ name: Span<UInt8>) -> Bool {
    for index in name.indices where name[index] == 0x5F || name[index] == 0x2E { return true }
    return false
  }

  /// The Cookie field without the pairs that may hold a token, verified or not; nothing if that was all of it.
  private func writeCookieWithoutToken(_ bytes: Span<UInt8>, _ field: FieldLine, _ route: CompiledRoute) {
    let name = bytes.extracting(field.name)
    guard !head.isHopByHop(field), !snapshot.identityDrops.contains(name, hash: field.foldedHash),
      !route.requestDrops.contains(name, hash: field.foldedHash)
    else { return }
    var pairs = CookiePairs(field.value)
    var hasWritten = false
    while let pair = pairs.next(in: bytes) {
      if isOne(bytes.extracting(pair.name), of: route.cookieSources) { continue }
      upstreamHead.append(hasWritten ? "; " : "Cookie: ")
      upstreamHead.append(bytes.extracting(pair.pair))
      hasWritten = true
    }
    if hasWritten { upstreamHead.append("\r\n") }
  }

  func isOne(_ name: Span<UInt8>, of names: [[UInt8]]) -> Bool {
    for index in names.indices where name.equals(names[index]) { return true }
    return false
  }
}
