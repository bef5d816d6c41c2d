// The control plane's middle: it prepares snapshots and hands them to the data plane, at the start, on reload and at
// the end. Nothing in it is in the request path.

package import Configuration
import FoundationEssentials
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Proxy
import Tokens
import Transport

/// How a configuration is read: at the start and for every reload.
package typealias ConfigurationSource = @Sendable () -> Result<ConfigurationReader.Loaded, ConfigurationErrors>

/// A gateway with its control plane. One per process.
package actor RunningGateway {
  let log: Logger
  let process: ProcessFacts
  private let machine: MachineLimits
  private let read: ConfigurationSource
  let logWriter: LogWriter
  let telemetry: Telemetry
  private let generation = NIOLockedValueBox(UInt64(0))
  let gateway: Gateway
  var tls: TLSPreparation
  var certificates: [CertificateMetrics]
  /// As they were before they were read the last time.
  var certificateSignatures: [FileSignature]
  var assertionKeys: AssertionKeys
  var snapshot: Snapshot
  /// As the file has it. The snapshot's has addresses in place of names.
  private(set) var configuration: GatewayConfiguration
  let registry: KeySetRegistry
  /// What went wrong lately.
  package let notices: NoticeBoard
  let names: NameRegistry
  let sessions: SessionLists
  let revocations: RevocationRegistry
  private let logins: LoginServices
  private(set) var admin = AdminServers()
  private(set) var reloads = ReloadRecord()
  /// Another configuration was taken over.
  let reloaded = WakeUp()
  var history = RequestHistory()
  /// How far the process is on its way to its end.
  var ending = GatewayEnding()
  private var lastReload: Task<ReloadOutcome?, Never>?
  /// Those that a reload adds do not make a process that serves unready.
  let firstIssuers: Set<String>
  let startedAt = ContinuousClock.now
  /// Each listener with the port that it really has.
  package private(set) var listeners: [(Listener, port: Int)] = []
  package var adminPort: Int? { admin.all?.port }

  /// How long the listeners wait for the first answers of issuers.
  private static let firstKeysLimit = Duration.seconds(1)
  private static let inheritedKeysLimit = Duration.seconds(20)

  /// Starts everything that a configuration names. Throws before anything answers when some of it is not available: an
  /// address in use, a log file that cannot be written.
  package static func start(
    _ loaded: ConfigurationReader.Loaded, reading: @escaping ConfigurationSource, process: ProcessFacts
  ) async throws -> RunningGateway {
    process.log.take(loaded.configuration.log)
    let log = process.log.logger
    let machine = MachineLimits.current
    let configuration = fitted(loaded.configuration, machine, log)
    var tls = TLSPreparation()
    let signatures = signatures(of: configuration)
    let prepared = try tls.prepare(configuration)
    var assertionKeys = AssertionKeys()
    let signers = try assertionKeys.signers(of: configuration)
    let link = GatewayLink()
    let notices = NoticeBoard(log: log)
    let registry = KeySetRegistry(
      environment: .live(DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)),
      stateDirectory: configuration.stateDirectory, log: log, notices: notices, publish: link.publish)
    await registry.apply(issuers: configuration.issuers)
    // The process before this one serves meanwhile.
    let patience = process.inheritance.isSuccession ? inheritedKeysLimit : firstKeysLimit
    async let firstKeys: Void = registry.askFirst(within: patience)
    let names = NameRegistry(log: log)
    let addresses = await names.apply(configuration.hostNames, servers: configuration.dnsServers)
    let snapshot = Snapshot(configuration.resolved(by: addresses), generation: 1, signers: signers)
    await firstKeys
    let running = try await RunningGateway(
      configuration, snapshot, await registry.snapshot(), registry, notices, names, link, tls, prepared, signatures,
      assertionKeys, machine, reading: reading, process: process)
    // A set that came after `snapshot` was published to nobody.
    await registry.publishAll()
    await running.lookAtRevocationsFirst()
    do {
      try await running.open(loaded.sources)
    } catch {
      running.gateway.stop()
      throw error
    }
    return running
  }

  private init(
    _ configuration: GatewayConfiguration, _ snapshot: Snapshot, _ keySets: [KeySet?], _ registry: KeySetRegistry,
    _ notices: NoticeBoard, _ names: NameRegistry, _ link: GatewayLink,
    _ tls: TLSPreparation, _ prepared: TLSPreparation.Prepared, _ signatures: [FileSignature],
    _ assertionKeys: AssertionKeys, _ machine: MachineLimits, reading: @escaping ConfigurationSource,
    process: ProcessFacts
  ) async throws {
    let log = process.log.logger
    self.log = log
    self.process = process
    self.machine = machine
    logWriter = LogWriter(log: log, memoryByteCount: machine.memoryByteCount)
    let telemetry = Telemetry(log: log, version: process.version)
    telemetry.apply(configuration)
    self.telemetry = telemetry
    self.configuration = configuration
    firstIssuers = Set(configuration.issuers.map(\.name))
    self.names = names
    self.registry = registry
    self.notices = notices
    self.snapshot = snapshot
    self.link = link
    self.tls = tls
    certificates = prepared.certificates
    certificateSignatures = signatures
    self.assertionKeys = assertionKeys
    read = reading
    let writer = logWriter
    let sessions = SessionLists(link)
    let logins = LoginServices(registry: registry, sessions: sessions, log: log)
    (self.sessions, self.logins) = (sessions, logins)
    let revocations = RevocationRegistry.live(registry, link, configuration, log, notices)
    self.revocations = revocations
    let refreshes = SessionRefreshes(
      sessions,
      environment: SessionRefreshes.Environment(
        ask: { tokens, session throws(LoginFault) in try await logins.refreshed(tokens, of: session) },
        now: { Int64(Date.now.timeIntervalSince1970) }))
    let stores = StoreBoard(log: log, names: names)
    await logins.apply(configuration)
    sessions.apply(configuration)
    let workers = Self.workerCount(snapshot.configuration)
    gateway = try await Gateway.start(
      workers: workers, snapshot: snapshot, keySets: keySets,
      contexts: prepared.contexts,
      outlets: WorkerOutlets(
        log: { writer.write($0) }, spans: { telemetry.spans.take($0) }, logRecords: { telemetry.logs.take($0) },
        ask: { question, credential, reply in
          Task {
            switch question.source {
            case .session: await sessions.memory.answer(question.digest, of: credential, reply)
            case .statusList: reply(await revocations.answer(to: question, about: credential))
            case .keySet, .introspection, .apiKey: reply(await registry.answer(to: question))
            }
          }
        },
        changeSession: { change, reply in Task { reply(await sessions.change(change)) } },
        login: { request, reply in Task { reply(await logins.answer(request)) } },
        refreshSession: { question, session, reply in
          Task { reply(await refreshes.refresh(question.digest, of: session)) }
        },
        serverHandshakeFailed: { notices.post($0) },
        tokenRefused: { notices.post($0) },
        upstreamChanged: { upstream, change in log.report(change, of: upstream) },
        storeChanged: { stores.post($0) }, slotsShort: { shortage in log.report(shortage) }),
      socketsMax: machine.socketsMax(snapshot.configuration, workers: workers),
      memoryByteCountMax: Self.memoryByteCountMax(configuration.limits), inherited: process.inheritance.sockets)
    link.connect(gateway, generation: snapshot.generation)
  }

  let link: GatewayLink

  private static func memoryByteCountMax(_ limits: Limits) -> Int { limits.memory ?? MemoryAllowance.byteCount / 4 }

  static func workerCount(_ configuration: GatewayConfiguration) -> Int {
    configuration.workers ?? CoreCount.available
  }

  /// The configuration as far as the machine can support it. The operator is warned of the rest.
  private static func fitted(
    _ configuration: GatewayConfiguration, _ machine: MachineLimits, workers: Int? = nil, _ log: Logger
  ) -> GatewayConfiguration {
    let (fitted, warnings) = machine.fitted(configuration, workers: workers ?? workerCount(configuration))
    for warning in warnings { log.warning("\(warning)") }
    return fitted
  }

  private func open(_ sources: ConfigurationSources) async throws {
    reloads.sources = sources
    try logWriter.open(snapshot.configuration.accessLog.destination)
    admin = try await movedAdmin(to: snapshot.configuration.admin)
    do {
      listeners = try await gateway.openListeners(of: snapshot)
      try closeUnusedSockets()
    } catch {
      await admin.stop()
      throw error
    }
    for (listener, port) in listeners { announce(listener, port) }
    announce(admin.all, "admin")
    announce(admin.metrics, "metrics")
  }

  private func closeUnusedSockets() throws {
    let names = process.inheritance.sockets.closeRest()
    guard let name = names.first, process.inheritance.mustBeUsed else { return }
    throw UnusedSocketError(name: name)
  }

  private func announce(_ listener: Listener, _ port: Int) {
    log.notice("listening", metadata: ["address": "\(listener.address.withPort(port))"])
  }

  private func announce(_ server: AdminServer?, _ name: Logger.Message) {
    guard let server else { return }
    log.notice(name, metadata: ["address": "\(server.address.withPort(server.port))"])
  }

  /// The background work: key sets and names. Runs until its task is cancelled.
  package func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.registry.run() }
      group.addTask { await self.revocations.run() }
      group.addTask { await self.telemetry.run { await self.metricsPage() } }
      group.addTask { await self.sessions.memory.run() }
      group.addTask {
        for await _ in self.names.changes { await self.partsChanged() }
      }
    }
  }

  // MARK: Reload

  /// Reads the configuration again. A bad one changes nothing.
  package func reload() async -> ReloadOutcome {
    // One after the other: each reads the file when its turn comes.
    let before = lastReload
    let reload = Task {
      _ = await before?.value
      return await reloadNow()
    }
    lastReload = Task { await reload.value }
    return await reload.value
  }

  private func reloadNow() async -> ReloadOutcome {
    if ending.hasBegun { return .refused("\(StoppingError())") }
    process.manager.report(.reloading)
    defer { if !ending.isStopReported { reportReady() } }
    let failure: String
    let time = Int64(Date.now.timeIntervalSince1970)
    switch read() {
    case .failure(let errors):
      failure = errors.description
      reloads.sources = errors.sources
    case .success(let loaded):
      reloads.sources = loaded.sources
      for warning in loaded.warnings { log.warning("\(warning)") }
      do {
        let (changes, delayed) = try await takeOver(loaded.configuration)
        reloads.note(failure: nil, at: time)
        log.notice(
          "reloaded",
          metadata: [
            "generation": "\(snapshot.generation)",
            "changed": "\(changes.isEmpty ? "nothing" : changes.joined(separator: ", "))",
          ])
        return .tookOver(changes: changes, warnings: loaded.warnings.map(\.description) + delayed)
      } catch {
        failure = "\(error)"
      }
    }
    reloads.note(failure: failure, at: time)
    // Each finding is a line of its own, as at the start.
    for finding in failure.split(separator: "\n") { log.error("\(finding)") }
    log.error("reload refused, the running configuration stays")
    return .refused(failure)
  }

  /// - Returns: the sections that have changed, and what of them changes at the next start only.
  private func takeOver(_ wanted: GatewayConfiguration) async throws -> (changes: [String], delayed: [String]) {
    let configuration = Self.fitted(wanted, machine, workers: gateway.workerCount, log)
      .withEndpoints(of: self.configuration)
    let addresses = await names.apply(configuration.hostNames, servers: configuration.dnsServers)
    if ending.hasBegun { throw StoppingError() }
    let fresh = Snapshot(
      configuration.resolved(by: addresses), generation: snapshot.generation + 1, after: snapshot,
      signers: try assertionKeys.signers(of: configuration))
    let signatures = Self.signatures(of: configuration)
    let prepared = try tls.prepare(configuration)
    // What can fail comes first, so that a failure leaves everything as it was.
    let opened = try await gateway.openListeners(of: fresh)
    do {
      let accessLog = try LogWriter.prepare(configuration.accessLog.destination)
      do {
        try await moveAdmin(to: configuration.admin)
      } catch {
        accessLog.discard()
        throw error
      }
      logWriter.takeOver(accessLog)
    } catch {
      await gateway.closeListeners(except: snapshot.configuration.listeners)
      throw error
    }
    let changes = configuration.changes(from: self.configuration)
    let delayed = changesOfNextStart(configuration)
    for warning in delayed { log.warning("\(warning)") }
    process.log.take(configuration.log)
    telemetry.apply(configuration)
    link.announce(generation: fresh.generation)
    let keySets = await registry.apply(issuers: configuration.issuers)
    let revoked = await revocations.apply(configuration)
    await logins.apply(configuration)
    sessions.apply(configuration)
    await gateway.install(fresh, keySets: keySets, revocations: revoked, contexts: prepared.contexts)
    gateway.memory.byteCountMax = Self.memoryByteCountMax(configuration.limits)
    certificates = prepared.certificates
    await gateway.closeListeners(except: configuration.listeners)
    snapshot = fresh
    self.configuration = configuration
    reloaded.ring()
    certificateSignatures = signatures
    for (listener, port) in opened where !listeners.contains(where: { $0.0 == listener }) { announce(listener, port) }
    listeners = opened
    // A set that changed between `apply` and `install` was published to workers that still had the old configuration.
    await registry.publishAll()
    await revocations.publishAll()
    return (changes, delayed)
  }

  /// What is behind names and files has changed. In turn with reloads, which bring names and files of their own.
  /// - Parameter change: of the configuration as the file has it.
  func partsChanged(_ change: @escaping @Sendable (inout GatewayConfiguration) -> Void = { _ in }) async {
    await inTurn { await self.takeOverParts(change) }
  }

  /// Does something that no reload may come between.
  func inTurn(_ body: @escaping @Sendable () async -> Void) async {
    let before = lastReload
    let takeOver = Task { () -> ReloadOutcome? in
      _ = await before?.value
      await body()
      return nil
    }
    lastReload = takeOver
    _ = await takeOver.value
  }

  private func takeOverParts(_ change: @Sendable (inout GatewayConfiguration) -> Void) async {
    change(&configuration)
    let resolved = configuration.resolved(by: await names.addresses)
    if ending.hasBegun || resolved.hasParts(of: snapshot.configuration) { return }
    let fresh = Snapshot(snapshot, resolved: resolved)
    await gateway.installParts(of: fresh)
    snapshot = fresh
  }

  private func movedAdmin(to settings: Admin?) async throws -> AdminServers {
    try await admin.moved(
      to: settings, for: self, connectionCountMax: machine.adminConnectionsMax, inherited: process.inheritance.sockets)
  }

  private func moveAdmin(to settings: Admin?) async throws {
    let old = admin
    let fresh = try await movedAdmin(to: settings)
    admin = fresh
    if fresh.all !== old.all { announce(fresh.all, "admin") }
    if fresh.metrics !== old.metrics { announce(fresh.metrics, "metrics") }
    // Not awaited: the request that asked for this reload may be the old server's own.
    Task { await old.stop(except: fresh) }
  }

  package func reopenLogs() {
    do {
      try logWriter.reopen()
      log.notice("access log reopened")
    } catch {
      log.error("access log not reopened, the old file stays in use", metadata: ["error": "\(error)"])
    }
  }
}
