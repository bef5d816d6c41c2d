// Browsers at the paths of a login: what they bring goes to the control plane, which talks to the provider, and what
// comes of it is an answer, and with it mostly a session.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension Exchange {
  /// Lets the browser wait until the login goes on.
  func visit(_ step: LoginRequest.Step, _ index: Int) -> StageOutcome {
    let visit = LoginRequest(
      step: step, session: snapshot.sessions[index].name, origin: origin,
      query: step == .backChannel ? request.body.kept.copied() : request.sentQuery,
      cookies: request.head.sentCookies, digest: caller?.sessionDigest)
    return worker.sessions.changes.ask(visit, for: self) ? .wait : .refuse(.gateway(.loginProviderUnavailable))
  }

  /// Only a page of this host, or the person, may end a session: not a link or a picture of another's page (T106).
  func signOut(_ index: Int) -> StageOutcome {
    if caller != nil, request.head.method == .get, !request.head.isFetchedFromHere {
      return .refuse(.gateway(.originNotAllowed))
    }
    return visit(.logout, index)
  }

  // MARK: A form of the provider

  /// Lets the body come, of which the route says how large it may be.
  func collectBody() -> StageOutcome {
    if request.body.isComplete { return bodyCollected() }
    request.body.keptByteCountMax = Int(clamping: route?.bodySizeMax ?? 0)
    if request.head.expectsContinue { askForBody() }
    wait = .body(until: worker.time.nanoseconds &+ snapshot.bodyTimeout)
    return .wait
  }

  /// The body has come as a whole.
  func bodyCollected() -> StageOutcome {
    if stage == .operation { return examineBody() }
    guard case .session(.backChannel, let index) = route?.action else { return .refuse(.gateway(.routeNotFound)) }
    // What is not kept any more was too much for the process's memory.
    if request.body.byteCount > UInt64(request.body.kept.count) { return .refuse(.gateway(.memoryExhausted)) }
    return visit(.backChannel, index)
  }

  /// Goes on with a login.
  func conclude(_ reply: LoginReply) -> StageOutcome {
    guard case .session(_, let index) = route?.action, snapshot.sessions.indices.contains(index) else {
      return .refuse(.gateway(.routeNotFound))
    }
    switch reply {
    case .redirect(let place, let cookies):
      guard let caller else { return .answer(sendAway(to: place, cookies)) }
      // It signs out: the session ends first.
      return end(caller, PendingSession(location: place, cookies: cookies))
        ? .wait : .refuse(.token(.sessionStoreUnavailable))
    case .signedIn(let new, let place, let cookies):
      guard let document = try? JSONDocument(new.claims) else { return .refuse(.gateway(.loginTokenInvalid)) }
      let session = snapshot.sessions[index]
      var record = SessionRecord(
        session.name, claims: document, issuer: new.issuer,
        lifetimeSeconds: min(session.lifetimeSeconds, new.lifetimeSeconds ?? .max), idleSeconds: session.idleSeconds)
      record.tokens = new.tokens
      return begin(index, record, PendingSession(location: place, cookies: cookies))
        ? .wait : .refuse(.token(.sessionStoreUnavailable))
    case .accepted:
      return .answer(GatewayAnswer(status: 200, fieldLines: Array("Cache-Control: no-store\r\n".utf8)))
    case .failed(let code, let cookies):
      append(cookies)
      if let refusal = TokenRefusal(rawValue: code) { return .refuse(.token(refusal)) }
      return .refuse(.gateway(GatewayRefusal(rawValue: code) ?? .loginProviderUnavailable))
    }
  }

  /// See Other, for this browser alone.
  func sendAway(to place: String, _ cookies: [String] = []) -> GatewayAnswer {
    append(cookies)
    return GatewayAnswer(status: 303, fieldLines: Array("Location: \(place)\r\nCache-Control: no-store\r\n".utf8))
  }

  private func append(_ cookies: [String]) {
    for cookie in cookies { answer.addedLines.append(text: "Set-Cookie: \(cookie)\r\n") }
  }

  /// What stands in front of the path in the browser's address line.
  private var origin: String {
    let isSecure = downstream?.client.security != nil || request.peer.isTrusted && request.head.saysHTTPS
    return (isSecure ? "https://" : "http://") + request.head.authorityText
  }

  /// Where a browser without a session goes that opens a page. Nil for calls of scripts and programs, and where nobody
  /// signs in (T108).
  func signInPlace(_ route: CompiledRoute) -> String? {
    guard route.token.isRedirected, request.head.isNavigation else { return nil }
    for index in route.token.sessions {
      guard let start = snapshot.sessions[index].signInPath else { continue }
      return "\(start)?return_to=\(request.head.encodedTarget)"
    }
    return nil
  }
}

extension Exchange {
  /// A person who has signed in can do so again, in the way that the route requires (RFC 9470).
  func refuseAccess(_ refusal: TokenRefusal, of caller: Caller, _ route: CompiledRoute) -> StageOutcome {
    guard refusal == .claimMismatch, let stepUp = route.token.stepUp, !caller.satisfies(stepUp.requirement),
      case .session(let index) = request.tokenPosition, let start = snapshot.sessions[index].signInPath
    else { return refuseToken(refusal) }
    guard route.token.isRedirected, request.head.isNavigation, !route.token.isInShadow(issuer) else {
      return refuseToken(.authenticationInsufficient)
    }
    countAuthentication(.refused(.authenticationInsufficient))
    var values = ByteQueue()
    values.append(parameterValue: stepUp.values.utf8.span)
    return .answer(
      sendAway(to: "\(start)?return_to=\(request.head.encodedTarget)&acr_values=\(values.text())"))
  }
}

extension ClientRequest {
  /// Without the question mark.
  fileprivate var sentQuery: [UInt8] {
    let bytes = head.bytes.span
    let range = head.pathAndQueryRange
    guard let mark = bytes.firstIndex(of: 0x3F, from: range.lowerBound), mark < range.upperBound else { return [] }
    return bytes.extracting(mark + 1..<range.upperBound).copied()
  }
}

extension RequestHead {
  fileprivate var authorityText: String {
    guard let range = authority else { return "localhost" }
    let bytes = bytes.span
    return bytes.extracting(range).text()
  }

  /// The target as the value of a parameter.
  fileprivate var encodedTarget: String {
    var out = ByteQueue()
    let bytes = bytes.span
    out.append(parameterValue: bytes.extracting(pathAndQueryRange))
    return out.text()
  }

  fileprivate var sentCookies: [UInt8] {
    var out = ByteQueue()
    let bytes = bytes.span
    for index in fields.indices where fields[index].known == .cookie {
      if !out.isEmpty { out.append("; ") }
      out.append(bytes.extracting(fields[index].value))
    }
    return out.copied()
  }

  /// A browser opens a page, of which it is told by the browser itself, or else by what it asks for: HTML, by name.
  fileprivate var isNavigation: Bool {
    if method != .get { return false }
    let bytes = bytes.span
    switch search(header: Self.fetchMode.span) {
    case .found(let range): return bytes.extracting(range).equalsIgnoringCase("navigate")
    case .ambiguous: return false
    case .missing, .empty: break
    }
    return accepts { $0.equalsIgnoringCase("text/html") }
  }

  private static let fetchMode = Array("sec-fetch-mode".utf8)
}
