// Active checks of servers: one worker makes them for the whole process, each over a connection of its own, opened as
// those for requests are. What they find is known to all workers through SharedServer. No request waits for a check.

import Bytes
import Configuration
import HTTPWire

/// All checks of the running configuration.
final class HealthChecks {
  private unowned let worker: Worker
  private var checks: [ServerCheck] = []

  init(worker: Worker) { self.worker = worker }

  /// Another configuration: a check goes on where its upstream has changed in other servers only.
  func install(_ snapshot: Snapshot) {
    var fresh: [ServerCheck] = []
    for (index, upstream) in snapshot.configuration.upstreams.enumerated() {
      let sharing = snapshot.sharing[index]
      guard let rules = upstream.healthCheck else {
        for server in sharing.servers { server.forgetChecks() }
        continue
      }
      for (server, shared) in zip(upstream.servers, sharing.servers) {
        var own = upstream
        own.servers = [server]
        let kept = checks.first { $0.shared === shared && $0.upstream == own }
        fresh.append(kept ?? ServerCheck(rules, of: server, in: own, shared, sharing.upstream, worker: worker))
      }
    }
    for check in checks where !fresh.contains(where: { $0 === check }) { check.end() }
    checks = fresh
  }

  func tick() {
    for check in checks { check.tick() }
  }
}

/// The checks of one server, one after the other.
final class ServerCheck {
  /// With this server alone.
  let upstream: Upstream
  let rules: HealthCheck
  let shared: SharedServer
  private let sharedUpstream: SharedUpstream
  private unowned let worker: Worker
  /// For checks alone: no request's connection is used, and none of theirs is kept.
  private let pool: UpstreamPool
  /// What is sent, in the form in which the gateway sends requests.
  private let question: [UInt8]
  private var nextAt: Int64
  /// The end of the one under way. Nil when there is none.
  private var deadline: Int64?
  private var probe: HealthProbe?
  private var connectProbe: ConnectProbe?
  private var isEnded = false

  init(
    _ rules: HealthCheck, of server: Upstream.Server, in upstream: Upstream, _ shared: SharedServer,
    _ sharedUpstream: SharedUpstream, worker: Worker
  ) {
    self.rules = rules
    self.upstream = upstream
    self.shared = shared
    self.sharedUpstream = sharedUpstream
    self.worker = worker
    var target = server
    if let port = rules.port { target.address = server.address.withPort(Int(port)) }
    var own = Upstream(name: upstream.name, servers: [target])
    own.protocol = upstream.protocol
    own.tls = upstream.tls
    own.connectTimeout = rules.timeout
    own.responseTimeout = rules.timeout
    own.idleConnections = 0
    own.headerSize = upstream.headerSize
    own.headers = upstream.headers
    pool = UpstreamPool(own, sharing: UpstreamSharing(own), counterID: -1, worker: worker)
    question = Self.question(rules, authority: rules.host ?? server.authority)
    // At once, but not all servers of an upstream in the same moment.
    nextAt = worker.time.nanoseconds &+ Self.share(of: rules.interval.nanoseconds / 10, worker)
  }

  private static func question(_ rules: HealthCheck, authority: String) -> [UInt8] {
    let target = rules.kind == .grpc ? "/grpc.health.v1.Health/Check" : rules.path
    var text = rules.kind == .grpc ? "POST" : "GET"
    text += " \(target) HTTP/1.1\r\nHost: \(authority)\r\nUser-Agent: catraca-health-check\r\n"
    if rules.kind == .grpc {
      text += "Content-Type: application/grpc\r\nTE: trailers\r\n"
      text += "Content-Length: \(HealthProbe.message(service: rules.service).count)\r\n"
    }
    return Array((text + "\r\n").utf8)
  }

  /// A random part of a time.
  private static func share(of nanoseconds: Int64, _ worker: Worker) -> Int64 {
    Int64(worker.randomIdentifiers.next() % UInt64(max(nanoseconds, 1)))
  }

  // MARK: Time

  func tick() {
    let now = worker.time.nanoseconds
    if let deadline {
      if now >= deadline { giveUp() }
    } else if now >= nextAt {
      begin(at: now)
    }
  }

  private func begin(at now: Int64) {
    deadline = now &+ rules.timeout.nanoseconds
    let server = pool.servers[0]
    if rules.kind == .tcp {
      let connection = ConnectProbe(self, worker: worker, pool: pool, server: server)
      connectProbe = connection
      worker.open(connection)
      return
    }
    let probe = HealthProbe(self)
    self.probe = probe
    let exchange = worker.takeExchange(for: probe)
    probe.exchange = exchange
    exchange.startOwn(question, isComplete: rules.kind == .http, at: pool, server)
  }

  private func giveUp() {
    connectProbe?.abort()
    // Its end is what concludes the check.
    if let exchange = probe?.exchange { exchange.abandon(.upstreamTimeout) } else { conclude(.timeout) }
  }

  /// The server is not checked any more.
  func end() {
    isEnded = true
    if deadline != nil { giveUp() }
  }

  // MARK: The result

  /// - Parameters:
  ///   - result: nil when the gateway had no means of checking, which says nothing of the server.
  ///   - status: of the answer. 0 without one.
  func conclude(_ result: CheckResult?, status: Int = 0) {
    guard deadline != nil else { return }
    deadline = nil
    probe = nil
    connectProbe = nil
    pool.retire()
    // The gateway's stop says nothing about servers.
    if isEnded || worker.isDraining { return }
    let interval = rules.interval.nanoseconds
    nextAt = worker.time.nanoseconds &+ interval &- interval / 10 &+ Self.share(of: interval / 5, worker)
    guard let result, shared.note(result, status: status, at: worker.time.unixMilliseconds, rules) else { return }
    sharedUpstream.noteChange()
    let name = shared.address.description
    let change: UpstreamChange =
      result.isGood ? .healthy(server: name) : .unhealthy(server: name, result, status: status)
    worker.commands.append(.reportUpstream(upstream.name, change))
  }
}

/// A check that is a connection and nothing more: TCP, and TLS where the upstream has it.
final class ConnectProbe: UpstreamConnection {
  private weak var check: ServerCheck?

  init(_ check: ServerCheck, worker: Worker, pool: UpstreamPool, server: UpstreamServer) {
    self.check = check
    super.init(worker: worker, pool: pool, server: server)
  }

  override func connected() {
    close()
    check?.conclude(.passed)
  }

  override func connectFailed(_ refusal: GatewayRefusal) {
    check?.conclude(refusal == .resourcesExhausted ? nil : .connectFailed)
  }

  override func disconnected() {
    if !isClosed { check?.conclude(.closed) }
  }
}
