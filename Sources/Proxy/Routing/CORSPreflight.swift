// Requests of pages of other origins (the Fetch standard's CORS protocol), on routes with `cors`: preflights are
// answered here, before anybody asks for a token, and every answer carries the fields without which the page could not
// read it.

import Bytes
import HTTPWire

extension Exchange {
  /// Answers a preflight by the route that the announced request would match. Nil for a request that is not a
  /// preflight, or is one for a route without `cors`: that OPTIONS goes on as usual.
  func answerPreflight() -> StageOutcome? {
    guard request.head.count(of: .origin) == 1, let origin = request.head.first(.origin),
      request.head.targetForm != .asterisk,
      case .found(let method) = request.head.search(header: Self.requestMethodName.span),
      case .route(let index) = request.matchRoute(in: snapshot, method: method),
      snapshot.routes.indices.contains(index), let cors = snapshot.routes[index].cors
    else { return nil }
    route = snapshot.routes[index]
    answer.addedLines.append("Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, ")
    answer.addedLines.append("Access-Control-Request-Private-Network\r\n")
    guard cors.allows(request.head.bytes.span.extracting(origin.value)) else {
      return .refuse(.gateway(.originNotAllowed))
    }
    if !cors.isOpen { writeOrigin(origin, request.head.bytes.span) }
    answer.addedLines.append(cors.preflightLines)
    if cors.areHeadersEchoed { echoRequestedHeaders(request.head.bytes.span) }
    if cors.isPrivateNetworkAllowed,
      case .found = request.head.search(header: Self.privateNetworkName.span)
    {
      answer.addedLines.append("Access-Control-Allow-Private-Network: true\r\n")
    }
    return .answer(GatewayAnswer(status: 204))
  }

  private static let requestMethodName = Array("access-control-request-method".utf8)
  private static let requestHeadersName = Array("access-control-request-headers".utf8)
  private static let privateNetworkName = Array("access-control-request-private-network".utf8)

  /// A literal `*` would not cover Authorization (Fetch §4.9), so the requested names are repeated.
  private func echoRequestedHeaders(_ bytes: Span<UInt8>) {
    guard case .found(let names) = request.head.search(header: Self.requestHeadersName.span) else { return }
    answer.addedLines.append("Access-Control-Allow-Headers: ")
    answer.addedLines.append(bytes.extracting(names))
    answer.addedLines.append("\r\n")
  }

  /// Puts the fields for the request's origin into the answer, whatever that will be. `Vary` says to caches that it
  /// depends on the origin, also where this one gets none.
  func writeOriginFields(_ cors: CORSPolicy) {
    if cors.isOpen { return answer.addedLines.append(cors.answerLines) }
    answer.addedLines.append("Vary: Origin\r\n")
    guard request.head.count(of: .origin) == 1, let origin = request.head.first(.origin),
      cors.allows(request.head.bytes.span.extracting(origin.value))
    else { return }
    writeOrigin(origin, request.head.bytes.span)
    answer.addedLines.append(cors.answerLines)
  }

  /// As the browser wrote it: it compares byte by byte.
  private func writeOrigin(_ origin: FieldLine, _ bytes: Span<UInt8>) {
    answer.addedLines.append("Access-Control-Allow-Origin: ")
    answer.addedLines.append(bytes.extracting(origin.value))
    answer.addedLines.append("\r\n")
  }

  /// Browsers let any page open a WebSocket anywhere, with what they send automatically for its visitor: on a route
  /// with `cors` only its origins and the gateway's own host may. On one without, where such a thing is the credential,
  /// only the latter. Clients that are no browsers send no Origin.
  func mayOpenTunnel(_ route: CompiledRoute) -> Bool {
    if request.head.count(of: .origin) == 0 || route.cors?.isOpen ?? !route.isCredentialSentUnasked { return true }
    guard request.head.count(of: .origin) == 1, let origin = request.head.first(.origin) else { return false }
    return Self.isAllowedOrOwn(request.head, origin.value, route.cors)
  }

  /// The own origin is the authority that the request is for, by whatever scheme: TLS may end before the gateway.
  private static func isAllowedOrOwn(
    _ head: borrowing RequestHead, _ origin: Range<Int>, _ cors: CORSPolicy?
  ) -> Bool {
    let bytes = head.bytes.span
    if let cors, cors.allows(bytes.extracting(origin)) { return true }
    guard let authority = head.authority, origin.count > authority.count + 3 else { return false }
    let start = origin.upperBound - authority.count
    guard bytes.extracting(start - 3..<start).equalsIgnoringCase("://") else { return false }
    return equalsIgnoringCase(bytes.extracting(start..<origin.upperBound), bytes.extracting(authority))
  }
}
