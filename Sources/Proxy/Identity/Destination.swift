// The second address of a WebDAV request (RFC 4918 §10.3), as the server knows it. MOVE and COPY write there, and no
// rule of another route is asked, so it must be an address of the same route.

import Bytes
import HTTPWire

extension Exchange {
  /// Prepares the field for the server. Nil where there is nothing to refuse.
  func mapDestination(_ route: CompiledRoute) -> Refusal? {
    let refusal = Refusal.gateway(.destinationNotAllowed)
    switch request.head.search(header: Self.destinationName.span) {
    case .missing: return nil
    case .empty, .ambiguous: return refusal
    case .found(let value):
      var path = ByteQueue()
      guard request.appendDestination(at: value, of: route, in: snapshot, to: &path) else { return refusal }
      upstreamHead.destination = path.copied()
      return nil
    }
  }

  private static let destinationName = Array("destination".utf8)

  /// The field for the server that was chosen: with the scheme and the authority that it is asked by.
  func writeDestination() {
    guard let pool = delivery.pool, let server = delivery.server else { return }
    upstreamHead.bytes.append("Destination: ")
    upstreamHead.bytes.append(pool.isSecure ? "https://" : "http://")
    if let host = pool.ownHost(at: server) {
      upstreamHead.bytes.append(host)
    } else {
      upstreamHead.writeAuthority(of: request.head, or: pool)
    }
    upstreamHead.bytes.append(upstreamHead.destination)
    upstreamHead.bytes.append("\r\n")
  }
}

extension ClientRequest {
  /// Writes path and query for the server. False where the address is not of the route.
  fileprivate func appendDestination(
    at value: Range<Int>, of route: CompiledRoute, in snapshot: Snapshot, to path: inout ByteQueue
  ) -> Bool {
    let address = head.bytes.span.extracting(value)
    guard let parts = AddressParts(address) else { return false }
    if let authority = parts.authority {
      guard let scheme = parts.isSecure, isOwn(address.extracting(authority), isSecure: scheme) else { return false }
    }
    var target = NormalTarget()
    if target.normalize(address.extracting(parts.pathStart..<address.count)) != nil { return false }
    guard target.oddities.subtracting(route.keptOddities).isEmpty, !target.isAltered else { return false }
    var match = RouteMatch()
    match.listenerBit = self.match.listenerBit
    let host = head.bytes.span.extracting(head.authority ?? 0..<0)
    let found = snapshot.routeTable.match(
      host: host.extracting(hostRange(of: host)), target: target, head: head, into: &match)
    guard case .route(route.index) = found else { return false }
    path.appendPath(of: target, route)
    route.writeQuery(of: target, verified: .none, first: "?", into: &path)
    return true
  }

  /// Whether the authority is the one that the request is for, by whatever scheme: TLS may end before the gateway.
  private func isOwn(_ authority: Span<UInt8>, isSecure: Bool) -> Bool {
    let name = authority.extracting(AddressParts.withoutPort(isSecure ? ":443" : ":80", authority))
    if let own = head.authority, isOne(name, own) { return true }
    guard peer.isTrusted, head.count(of: .xForwardedHost) == 1, let field = head.first(.xForwardedHost) else {
      return false
    }
    return isOne(name, field.value)
  }

  private func isOne(_ name: Span<UInt8>, _ other: Range<Int>) -> Bool {
    let text = head.bytes.span.extracting(other)
    return equalsIgnoringCase(name, text.extracting(AddressParts.withoutPort(":443", text)))
      || equalsIgnoringCase(name, text.extracting(AddressParts.withoutPort(":80", text)))
  }
}
