// One request at a time through the data plane of a configuration, without a socket: the very stages that requests of
// clients go through. Its upstreams answer 200 to everything, and nobody else answers at all.

import Bytes
package import Configuration
import Proxy
package import Tokens

/// A data plane that serves nobody. Not Sendable: all of it happens within ``outcome(of:)``.
package final class Rehearsal {
  private let worker: Worker
  private let listeners: [Listener]
  private let routeNames: [String]
  private let time: Time
  private var client: DownstreamConnection?
  /// Bytes that the client was sent.
  private var received: [UInt8] = []
  private var server: Server?
  /// A service that was asked whether the request may pass.
  private var service: Server?
  private var notice: RefusalNotice?
  /// The one that the store has.
  private var session: RehearsedSession?

  /// A connection to a server of an upstream.
  fileprivate struct Server {
    let connection: ServerConnection
    var received: [UInt8] = []
    var hasAnswered = false
  }

  private static let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
  private static let consent = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)

  /// - Parameters:
  ///   - configuration: as it was read.
  ///   - keySets: of its issuers, by their index. Nil where there are none.
  ///   - revocations: lists of revoked tokens, as many. Nil looks no token up.
  ///   - buckets: of rate limits that others count in. Requests take nothing out of them, and are told what is in.
  ///   - unixSeconds: the time of all requests.
  package init(
    _ configuration: GatewayConfiguration, keySets: [KeySet?], revocations: [Revocations?]? = nil,
    buckets: LiveBuckets? = nil, unixSeconds: Int64
  ) {
    routeNames = configuration.routes.map(\.name)
    var configuration = buckets == nil ? configuration.rehearsed : configuration.rehearsed.withLimitFields
    if revocations == nil {
      for index in configuration.issuers.indices { configuration.issuers[index].revocation = nil }
    }
    listeners = configuration.listeners
    time = Time(nanoseconds: buckets?.nanoseconds ?? 1_000_000_000, unixMilliseconds: unixSeconds * 1000)
    worker = Worker(
      snapshot: Snapshot(
        configuration, generation: 1, limiters: buckets.map { RateLimiters(copyOf: $0.limiters) },
        signers: TestKeys.signers(of: configuration)), keySets: keySets,
      time: time, steadyClock: { 0 }, seed: (1, 2),
      checksServers: false)
    for (issuer, known) in (revocations ?? []).enumerated() {
      if let known { worker.install(known, issuer: issuer, at: time) }
    }
  }

  /// What becomes of a request.
  package func outcome(of request: RehearsedRequest) -> RehearsedOutcome {
    received = []
    (server, service) = (nil, nil)
    notice = nil
    session = request.session
    worker.logBuffer.removeAll()
    let isSecure = request.url.isSecure
    let listener = listeners.firstIndex { ($0.tls != nil) == isSecure } ?? 0
    let security = ClientSecurity(
      version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", isResumed: false, applicationProtocol: .http1,
      certificate: request.certificate)
    let address = Array(request.client.utf8)
    let peer = PeerAddress(address.span) ?? PeerAddress(high: 0, low: 0)
    let connection = worker.accepted(
      from: peer, listener: listener, security: isSecure ? security : nil, at: time)
    client = connection
    settle()
    let bytes = request.bytes
    worker.received(bytes.span, on: connection, at: time)
    settle()
    // Who waits for more than is there has no answer yet, and is told so.
    if received.isEmpty { worker.receivedEnd(on: connection, at: time) }
    settle()
    let log = worker.logBuffer.copied()
    worker.disconnected(connection, at: time)
    client = nil
    settle()
    // The next request begins with no connection that this one has left.
    for peer in [server, service].compactMap({ $0 }) { worker.disconnected(peer.connection, at: time) }
    settle()
    return RehearsedOutcome(
      response: received, upstreamRequest: server?.received, server: server?.connection.address,
      serviceRequest: service?.received, service: service?.connection.address, log: log, notice: notice,
      routeNames: routeNames)
  }

  /// Carries out what the worker commands, until there is nothing more.
  private func settle() {
    while !worker.flushes.isEmpty || !worker.commands.isEmpty || server.isAnswerDue || service.isAnswerDue {
      let flushes = worker.flushes
      worker.flushes.removeAll()
      for place in flushes { flush(place) }
      let commands = worker.commands
      worker.commands.removeAll()
      for command in commands { carryOut(command) }
      if service.isAnswerDue, let connection = service?.connection {
        service?.hasAnswered = true
        worker.received(Self.consent.span, on: connection, at: time)
      }
      if server.isAnswerDue, let connection = server?.connection {
        server?.hasAnswered = true
        worker.received(Self.answer.span, on: connection, at: time)
      }
    }
  }

  private func flush(_ place: Int) {
    let connections = [client, server?.connection, service?.connection].compactMap { $0 }
    guard let connection = connections.first(where: { $0.index == place }) else { return }
    connection.transfer.beginFlush()
    while true {
      connection.fillOutput()
      let bytes = connection.transfer.output.copied()
      if bytes.isEmpty { break }
      if connection === client {
        received += bytes
      } else if connection === service?.connection {
        service?.received += bytes
      } else {
        server?.received += bytes
      }
      connection.transfer.wrote(bytes.count)
    }
    if connection.outputEmptied() { worker.drained(connection, at: time) }
  }

  private func carryOut(_ command: Command) {
    switch command {
    case .connect(let connection):
      if case .upstream(ExternalService.rehearsedUpstream) = connection.group, service == nil {
        service = Server(connection: connection)
      } else if case .upstream = connection.group, server == nil {
        server = Server(connection: connection)
      } else {
        return worker.connectFailed(connection, isOwnShortage: false, at: time)
      }
      worker.connected(connection, at: time)
    case .ask(let question, _):
      let answer: Answer =
        switch question.source {
        case .keySet: .keys(haveChanged: false)
        case .introspection: .refused(.introspectionUnavailable)
        case .statusList: .statusList
        case .session(let index):
          if let session, session.index == index { .session(session.statement) } else { .refused(.sessionExpired) }
        case .apiKey: .refused(.apiKeyStoreUnavailable)
        }
      worker.answered(question, answer, at: time)
    case .changeSession(_, let id): worker.sessionChanged(id, isDone: true, at: time)
    case .login(_, let id):
      worker.loginReplied(id, .failed(code: GatewayRefusal.loginProviderUnavailable.rawValue, cookies: []), at: time)
    case .refreshSession(let question, _):
      worker.answered(question, .refused(.sessionStoreUnavailable), at: time)
    case .reportRefusal(let notice): self.notice = notice
    case .close(let connection), .closeOutput(let connection), .abort(let connection):
      if connection !== client { worker.disconnected(connection, at: time) }
    case .pauseReading, .resumeReading, .wakeWaiters, .reportUpstream, .reportStore, .exportRecords, .drained: break
    }
  }
}

