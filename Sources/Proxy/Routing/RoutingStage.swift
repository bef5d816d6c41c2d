// From the request target to a route. The path that is matched is the path that is forwarded, or none is (T39, T117).

import Bytes
import HTTPWire

extension Exchange {
  func findRoute() -> StageOutcome {
    if request.head.method == .trace { return .refuse(.head(.methodUnsupported)) }
    if let downstream, snapshot.isTrusted(downstream.peerAddress) {
      request.peer = Peer(isTrusted: true, namedClient: ForwardedClient(in: request.head, snapshot))
    }
    if snapshot.traces.isOn { decideOnTrace() }
    if let error = request.normalizeTarget() { return .refuse(.target(error)) }
    if snapshot.listeners.changesRequests, let outcome = obeyListener() { return outcome }
    if request.head.method == .options, snapshot.hasCORS, let outcome = answerPreflight() { return outcome }
    switch request.matchRoute(in: snapshot) {
    case .route(let index):
      guard snapshot.routes.indices.contains(index) else { return .refuse(.gateway(.routeNotFound)) }
      let found = snapshot.routes[index]
      route = found
      if let cors = found.cors { cors.writeOriginFields(for: request.head, into: &answer.addedLines) }
      if let clients = found.clients, !clients.allows(clientAddress) { return .refuse(.gateway(.clientNotAllowed)) }
      if !request.target.oddities.isEmpty, let outcome = refuseOddPath(found) { return outcome }
      if let maintenance = found.maintenance, maintenance.isClosed(for: clientAddress) {
        return .refuse(.gateway(.maintenance))
      }
      if let refusal = request.checkHandshake(found) { return .refuse(refusal) }
      return .next
    case .notFound:
      return .refuse(request.target.oddities.slashError.map(Refusal.target) ?? .gateway(.routeNotFound))
    case .methodNotAllowed:
      if let error = request.target.oddities.slashError { return .refuse(.target(error)) }
      if let cors = corsOfMissedRoute { cors.writeOriginFields(for: request.head, into: &answer.addedLines) }
      return .refuse(.gateway(.methodNotAllowed))
    }
  }

  /// Answers a preflight by the route that the announced request would match. Nil for a request that is not a
  /// preflight, or is one for a route without `cors`: that OPTIONS goes on as usual.
  private func answerPreflight() -> StageOutcome? {
    guard let index = request.announcedRoute(in: snapshot), snapshot.routes.indices.contains(index),
      let cors = snapshot.routes[index].cors
    else { return nil }
    route = snapshot.routes[index]
    if let clients = snapshot.routes[index].clients, !clients.allows(clientAddress) {
      return .refuse(.gateway(.clientNotAllowed))
    }
    guard cors.writePreflightFields(for: request.head, into: &answer.addedLines) else {
      return .refuse(.gateway(.originNotAllowed))
    }
    return .answer(GatewayAnswer(status: 204))
  }

  /// A page that may call the path with other methods may also read that this is none of them.
  private var corsOfMissedRoute: CORSPolicy? {
    for index in request.match.missedRoutes.indices {
      let route = request.match.missedRoutes[index]
      if snapshot.routes.indices.contains(route), let cors = snapshot.routes[route].cors { return cors }
    }
    return nil
  }

  /// Refuses what the route does not keep. Nil where it keeps all of it.
  private func refuseOddPath(_ found: CompiledRoute) -> StageOutcome? {
    let refused = request.target.oddities.subtracting(found.keptOddities)
    if let error = refused.slashError { return .refuse(.target(error)) }
    if !request.target.oddities.contains(.emptySegments) || !found.keptOddities.contains(.emptySegments) {
      return refused.isEmpty ? nil : refuseAlteredPath()
    }
    // The normal form is another path to the upstream, so the client is not redirected to it.
    return refused.isEmpty && request.hasEmptySegmentsInRestOnly ? nil : .refuse(.gateway(.pathNotNormal))
  }

  /// The path names something else to a server that keeps dot segments and empty ones, so it is not sent on as another.
  /// Where a second request changes nothing, the client is redirected to the normal form.
  private func refuseAlteredPath() -> StageOutcome {
    let reason = Refusal.gateway(.pathNotNormal)
    guard request.head.method == .get || request.head.method == .head else { return .refuse(reason) }
    answer.refusal = reason
    // The normal path begins with one slash and never with two: no other host can be there.
    let location = Array("Location: ".utf8) + request.target.bytes.copied()
    return .answer(GatewayAnswer(status: 308, fieldLines: location + Array("\r\nCache-Control: no-store\r\n".utf8)))
  }

  /// The client's address: the one that a trusted peer names, or its own. Nil where it cannot be known.
  var clientAddress: PeerAddress? { request.peer.address(of: downstream?.client) }
}

extension PathOddities {
  /// Why a path with slashes that are encoded is refused. Nil where there are none.
  fileprivate var slashError: TargetError? {
    contains(.encodedSlash) ? .encodedSlash : contains(.twiceEncodedSlash) ? .doubleEncoding : nil
  }
}
