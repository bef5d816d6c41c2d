// The request as the upstream will get it. The order is the point: hop-by-hop fields go first, then every field that
// only the gateway may set, then what the file says, and what the token says comes last (T32–T38).

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Exchange {
  func establishIdentity() -> StageOutcome {
    guard let route, route.isProxied else { return .next }
    let snapshot = snapshot
    chooseUpstream(route, of: snapshot)
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    if request.head.method == .options, let left = request.head.maxForwards {
      if left == 0 { return .answer(GatewayAnswer(status: 204)) }
      request.maxForwardsLeft = left - 1
    }
    upstreamHead.begin(request.head)
    guard writeTarget(route) else { return .refuse(.gateway(.pathNotNormal)) }
    if route.rewrite.mapsDestination, let refusal = mapDestination(route) { return .refuse(refusal) }
    return writeFields(route, snapshot, delivery.pool) ? .next : .refuse(.gateway(.assertionUnavailable))
  }

  /// False if a template of the route needs a value that the request does not have, or the path would begin with two
  /// slashes.
  @inline(__always)
  private func writeTarget(_ route: CompiledRoute) -> Bool {
    if request.head.targetForm == .asterisk {
      upstreamHead.bytes.append("*")
    } else {
      if request.target.oddities.contains(.emptySegments) {
        guard upstreamHead.writeUnmergedPath(of: request, route) else { return false }
      } else if route.rewrite.path.isEmpty {
        upstreamHead.bytes.appendPath(of: request.target, route)
      } else if !request.fill(route.rewrite.path, templateContext(route), as: .url, into: &upstreamHead.bytes) {
        return false
      }
      route.writeQuery(
        of: request.target, verified: request.tokenPosition, first: "?", into: &upstreamHead.bytes)
    }
    upstreamHead.bytes.append(" HTTP/1.1\r\n")
    return true
  }

  /// False if the upstream must have what cannot be signed.
  @inline(__always)
  private func writeFields(_ route: CompiledRoute, _ snapshot: Snapshot, _ pool: UpstreamPool?) -> Bool {
    upstreamHead.writeHost(of: request.head, for: pool)
    let isTraceKept = request.head.hasTrace
    let isCallTimed = isCallTimed
    upstreamHead.writeKeptFields(
      of: request,
      FieldFilter(
        stickyName: pool?.sticky?.name, isTraceKept: isTraceKept, isCallTimed: isCallTimed,
        isTokenOwn: route.token.isSessionTokenForwarded && caller?.accessToken.isEmpty == false), route, snapshot)
    if let left = request.maxForwardsLeft {
      upstreamHead.bytes.append("Max-Forwards: ")
      upstreamHead.bytes.append(decimal: left)
      upstreamHead.bytes.append("\r\n")
    }
    if let client = downstream?.client {
      upstreamHead.writeForwardedFields(of: request, from: client, route, snapshot)
    }
    if route.rewrite.isPrefixTold { upstreamHead.writeForwardedPrefix(of: request, route, snapshot) }
    request.writeID(route, snapshot, into: &upstreamHead.bytes)
    if !route.isRuled(.traceparent) {
      if snapshot.traces.isOn {
        writeTraceParentOfUntraced(isTraceKept)
      } else {
        request.writeTraceParent(isTraceKept, &worker.randomIdentifiers, into: &upstreamHead.bytes)
      }
    }
    if request.handshake.isRequested {
      request.writeHandshake(route, &worker.randomIdentifiers, into: &upstreamHead.bytes)
    } else if case .chunked = request.head.framing {
      upstreamHead.bytes.append("Transfer-Encoding: chunked\r\n")
    }
    // gRPC requires a sign that nobody on the way drops trailers. In HTTP/2 this one member of TE may be sent (RFC 9113
    // §8.2.2).
    if pool?.isMultiplexed ?? false, request.head.acceptsTrailers { upstreamHead.bytes.append("TE: trailers\r\n") }
    upstreamHead.writeVia(request.head.version)
    upstreamHead.bytes.append(route.requestFields.lines)
    if !route.requestFields.templates.isEmpty {
      request.fill(route.requestFields.templates, templateContext(route), into: &upstreamHead.bytes)
    }
    if let caller {
      route.identity.writeFields(of: caller, into: &upstreamHead.bytes)
      if let field = route.identity.assertion, !writeAssertion(field, of: caller, into: &upstreamHead.bytes) {
        return false
      }
    }
    if !authorization.lines.isEmpty { upstreamHead.bytes.append(authorization.lines) }
    if !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate {
      route.writeFields(of: certificate, into: &upstreamHead.bytes)
    }
    let isWrittenAgain =
      isCallTimed || !route.deadlinePrefix.isEmpty || upstreamHead.isHostOfServer || !upstreamHead.destination.isEmpty
      || tracing.decision == .sampled
    upstreamHead.attemptStart = isWrittenAgain ? upstreamHead.bytes.count : 0
    upstreamHead.bytes.append("\r\n")
    return true
  }

  func templateContext(_ route: CompiledRoute) -> TemplateContext {
    TemplateContext(route: route, snapshot: snapshot, client: downstream?.client, caller: caller)
  }

  // MARK: What differs between attempts

  /// Whether the server receives the rest of a call's own timeout. One that is longer than can be counted goes on as it
  /// came.
  private var isCallTimed: Bool {
    request.head.has(.grpcTimeout) && times.routeDeadline < .max && request.head.count(of: .grpcTimeout) == 1
      && request.head.isGRPC
  }

  /// Ends the head for the server that was chosen: with its name, and with what is left of the time now.
  func writeAttemptFields() {
    upstreamHead.bytes.truncate(to: upstreamHead.attemptStart)
    guard let route else {
      // A request of the gateway's own.
      if let trace = tracing.trace { writeTraceParent(of: trace) }
      return upstreamHead.bytes.append("\r\n")
    }
    if upstreamHead.isHostOfServer, let server = delivery.server { upstreamHead.writeHost(server.authority) }
    if !upstreamHead.destination.isEmpty { writeDestination() }
    if let trace = tracing.trace, !route.isRuled(.traceparent) { writeTraceParent(of: trace) }
    let left = max(0, times.routeDeadline &- worker.time.nanoseconds)
    upstreamHead.writeDeadline(left: left, isCallTimed: isCallTimed, route)
    upstreamHead.bytes.append("\r\n")
  }
}

extension RequestHead {
  fileprivate var acceptsTrailers: Bool {
    guard count(of: .te) == 1, let field = first(.te) else { return false }
    let bytes = bytes.span
    var elements = ListElements(field.value)
    while let element = elements.next(in: bytes) {
      if bytes.extracting(element).equalsIgnoringCase("trailers") { return true }
    }
    return false
  }
}