extension Rehearsal.Server? {
  /// It has the request's head.
  fileprivate var isAnswerDue: Bool {
    guard let self else { return false }
    return !self.hasAnswered && self.received.hasEndOfHead
  }
}

extension ExternalService {
  /// No upstream of a file has such a name.
  fileprivate static let rehearsedUpstream = "a service"
}

extension [UInt8] {
  /// Whether an empty line is in it.
  fileprivate var hasEndOfHead: Bool {
    indices.dropLast(3).contains { self[$0...].starts(with: [0x0D, 0x0A, 0x0D, 0x0A]) }
  }
}

extension GatewayConfiguration {
  /// The same with nothing that asks others, writes elsewhere or depends on requests before.
  fileprivate var rehearsed: GatewayConfiguration {
    var result = self
    result.accessLog = AccessLog()
    (result.traces, result.metrics, result.logs) = (nil, nil, nil)
    // One request has one proof.
    result.limits.replayMemory = 4096
    for index in result.listeners.indices { result.listeners[index].hasProxyProtocol = false }
    for index in result.issuers.indices {
      result.issuers[index].introspection = nil
      result.issuers[index].policy.jwtQuestion = nil
    }
    for index in result.upstreams.indices {
      result.upstreams[index].protocol = .http1
      result.upstreams[index].healthCheck = nil
      result.upstreams[index].retry = nil
    }
    // Of its own, so that what a service gets is never taken for what the upstream gets.
    for index in result.services.indices where result.upstreams.indices.contains(result.services[index].upstream) {
      var upstream = result.upstreams[result.services[index].upstream]
      upstream.name = ExternalService.rehearsedUpstream
      result.upstreams.append(upstream)
      result.services[index].upstream = result.upstreams.count - 1
      result.services[index].cache = nil
    }
    for index in result.sessions.indices { result.sessions[index].store = .memory }
    for index in result.rateLimits.indices { result.rateLimits[index].store = nil }
    for index in result.routes.indices {
      result.routes[index].mirror = nil
      // Several routes may have one name, and the access log has nothing else of them.
      result.routes[index].name = "\(index)"
    }
    return result
  }

  /// The same where every request has room, whatever came before it.
  var withoutRateLimits: GatewayConfiguration {
    var result = self
    for index in result.routes.indices { result.routes[index].rateLimits = [] }
    return result
  }
}
