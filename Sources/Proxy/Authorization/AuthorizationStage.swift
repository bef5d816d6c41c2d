// May the caller pass? The route's service is asked, unless it has answered the same before, or is asked already. A 2xx
// passes, 401 and 403 are the answer to the client, and all else is a failure.

import Bytes
import Configuration
import HTTPWire
import Tokens

/// What a service made of one request, for `catraca_authorize_total` and the log.
package enum AuthorizationResult: Int, Sendable, CaseIterable {
  case passed, remembered, refused, unavailable
  /// It did not answer, and the file says that requests pass then.
  case unasked

  package var label: String {
    switch self {
    case .passed: "passed"
    case .remembered: "remembered"
    case .refused: "refused"
    case .unavailable: "unavailable"
    case .unasked: "unasked"
    }
  }

  /// Nil where the request passes.
  package var refusal: GatewayRefusal? {
    switch self {
    case .passed, .remembered, .unasked: nil
    case .refused: .authorizeRefused
    case .unavailable: .authorizeUnavailable
    }
  }
}

/// What is known of it in one exchange.
struct RequestAuthorization {
  var result: AuthorizationResult?
  /// Fields of the service's answer for the upstream, as lines.
  var lines: [UInt8] = []
}

extension Exchange {
  @inline(__always)
  func checkAuthorization() -> StageOutcome {
    guard let route, let service = route.service else { return .next }
    return ask(service, route)
  }

  private func ask(_ service: CompiledService, _ route: CompiledRoute) -> StageOutcome {
    // What was asked under another configuration is of no use to this one, nor the other way round.
    let isCurrent = snapshot.generation == worker.snapshot.generation
    var question = ByteQueue()
    swap(&question, &worker.authorizations.question)
    defer { swap(&question, &worker.authorizations.question) }
    question.removeAll()
    var isShared = isCurrent && writeKey(of: service, route, to: &question)
    let hash = worker.authorizations.hash(of: question.span)
    if isShared, service.cacheDuration > 0 {
      let now = worker.time
      if let lines = worker.authorizations.lookUp(question.span, hash, at: now) {
        return passed(lines, .remembered, service)
      }
    }
    if isShared, let call = worker.authorizations.call(hash) {
      if call.isAbout(question.span) { return wait(for: call) }
      // Two questions of one hash: this one is asked for itself.
      isShared = false
    }
    guard let pool = worker.pool(at: service.upstream, of: snapshot),
      !worker.authorizations.isFull, worker.circuits.mayAsk(service.name, service.timeout, at: worker.time.nanoseconds)
    else { return failed(service) }
    let call = AuthorizationCall(
      service, key: isShared ? question.copied() : nil, hash: hash, callerEnd: caller?.expiresAt ?? .max, worker)
    if !service.keys.isEmpty || !isShared {
      question.removeAll()
      writeQuestion(to: service, route, into: &question)
      call.begin(question.copied(), to: pool, for: self)
    } else {
      let asked = question.span.extracting(droppingFirst: Self.keyPrefixByteCount(of: caller)).copied()
      call.begin(asked, to: pool, for: self)
    }
    if let verdict = call.verdict { return obey(verdict, of: service) }
    return wait(for: call)
  }

  private func wait(for call: AuthorizationCall) -> StageOutcome {
    // LIMIT: so many requests wait for one answer.
    guard let position = call.add(self) else { return failed(call.service) }
    wait = .authorization(call, position: position)
    if let downstream { downstream.deadline = min(downstream.deadline, call.end) }
    return .wait
  }

  /// The call that it has waited for is over.
  func authorizationEnded(_ call: AuthorizationCall, _ verdict: AuthorizationVerdict) {
    // It may have ended meanwhile, and serve another request.
    guard case .authorization(let awaited, _)? = wait, awaited === call else { return }
    wait = nil
    // A tunnel outlives its request. The configuration of now has to open it, so the client asks again.
    if request.handshake.isRequested, snapshot.generation != worker.snapshot.generation {
      return waitConcluded(.refuse(.gateway(.authorizeUnavailable)))
    }
    waitConcluded(obey(verdict, of: call.service))
  }

  private func obey(_ verdict: AuthorizationVerdict, of service: CompiledService) -> StageOutcome {
    switch verdict {
    case .passed(let lines): passed(lines, .passed, service)
    case .refused(let said): refused(said, service)
    case .failed: failed(service)
    }
  }

  private func passed(_ lines: [UInt8], _ result: AuthorizationResult, _ service: CompiledService) -> StageOutcome {
    note(result, service)
    if route?.isServiceInShadow == false { authorization.lines = lines }
    return .next
  }

  private func failed(_ service: CompiledService) -> StageOutcome {
    note(service.passesOnFailure ? .unasked : .unavailable, service)
    if service.passesOnFailure { return .next }
    return passInShadow(.authorizeUnavailable) ?? .refuse(.gateway(.authorizeUnavailable))
  }

  private func note(_ result: AuthorizationResult, _ service: CompiledService) {
    authorization.result = result
    worker.counters.countAuthorization(
      service: service.counterID, result, isShadow: route?.isServiceInShadow ?? false)
  }

  /// Nil where the rule counts. The caller's rules were asked first, and what they would have said stays.
  private func passInShadow(_ refusal: GatewayRefusal) -> StageOutcome? {
    guard route?.isServiceInShadow == true else { return nil }
    if answer.shadowRefusal == nil { answer.shadowRefusal = .gateway(refusal) }
    return .next
  }

  /// The service's words to the client: its status, its challenge and its body, and nothing else of its answer.
  private func refused(_ said: SideAnswer, _ service: CompiledService) -> StageOutcome {
    note(.refused, service)
    if let outcome = passInShadow(.authorizeRefused) { return outcome }
    let refusal = Refusal.gateway(.authorizeRefused)
    answer.refusal = refusal
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    let webCall = request.head.webCall
    if webCall != nil || request.head.isGRPC {
      let status: GRPCStatus = said.status == 401 ? .unauthenticated : .permissionDenied
      answer.grpcStatus = status.rawValue
      return .answer(GatewayAnswer(refusingCall: refusal, webCall, as: status))
    }
    var made: GatewayAnswer
    if said.body.isEmpty || ErrorPage.page(for: refusal, as: said.status, of: request.head, route, snapshot) != nil {
      made = GatewayAnswer(refusing: request, refusal, as: said.status, route, snapshot)
    } else {
      made = GatewayAnswer(status: said.status, fieldLines: Self.noStoreLine, body: said.body)
      for name in [KnownField.contentType, .contentEncoding] { made.addLines(of: name, from: said) }
    }
    made.addLines(of: .wwwAuthenticate, from: said)
    return .answer(made)
  }

  private static let noStoreLine = Array("Cache-Control: no-store\r\n".utf8)
}

extension GatewayAnswer {
  fileprivate mutating func addLines(of name: KnownField, from said: SideAnswer) {
    let head = said.head
    for value in said.values(of: name) {
      fieldLines += Array("\(name.name): ".utf8) + head.span.extracting(value).copied() + [0x0D, 0x0A]
    }
  }
}
