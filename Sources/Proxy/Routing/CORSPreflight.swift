// Requests of pages of other origins (the Fetch standard's CORS protocol), on routes with `cors`: preflights are
// answered here, before anybody asks for a token, and every answer carries the fields without which the page could not
// read it.

import Bytes
import HTTPWire

extension ClientRequest {
  /// Which route the request would match that a preflight announces. Nil for a request that is not a preflight.
  mutating func announcedRoute(in snapshot: Snapshot) -> Int? {
    guard head.onlyOrigin != nil, head.targetForm != .asterisk,
      case .found(let method) = head.search(header: CORSPolicy.requestMethodName.span),
      case .route(let index) = matchRoute(in: snapshot, method: method)
    else { return nil }
    return index
  }
}

extension CORSPolicy {
  fileprivate static let requestMethodName = Array("access-control-request-method".utf8)
  private static let requestHeadersName = Array("access-control-request-headers".utf8)
  private static let privateNetworkName = Array("access-control-request-private-network".utf8)

  /// Writes the fields that answer a preflight.
  /// - Returns: whether the page may call.
  func writePreflightFields(for head: borrowing RequestHead, into lines: inout ByteQueue) -> Bool {
    lines.append("Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, ")
    lines.append("Access-Control-Request-Private-Network\r\n")
    let bytes = head.bytes.span
    guard let origin = head.onlyOrigin, allows(bytes.extracting(origin)) else { return false }
    if !isOpen { Self.write(origin: bytes.extracting(origin), into: &lines) }
    lines.append(preflightLines)
    // A literal `*` would not cover Authorization (Fetch §4.9), so the requested names are repeated.
    if areHeadersEchoed, case .found(let names) = head.search(header: Self.requestHeadersName.span) {
      lines.append("Access-Control-Allow-Headers: ")
      lines.append(bytes.extracting(names))
      lines.append("\r\n")
    }
    if isPrivateNetworkAllowed, case .found = head.search(header: Self.privateNetworkName.span) {
      lines.append("Access-Control-Allow-Private-Network: true\r\n")
    }
    return true
  }

  /// Writes the fields for the request's origin into the answer, whatever that will be. `Vary` says to caches that it
  /// depends on the origin, also where this one gets none.
  func writeOriginFields(for head: borrowing RequestHead, into lines: inout ByteQueue) {
    if isOpen { return lines.append(answerLines) }
    lines.append("Vary: Origin\r\n")
    let bytes = head.bytes.span
    guard let origin = head.onlyOrigin, allows(bytes.extracting(origin)) else { return }
    Self.write(origin: bytes.extracting(origin), into: &lines)
    lines.append(answerLines)
  }

  /// As the browser wrote it: it compares byte by byte.
  private static func write(origin: Span<UInt8>, into lines: inout ByteQueue) {
    lines.append("Access-Control-Allow-Origin: ")
    lines.append(origin)
    lines.append("\r\n")
  }
}

extension RequestHead {
  /// Nil where there is none, or more than one.
  fileprivate var onlyOrigin: Range<Int>? { count(of: .origin) == 1 ? first(.origin)?.value : nil }

  /// Browsers let any page open a WebSocket anywhere, with what they send automatically for its visitor: on a route
  /// with `cors` only its origins and the gateway's own host may. On one without, where such a thing is the credential,
  /// only the latter. Clients that are no browsers send no Origin.
  func mayOpenTunnel(on route: CompiledRoute) -> Bool {
    if count(of: .origin) == 0 || route.cors?.isOpen ?? !route.isCredentialSentUnasked { return true }
    guard let origin = onlyOrigin else { return false }
    if let cors = route.cors, cors.allows(bytes.span.extracting(origin)) { return true }
    return isOwn(origin)
  }

  /// Browsers send a session's cookie with whatever a page asks for. What may change something must come from a page of
  /// this host, or of an origin that the route lets call with cookies, and must say so (T106).
  /// - Parameter isSecure: the client came by TLS, so that its pages did as well.
  func mayUseSession(on route: CompiledRoute, isSecure: Bool) -> Bool {
    if method == .get || method == .head || method == .options { return true }
    let bytes = bytes.span
    if isFetchedFromHere { return true }
    guard let origin = onlyOrigin else { return false }
    if let cors = route.cors, cors.takesCredentials, cors.allows(bytes.extracting(origin)) { return true }
    let isPlain =
      origin.count > 4 && bytes.extracting(origin.lowerBound..<origin.lowerBound + 5).equalsIgnoringCase("http:")
    return !(isSecure && isPlain) && isOwn(origin)
  }

  /// A page of this host asks, or the person does. Browsers say so, and no page can change that.
  var isFetchedFromHere: Bool {
    let bytes = bytes.span
    if case .found(let range) = search(header: Self.fetchSite.span) {
      let site = bytes.extracting(range)
      return site.equalsIgnoringCase("same-origin") || site.equalsIgnoringCase("none")
    }
    return false
  }

  private static let fetchSite = Array("sec-fetch-site".utf8)

  /// The own origin is the authority that the request is for, by whatever scheme: TLS may end before the gateway.
  private func isOwn(_ origin: Range<Int>) -> Bool {
    let bytes = bytes.span
    guard let authority, origin.count > authority.count + 3 else { return false }
    let start = origin.upperBound - authority.count
    guard bytes.extracting(start - 3..<start).equalsIgnoringCase("://") else { return false }
    return equalsIgnoringCase(bytes.extracting(start..<origin.upperBound), bytes.extracting(authority))
  }
}
