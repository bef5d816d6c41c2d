// One request at a time through the data plane of a configuration, without a socket: the very stages that requests of
// clients go through. Its upstreams answer 200 to everything. Nobody else answers, but for what was said before.

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
  private var servers: [Server] = []
  private var notice: RefusalNotice?
  /// The one that the store has.
  private var session: RehearsedSession?
  /// Nil where nobody was asked for any.
  private let answers: KnownAnswers?
  private var openQuestion: OpenQuestion?

  /// A connection to a server.
  private struct Server {
    let connection: ServerConnection
    let role: Role
    var received: [UInt8] = []
    var hasAnswered = false

    var isAnswerDue: Bool { !hasAnswered && received.hasEndOfHead }
  }

  private enum Role: Hashable {
    case upstream
    /// Of a service that is asked whether the request may pass.
    case service
    /// Of the issuer with this index, which is asked whose a token is.
    case issuer(Int)
  }

  private static let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
  private static let consent = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)

  /// - Parameters:
  ///   - configuration: as it was read.
  ///   - keySets: of its issuers, by their index. Nil where there are none.
  ///   - revocations: lists of revoked tokens, as many. Nil looks no token up.
  ///   - answers: of others, about the request that comes. Nil where nobody was asked.
  ///   - buckets: of rate limits that others count in. Requests take nothing out of them, and are told what is in.
  ///   - unixSeconds: the time of all requests.
  package init(
    _ configuration: GatewayConfiguration, keySets: [KeySet?], revocations: [Revocations?]? = nil,
    answers: KnownAnswers? = nil, buckets: LiveBuckets? = nil, unixSeconds: Int64
  ) {
    self.answers = answers
    routeNames = configuration.routes.map(\.name)
    let limiters = buckets?.copied(in: configuration)
    var configuration = configuration.rehearsed(asksIssuers: answers != nil)
    if let buckets { configuration.keepLimits(ofRoute: buckets.route) }
    if revocations == nil {
      for index in configuration.issuers.indices { configuration.issuers[index].revocation = nil }
    }
    listeners = configuration.listeners
    time = Time(nanoseconds: buckets?.nanoseconds ?? 1_000_000_000, unixMilliseconds: unixSeconds * 1000)
    worker = Worker(
      snapshot: Snapshot(
        configuration, generation: 1, limiters: limiters,
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
    servers = []
    (notice, openQuestion) = (nil, nil)
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
    for peer in servers { worker.disconnected(peer.connection, at: time) }
    settle()
    let (server, service) = (self.server(.upstream), self.server(.service))
    return RehearsedOutcome(
      response: received, upstreamRequest: server?.received, server: server?.connection.address,
      serviceRequest: service?.received, service: service?.connection.address, log: log, notice: notice,
      openQuestion: openQuestion, routeNames: routeNames)
  }

  private func server(_ role: Role) -> Server? { servers.first { $0.role == role } }

  /// Carries out what the worker commands, until there is nothing more.
  private func settle() {
    while !worker.flushes.isEmpty || !worker.commands.isEmpty || servers.contains(where: \.isAnswerDue) {
      let flushes = worker.flushes
      worker.flushes.removeAll()
      for place in flushes { flush(place) }
      let commands = worker.commands
      worker.commands.removeAll()
      for command in commands { carryOut(command) }
      for index in servers.indices where servers[index].isAnswerDue {
        servers[index].hasAnswered = true
        answer(servers[index])
      }
    }
  }

  private func answer(_ server: Server) {
    switch server.role {
    case .upstream: worker.received(Self.answer.span, on: server.connection, at: time)
    case .service: worker.received(Self.consent.span, on: server.connection, at: time)
    case .issuer(let index):
      if let message = answers?.message(ofIssuer: index) {
        return worker.received(message.span, on: server.connection, at: time)
      }
      if answers?.answer(of: .introspection(issuer: index)) == nil, let token = server.received.askedToken {
        openQuestion = openQuestion ?? .token(issuer: index, token)
      }
      worker.disconnected(server.connection, at: time)
    }
  }

  private func flush(_ place: Int) {
    let connections = [client].compactMap { $0 as Connection? } + servers.map(\.connection)
    guard let connection = connections.first(where: { $0.index == place }) else { return }
    connection.transfer.beginFlush()
    while true {
      connection.fillOutput()
      let bytes = connection.transfer.output.copied()
      if bytes.isEmpty { break }
      if connection === client {
        received += bytes
      } else if let index = servers.firstIndex(where: { $0.connection === connection }) {
        servers[index].received += bytes
      }
      connection.transfer.wrote(bytes.count)
    }
    if connection.outputEmptied() { worker.drained(connection, at: time) }
  }

  /// Nil for a server that nobody rehearses.
  private static func role(of group: ServerGroup) -> Role? {
    guard case .upstream(let name) = group else { return nil }
    if name == ExternalService.rehearsedUpstream { return .service }
    guard name.hasPrefix(Introspection.rehearsedUpstream) else { return .upstream }
    return Int(name.dropFirst(Introspection.rehearsedUpstream.count)).map { .issuer($0) }
  }

  private func answer(ofSession index: Int, to question: Question) -> Answer {
    if let session, session.index == index { return .session(session.statement) }
    guard let answers else { return .refused(.sessionExpired) }
    if let known = answers.answer(of: question.source) { return known }
    openQuestion = openQuestion ?? .session(index, digest: question.digest)
    return .refused(.sessionStoreUnavailable)
  }

  private func carryOut(_ command: Command) {
    switch command {
    case .connect(let connection):
      guard let role = Self.role(of: connection.group), server(role) == nil else {
        return worker.connectFailed(connection, isOwnShortage: false, at: time)
      }
      servers.append(Server(connection: connection, role: role))
      worker.connected(connection, at: time)
    case .ask(let question, _):
      let answer: Answer =
        switch question.source {
        case .keySet: .keys(haveChanged: false)
        case .introspection: .refused(.introspectionUnavailable)
        case .statusList: .statusList
        case .session(let index): answer(ofSession: index, to: question)
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

extension Introspection {
  /// With the index of an issuer behind it. No upstream of a file has such a name.
  fileprivate static let rehearsedUpstream = "an issuer "
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
  fileprivate func rehearsed(asksIssuers: Bool) -> GatewayConfiguration {
    var result = self
    result.accessLog = AccessLog()
    (result.traces, result.metrics, result.logs) = (nil, nil, nil)
    // One request has one proof.
    result.limits.replayMemory = 4096
    for index in result.listeners.indices { result.listeners[index].hasProxyProtocol = false }
    for index in result.issuers.indices {
      if asksIssuers, result.issuers[index].introspection?.endpoint.isEmpty == false { continue }
      result.issuers[index].introspection = nil
      if !asksIssuers { result.issuers[index].policy.jwtQuestion = nil }
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
    for index in result.issuers.indices { result.giveUpstream(toIssuer: index) }
    for index in result.sessions.indices { result.sessions[index].store = .memory }
    for index in result.rateLimits.indices { result.rateLimits[index].store = nil }
    for index in result.issuers.indices { result.issuers[index].proofStore = nil }
    for index in result.routes.indices {
      result.routes[index].mirror = nil
      // Several routes may have one name, and the access log has nothing else of them.
      result.routes[index].name = "\(index)"
    }
    return result
  }

  /// One of its own, and nothing secret: what it says has been read before.
  private mutating func giveUpstream(toIssuer index: Int) {
    guard let rules = issuers[index].introspection, upstreams.indices.contains(rules.upstream) else { return }
    var upstream = upstreams[rules.upstream]
    upstream.name = "\(Introspection.rehearsedUpstream)\(index)"
    upstream.tls = nil
    upstreams.append(upstream)
    issuers[index].introspection?.upstream = upstreams.count - 1
    issuers[index].introspection?.client = .secret("")
    issuers[index].introspection?.isSigned = false
  }

  /// The same where every request has room, whatever came before it.
  var withoutRateLimits: GatewayConfiguration {
    var result = self
    for index in result.routes.indices { result.routes[index].rateLimits = [] }
    return result
  }
}
