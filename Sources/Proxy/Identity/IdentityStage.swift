// The request as the upstream will get it. The order is the point: hop-by-hop fields go first, then every field that
// only the gateway may set, then what the file says, and what the token says comes last (T32–T38).

import Bytes
import HTTPWire
import Tokens

extension Exchange {
  func establishIdentity() -> StageOutcome {
    guard let route, route.isProxied else { return .next }
    chooseUpstream(route)
    ensureRequestID()
    maxForwardsLeft = nil
    if let left = maxForwards {
      if left == 0 { return .answer(GatewayAnswer(status: 204)) }
      maxForwardsLeft = left - 1
    }
    upstreamHead.removeAll()
    upstreamHead.reserve(head.bytes.count + 512)
    guard writeRequestLine(route) else { return .refuse(.gateway(.pathNotNormal)) }
    writeHost(route)
    writeKeptFields(head.bytes.span, route)
    if let maxForwardsLeft {
      upstreamHead.append("Max-Forwards: ")
      upstreamHead.append(decimal: maxForwardsLeft)
      upstreamHead.append("\r\n")
    }
    writeForwardedFields(route)
    writeTracing(route)
    if handshake.isRequested {
      writeHandshake()
    } else if case .chunked = head.framing {
      upstreamHead.append("Transfer-Encoding: chunked\r\n")
    }
    // gRPC requires a sign that nobody on the way drops trailers. In HTTP/2 this one member of TE may be sent (RFC 9113
    // §8.2.2).
    if delivery.pool?.isMultiplexed ?? false, acceptsTrailers(head.bytes.span) {
      upstreamHead.append("TE: trailers\r\n")
    }
    upstreamHead.append("Via: ")
    switch head.version {
    case .http10: upstreamHead.append("1.0")
    case .http11: upstreamHead.append("1.1")
    case .http2: upstreamHead.append("2")
    }
    upstreamHead.append(" catraca\r\n")
    upstreamHead.append(route.requestLines)
    if !route.requestTemplates.isEmpty { fill(route.requestTemplates, route, into: &upstreamHead) }
    if let caller { route.identity.writeFields(of: caller, into: &upstreamHead) }
    if !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate {
      route.writeFields(of: certificate, into: &upstreamHead)
    }
    deadlineStart = isCallTimed || !route.deadlinePrefix.isEmpty ? upstreamHead.count : 0
    upstreamHead.append("\r\n")
    return .next
  }

  private func acceptsTrailers(_ bytes: Span<UInt8>) -> Bool {
    guard head.count(of: .te) == 1, let field = head.first(.te) else { return false }
    var elements = ListElements(field.value)
    while let element = elements.next(in: bytes) {
      if bytes.extracting(element).equalsIgnoringCase("trailers") { return true }
    }
    return false
  }

  private func writeRequestLine(_ route: CompiledRoute) -> Bool {
    // RFC 8441 §5: what CONNECT asks for in HTTP/2 is a GET with Upgrade in HTTP/1.1.
    if head.connectProtocol != nil {
      upstreamHead.append("GET")
    } else {
      upstreamHead.append(head.bytes.span.extracting(head.methodRange))
    }
    upstreamHead.append(" ")
    guard writeTarget(route) else { return false }
    upstreamHead.append(" HTTP/1.1\r\n")
    return true
  }

  /// The client's own authority: the upstream may serve several names.
  private func writeHost(_ route: CompiledRoute) {
    upstreamHead.append("Host: ")
    if let authority = head.authority {
      upstreamHead.append(head.bytes.span.extracting(authority))
    } else {
      if let pool = delivery.pool { upstreamHead.append(pool.defaultHost) }
    }
    upstreamHead.append("\r\n")
  }

  /// Copies what may pass, neighbouring lines as one run.
  private func writeKeptFields(_ bytes: Span<UInt8>, _ route: CompiledRoute) {
    let snapshot = snapshot
    // Asked once for all lines, as each answer costs a walk over them.
    let isTraceKept = head.has(.tracestate) && isTraceKept
    let isCallTimed = head.has(.grpcTimeout) && isCallTimed
    let count = head.fields.count
    var first = 0
    for index in 0..<count {
      let field = head.fields[index]
      if isKept(field, bytes.extracting(field.name), route, snapshot, isTraceKept, isCallTimed) { continue }
      if first < index { copyFields(first..<index, bytes) }
      first = index + 1
      if field.known == .cookie, isCookieCut(route) { writeCutCookie(bytes, field, route) }
      if field.known == .referer, isRefererCut { writeCutReferer(bytes, field, route) }
    }
    if first < count { copyFields(first..<count, bytes) }
  }

  @inline(__always)
  private func copyFields(_ fields: Range<Int>, _ bytes: Span<UInt8>) {
    let start = head.fields[fields.lowerBound].line.lowerBound
    let end = head.fields[fields.upperBound - 1].line.upperBound
    upstreamHead.append(bytes.extracting(start..<end))
  }

  /// Asked of the folded name: what a server may take for another field fares like that one (T76).
  @inline(__always)
  private func isKept(
    _ field: FieldLine, _ name: Span<UInt8>, _ route: CompiledRoute, _ snapshot: Snapshot, _ isTraceKept: Bool,
    _ isCallTimed: Bool
  ) -> Bool {
    switch field.folded {
    case .host, .xRequestID, .traceparent: return false
    case .tracestate: if !isTraceKept { return false }
    case .authorization: if route.isAuthorizationSource, !isForwardedToken(field, route) { return false }
    case .expect: return head.expectsContinue
    case .contentLength: if handshake.isRequested { return false }
    case .grpcTimeout: if isCallTimed { return false }
    case .secWebSocketKey: if head.connectProtocol != nil { return false }
    case .secWebSocketProtocol:
      if route.isWebSocketProtocolSource, field.known != field.folded || !isProtocolForwarded(route) { return false }
    case .cookie: if isCookieCut(route) { return false }
    case .referer: if isRefererCut { return false }
    case .xForwardedFor, .forwarded: return false
    case .xForwardedProto, .xForwardedHost: if !isPeerTrusted { return false }
    default: if maxForwardsLeft != nil, isMaxForwards(field, name) { return false }
    }
    if field.isHopByHop { return false }
    let hash = field.foldedHash
    if snapshot.identityDrops.contains(name, hash: hash) { return false }
    if field.folded.mayTellOfPeers,
      snapshot.neverForwarded.contains(name, hash: hash)
        || snapshot.trust.fields.contains(name, hash: hash) && (!isPeerTrusted || !snapshot.trust.believes(name))
    {
      return false
    }
    if !route.requestDrops.isEmpty, route.requestDrops.contains(name, hash: hash) { return false }
    if !route.headerSources.isEmpty, route.headerSources.contains(name, hash: hash), !isForwardedToken(field, route) {
      return false
    }
    return true
  }
}
