// Which of a client's fields go on to the upstream.

import Bytes
import HTTPWire

/// What one request decides of them. The route and the snapshot are handed to each question: a filter that held them
/// would count its references for every request.
struct FieldFilter {
  /// The name of the gateway's own cookie.
  let stickyName: [UInt8]?
  /// Whether the client's trace goes on.
  let isTraceKept: Bool
  /// Whether the server receives the rest of a call's own timeout.
  let isCallTimed: Bool
  /// Whether the server receives a token of the gateway's in Authorization.
  let isTokenOwn: Bool

  /// Whether cookies may be there that are not for the upstream.
  @inline(__always)
  func isCookieCut(_ route: CompiledRoute) -> Bool { !route.token.cookieSources.isEmpty || stickyName != nil }

  /// Asked of the folded name: what a server may take for another field fares like that one (T76).
  @inline(__always)
  func keeps(
    _ field: FieldLine, named name: Span<UInt8>, of request: borrowing ClientRequest, _ route: CompiledRoute,
    _ snapshot: Snapshot
  ) -> Bool {
    switch field.folded {
    case .host, .traceparent: return false
    case .xRequestID: if snapshot.requestID.name.isEmpty { return false }
    case .tracestate: if !isTraceKept { return false }
    case .authorization:
      if isTokenOwn { return false }
      if route.token.isAuthorizationSource, !request.isForwardedToken(field, route),
        !request.isBasicOfService(field, route)
      {
        return false
      }
    // A proof is for the gateway, and no service may take one for its own that was good here.
    case .dpop: if route.token.isProofSource { return false }
    case .expect: return request.head.expectsContinue && !request.body.isComplete
    case .contentLength: if request.handshake.isRequested { return false }
    case .grpcTimeout: if isCallTimed { return false }
    case .secWebSocketKey: if request.head.connectProtocol != nil { return false }
    case .secWebSocketProtocol:
      if route.token.isWebSocketProtocolSource, field.known != field.folded || !request.isProtocolForwarded(route) {
        return false
      }
    case .cookie: if isCookieCut(route) { return false }
    case .referer: if snapshot.isRefererCut { return false }
    case .xForwardedFor, .forwarded: return false
    case .xForwardedProto, .xForwardedHost: if !request.peer.isTrusted { return false }
    default: if request.maxForwardsLeft != nil, request.head.isMaxForwards(field, name) { return false }
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
    if !route.requestFields.drops.isEmpty, route.requestFields.drops.contains(name, hash: hash) { return false }
    if !route.token.headerSources.isEmpty, route.token.headerSources.contains(name, hash: hash),
      !request.isForwardedToken(field, route)
    {
      return false
    }
    return true
  }
}
