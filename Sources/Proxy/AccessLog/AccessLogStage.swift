// The last stage: one line and the counters, exactly once for each exchange, whatever happened to it.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension Exchange {
  func recordOutcome() {
    // An answer of the gateway's own may end in the turn of the loop in which it began: its time has not passed for the
    // others.
    let now = times.upstreamRespondedAt > 0 ? worker.time.nanoseconds : worker.steadyClock()
    let elapsed = UInt64(clamping: now &- times.startedAt)
    let status = loggedStatus
    let route = route
    // Taken once: each access holds a reference of its own.
    let counters = worker.counters
    let routeID = route?.counterID
    counters.countRequest(route: routeID, method: request.head.method, status: status, nanoseconds: elapsed)
    counters.countBodies(route: routeID, request: request.body.byteCount, response: answer.byteCount)
    if times.upstreamRespondedAt > 0, let upstream = delivery.pool?.counterID {
      let waited = UInt64(clamping: times.upstreamRespondedAt &- times.upstreamStartedAt)
      counters.countUpstream(upstream, nanoseconds: waited)
    }
    countRefusal()
    let spanID = snapshot.traces.isOn ? recordTrace(status: status, now: now) : 0
    if let formatter = snapshot.logFormatter {
      writeLogLine(formatter, status: status, elapsed: elapsed, spanID: spanID)
    }
  }

  /// Tokens that were refused are counted by issuer and route already.
  private func countRefusal() {
    guard let refusal = answer.refusal else { return }
    if case .token = refusal {} else { worker.counters.countError(refusal) }
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    worker.counters.noteRefusal(
      LastRefusal(
        unixMilliseconds: times.startedUnixMilliseconds, refusal: refusal, route: route?.counterID,
        requestID: request.id.text()))
  }

  /// What the client got. 499 (as nginx has it) when it was gone before anything was sent.
  private var loggedStatus: Int {
    if answer.status > 0 { return answer.status }
    return answer.refusal?.status ?? 499
  }

  func countAuthentication(_ result: AuthenticationResult) {
    worker.counters.countAuthentication(
      route: route?.counterID, issuer: issuer.map { snapshot.issuerCounterIDs[$0] }, result)
    if let trace = tracing.trace {
      trace.tokenResult = result
      trace.tokenCheckedAt = worker.time.nanoseconds
    }
  }

  private func writeLogLine(_ formatter: AccessLogFormatter, status: Int, elapsed: UInt64, spanID: UInt64) {
    // Taken once: each access holds a reference of its own.
    let worker = worker
    // Answers of the gateway's own need no id until here.
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    worker.logEntry.reset()
    worker.logEntry.set(time: times.startedUnixMilliseconds)
    worker.logEntry.set(.status, UInt64(clamping: status))
    worker.logEntry.set(.requestBytes, request.body.byteCount)
    worker.logEntry.set(.responseBytes, answer.byteCount)
    worker.logEntry.set(.duration, elapsed)
    setRequestTexts(request.head.bytes.span, worker)
    setUpstreamTexts(worker)
    if let refusal = answer.refusal { worker.logEntry.set(.reason, refusal.code) }
    if let refusal = answer.shadowRefusal { worker.logEntry.set(.shadowReason, refusal.code) }
    if let status = answer.loggedGRPCStatus, request.head.isGRPC || request.head.webCall != nil {
      worker.logEntry.set(.grpcStatus, UInt64(clamping: status))
    }
    if let name = operation?.name { worker.logEntry.set(.graphQLOperation, name.span) }
    if let issuer, snapshot.configuration.issuers.indices.contains(issuer) {
      worker.logEntry.set(.issuer, snapshot.configuration.issuers[issuer].name)
    }
    if let caller {
      setSubject(caller)
      worker.logEntry.set(.authKind, caller.kind.label)
    }
    if let result = authorization.result { worker.logEntry.set(.authorize, result.label) }
    if let subject = answer.refusedSubject { worker.logEntry.set(.refusedSubject, subject.span) }
    if !formatter.values.isEmpty { setValues(formatter.values) }
    if formatter.writesLines { formatter.append(worker.logEntry, to: &worker.logBuffer) }
    if let encoder = formatter.encoder {
      encoder.append(worker.logEntry, spanID: spanID, to: &worker.logRecords)
      if worker.logRecords.isFull { worker.commands.append(.exportRecords) }
    }
  }

  private func setRequestTexts(_ bytes: Span<UInt8>, _ worker: Worker) {
    switch request.peer.namedClient {
    case .peer: if let downstream { worker.logEntry.set(.clientIP, downstream.client.addressText) }
    case .address(let client): worker.logEntry.set(.clientIP, client.text)
    case .unknown: worker.logEntry.set(.clientIP, "unknown")
    }
    worker.logEntry.set(.method, bytes.extracting(request.head.methodRange))
    if let authority = request.head.authority { worker.logEntry.set(.host, bytes.extracting(authority)) }
    setPath(bytes, request.target.bytes.span, worker)
    worker.logEntry.set(.protocol, "HTTP/", request.head.version.number)
    if let security = downstream?.client.security {
      worker.logEntry.set(.tlsVersion, security.version)
      worker.logEntry.set(.tlsCipher, security.cipher)
      worker.logEntry.set(.tlsResumed, security.isResumed ? 1 : 0)
      worker.logEntry.set(.alpn, security.applicationProtocol?.rawValue ?? "")
    }
    if let route { worker.logEntry.set(.route, route.name) }
    worker.logEntry.set(.requestID, request.id.span)
    worker.logEntry.set(.traceID, request.traceID.span)
    if let field = request.head.first(.userAgent) { worker.logEntry.set(.userAgent, bytes.extracting(field.value)) }
    if let field = request.head.first(.referer) { worker.logEntry.set(.referer, bytes.extracting(field.value)) }
  }

  private func setSubject(_ caller: Caller) {
    guard let subject = caller.subject else { return }
    let claims = caller.claims
    if let plain = claims.plainStringRange(at: subject) {
      setText(.subject, claims.bytes.span, plain)
    } else if let bytes = claims.stringBytes(at: subject) {
      worker.logEntry.set(.subject, bytes.span)
    }
  }

  private func setText(_ field: AccessLogField, _ bytes: Span<UInt8>, _ range: Range<Int>) {
    worker.logEntry.set(field, bytes.extracting(range))
  }

  /// A path that servers may read as another than the one that was matched is there as it was written, beside that one.
  private func setPath(_ head: Span<UInt8>, _ target: Span<UInt8>, _ worker: Worker) {
    let matched = target.extracting(0..<request.target.pathCount)
    if case .target = answer.refusal {
      worker.logEntry.set(.path, head.extracting(request.head.pathAndQueryRange))
    } else if request.target.isAltered {
      worker.logEntry.set(.path, head.extracting(request.head.pathAndQueryRange))
      worker.logEntry.set(.matchedPath, matched)
    } else {
      worker.logEntry.set(.path, matched)
    }
  }

  private func setUpstreamTexts(_ worker: Worker) {
    guard let server = delivery.server, let pool = delivery.pool else { return }
    worker.logEntry.set(.upstream, pool.configuration.name)
    let address = server.addressText
    worker.logEntry.set(.server, address.span)
    if answer.upstreamStatus > 0 { worker.logEntry.set(.upstreamStatus, UInt64(clamping: answer.upstreamStatus)) }
    if delivery.attempts.count > 0 { worker.logEntry.set(.attempts, UInt64(clamping: delivery.attempts.count)) }
    if times.upstreamConnectedAt > times.upstreamStartedAt {
      worker.logEntry.set(.upstreamConnect, UInt64(clamping: times.upstreamConnectedAt &- times.upstreamStartedAt))
    }
    if times.upstreamRespondedAt > 0 {
      worker.logEntry.set(.upstreamResponse, UInt64(clamping: times.upstreamRespondedAt &- times.upstreamStartedAt))
    }
  }
}
