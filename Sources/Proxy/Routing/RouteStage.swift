// From the request target to a route. The path that is matched is the path that is forwarded (T39).

import Bytes
import HTTPWire

extension Exchange {
  func findRoute() -> StageOutcome {
    if head.method == .trace { return .refuse(.head(.methodUnsupported)) }
    if let downstream { isPeerTrusted = snapshot.isTrusted(downstream.peerAddress) }
    if let error = normalizeTarget(head.bytes.span) { return .refuse(.target(error)) }
    if head.method == .options, snapshot.hasCORS, let outcome = answerPreflight() { return outcome }
    switch matchRoute(head.bytes.span, in: snapshot) {
    case .route(let index):
      guard snapshot.routes.indices.contains(index) else { return .refuse(.gateway(.routeNotFound)) }
      let found = snapshot.routes[index]
      route = found
      if let cors = found.cors { writeOriginFields(cors) }
      if let maintenance = found.maintenance, isClosed(by: maintenance) { return .refuse(.gateway(.maintenance)) }
      return checkHandshake(found)
    case .notFound: return .refuse(.gateway(.routeNotFound))
    case .methodNotAllowed: return .refuse(.gateway(.methodNotAllowed))
    }
  }

  private func normalizeTarget(_ bytes: Span<UInt8>) -> TargetError? {
    if head.targetForm == .asterisk { return nil }
    return target.normalize(bytes.extracting(head.pathAndQueryRange))
  }

  /// - Parameter method: where in the head the method stands that is asked about, when it is not the request's own.
  func matchRoute(_ bytes: Span<UInt8>, in snapshot: Snapshot, method: Range<Int>? = nil) -> RouteResult {
    let host = bytes.extracting(head.authority ?? 0..<0)
    return snapshot.routeTable.match(
      host: host.extracting(hostRange(of: host)), target: target, head: head, method: method, into: &routeMatch)
  }
}
