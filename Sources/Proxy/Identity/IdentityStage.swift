// The request as the upstream will get it. The order is the point: hop-by-hop fields go first, then every field that
// only the gateway may set, then what the file says, and what the token says comes last (T32–T38).

import Bytes
import HTTPWire
import Tokens

extension Exchange {
  func establishIdentity() -> StageOutcome {
    guard let route, route.isProxied else { return .next }
    chooseUpstream(route)
    request.ensureID(from: &worker.randomIdentifiers)
    request.maxForwardsLeft = nil
    if let left = maxForwards {
      if left == 0 { return .answer(GatewayAnswer(status: 204)) }
      request.maxForwardsLeft = left - 1
    }
    upstreamHead.bytes.removeAll()
    upstreamHead.bytes.reserve(request.head.bytes.count + 512)
    guard writeRequestLine(route) else { return .refuse(.gateway(.pathNotNormal)) }
    writeHost(route)
    writeKeptFields(request.head.bytes.span, route)
    if let left = request.maxForwardsLeft {
      upstreamHead.bytes.append("Max-Forwards: ")
      upstreamHead.bytes.append(decimal: left)
      upstreamHead.bytes.append("\r\n")
    }
    writeForwardedFields(route)
    request.writeTracing(route, &worker.randomIdentifiers, into: &upstreamHead.bytes)
    if request.handshake.isRequested {
      writeHandshake()
    } else if case .chunked = request.head.framing {
      upstreamHead.bytes.append("Transfer-Encoding: chunked\r\n")
    }
    // gRPC requires a sign that nobody on the way drops trailers. In HTTP/2 this one member of TE may be sent (RFC 9113
    // §8.2.2).
    if delivery.pool?.isMultiplexed ?? false, acceptsTrailers(request.head.bytes.span) {
      upstreamHead.bytes.append("TE: trailers\r\n")
    }
    upstreamHead.bytes.append("Via: ")
    switch request.head.version {
    case .http10: upstreamHead.bytes.append("1.0")
    case .http11: upstreamHead.bytes.append("1.1")
    case .http2: upstreamHead.bytes.append("2")
    }
    upstreamHead.bytes.append(" catraca\r\n")
    upstreamHead.bytes.append(route.requestLines)
    if !route.requestTemplates.isEmpty { fill(route.requestTemplates, route, into: &upstreamHead.bytes) }
    if let caller { route.identity.writeFields(of: caller, into: &upstreamHead.bytes) }
    if !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate {
      route.writeFields(of: certificate, into: &upstreamHead.bytes)
    }
    upstreamHead.deadlineStart = isCallTimed || !route.deadlinePrefix.isEmpty ? upstreamHead.bytes.count : 0
    upstreamHead.bytes.append("\r\n")
    return .next
  }

  private func acceptsTrailers(_ bytes: Span<UInt8>) -> Bool {
    guard request.head.count(of: .te) == 1, let field = request.head.first(.te) else { return false }
    var elements = ListElements(field.value)
    while let element = elements.next(in: bytes) {
      if bytes.extracting(element).equalsIgnoringCase("trailers") { return true }
    }
    return false
  }

  private func writeRequestLine(_ route: CompiledRoute) -> Bool {
    // RFC 8441 §5: what CONNECT asks for in HTTP/2 is a GET with Upgrade in HTTP/1.1.
    if request.head.connectProtocol != nil {
      upstreamHead.bytes.append("GET")
    } else {
      upstreamHead.bytes.append(request.head.bytes.span.extracting(request.head.methodRange))
    }
    upstreamHead.bytes.append(" ")
    guard writeTarget(route) else { return false }
    upstreamHead.bytes.append(" HTTP/1.1\r\n")
    return true
  }

  /// The client's own authority: the upstream may serve several names.
  private func writeHost(_ route: CompiledRoute) {
    upstreamHead.bytes.append("Host: ")
    if let authority = request.head.authority {
      upstreamHead.bytes.append(request.head.bytes.span.extracting(authority))
    } else {
      if let pool = delivery.pool { upstreamHead.bytes.append(pool.defaultHost) }
    }
    upstreamHead.bytes.append("\r\n")
  }

  /// Copies what may pass, neighbouring lines as one run.
  private func writeKeptFields(_ bytes: Span<UInt8>, _ route: CompiledRoute) {
    let snapshot = snapshot
    // Asked once for all lines, as each answer costs a walk over them.
    let isTraceKept = request.head.has(.tracestate) && request.isTraceKept
    let isCallTimed = request.head.has(.grpcTimeout) && isCallTimed
    let count = request.head.fields.count
    var first = 0
    for index in 0..<count {
      let field = request.head.fields[index]
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
    let start = request.head.fields[fields.lowerBound].line.lowerBound
    let end = request.head.fields[fields.upperBound - 1].line.upperBound
    upstreamHead.bytes.append(bytes.extracting(start..<end))
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
    case .authorization: if route.isAuthorizationSource, !request.isForwardedToken(field, route) { return false }
    case .expect: return request.head.expectsContinue
    case .contentLength: if request.handshake.isRequested { return false }
    case .grpcTimeout: if isCallTimed { return false }
    case .secWebSocketKey: if request.head.connectProtocol != nil { return false }
    case .secWebSocketProtocol:
      if route.isWebSocketProtocolSource, field.known != field.folded || !request.isProtocolForwarded(route) {
        return false
      }
    case .cookie: if isCookieCut(route) { return false }
    case .referer: if isRefererCut { return false }
    case .xForwardedFor, .forwarded: return false
    case .xForwardedProto, .xForwardedHost: if !request.peer.isTrusted { return false }
    default: if request.maxForwardsLeft != nil, isMaxForwards(field, name) { return false }
    }
    if field.isHopByHop { return false }
    let hash = field.foldedHash
    if snapshot.identityDrops.contains(name, hash: hash) { return false }
    if field.folded.mayTellOfPeers,
      snapshot.neverForwarded.contains(name, hash: hash)
        || snapshot.trust.fields.contains(name, hash: hash)
          && (!request.peer.isTrusted || !snapshot.trust.believes(name))
    {
      return false
    }
    if !route.requestDrops.isEmpty, route.requestDrops.contains(name, hash: hash) { return false }
    if !route.headerSources.isEmpty, route.headerSources.contains(name, hash: hash),
      !request.isForwardedToken(field, route)
    {
      return false
    }
    return true
  }
}
