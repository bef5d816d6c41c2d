// The admin listener, and the one for metrics alone: for the operator's tools, never on a public address.

import Configuration
import FoundationEssentials
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Transport

/// One address with pages of the gateway itself.
final class AdminServer: Sendable {
  enum Door: String {
    /// All pages, for those whom the configuration lets in.
    case all
    /// /metrics, /healthz and /readyz, which change nothing, for everyone who reaches them, by whatever name.
    case metrics
  }

  /// As the configuration has it.
  let address: Address
  var port: Int { server.port }
  /// Its listening socket.
  let descriptor: Int32
  private let server: SmallHTTPServer
  private let rules: NIOLockedValueBox<Admin>

  private init(address: Address, descriptor: Int32, server: SmallHTTPServer, rules: NIOLockedValueBox<Admin>) {
    self.address = address
    self.descriptor = descriptor
    self.server = server
    self.rules = rules
  }

  static func start(
    _ door: Door, on address: Address, _ rules: Admin, for gateway: RunningGateway, connectionCountMax: Int,
    inherited: InheritedSockets
  ) async throws -> AdminServer {
    let rules = NIOLockedValueBox(rules)
    let descriptor = try inherited.takeOne(address, door.rawValue) ?? listeningDescriptor(on: address)
    do {
      let server = try await SmallHTTPServer.start(
        on: descriptor, group: MultiThreadedEventLoopGroup.singleton, connectionCountMax: connectionCountMax
      ) { request in
        switch door {
        case .all: await answer(request, rules.withLockedValue { $0 }, gateway)
        case .metrics: await answerMetrics(request, gateway)
        }
      }
      return AdminServer(address: address, descriptor: descriptor, server: server, rules: rules)
    } catch let error as IOError {
      throw ListenError(address, code: error.errnoCode)
    } catch {
      throw ListenError(address, reason: "\(error)")
    }
  }

  /// Who is let in from now on.
  func take(_ admin: Admin) { rules.withLockedValue { $0 = admin } }

  /// The address is free for another process. Who is connected is answered on.
  func stopListening() async { await server.stopListening() }

  func stop() async { await server.stop(within: .seconds(1)) }

  private static func answer(_ request: SmallRequest, _ rules: Admin, _ gateway: RunningGateway) async -> SmallResponse
  {
    let isOpen = ["/healthz", "/readyz"].contains(request.path)
    if let refusal = rules.refusal(of: request, isOpen: isOpen) { return refusal.response }
    let isRead = request.method == "GET" || request.method == "HEAD"
    switch (request.path, isRead, request.method) {
    case ("/status", true, _): return await status(request, gateway)
    case ("/status", _, _): return notAllowed("GET, HEAD")
    case ("/sessions", true, _): return await sessions(request, gateway)
    case ("/sessions", _, _): return notAllowed("GET, HEAD")
    case ("/sessions/end", _, "POST"): return await endSessions(request, gateway)
    case ("/sessions/end", _, _): return notAllowed("POST")
    case ("/revoke", _, "POST"): return await addRevocation(request, gateway)
    case ("/revoke", _, _): return notAllowed("POST")
    case ("/explain", _, "POST"): return await explain(request, gateway, unixSeconds: Int64(time(nil)))
    case ("/explain", _, _): return notAllowed("POST")
    case ("/reload", _, "POST"): return await reload(gateway)
    case ("/reload", _, _): return notAllowed("POST")
    default:
      return await page(request, gateway)
        ?? .text(
          "not found: there are /metrics, /healthz, /readyz, /status, /sessions, POST /revoke, POST /explain "
            + "and POST /reload\n",
          status: 404)
    }
  }

  private static func answerMetrics(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    await page(request, gateway) ?? .text("not found: there are /metrics, /healthz and /readyz\n", status: 404)
  }

  /// What both have.
  private static func page(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse? {
    guard ["/metrics", "/healthz", "/readyz"].contains(request.path) else { return nil }
    guard request.method == "GET" || request.method == "HEAD" else { return notAllowed("GET, HEAD") }
    switch request.path {
    case "/metrics":
      let format = MetricsFormat(accept: request.fields.filter { $0.name.lowercased() == "accept" }.map(\.value))
      return SmallResponse(
        status: 200, fields: [("Content-Type", format.contentType), ("Vary", "Accept")],
        body: await gateway.metricsPage().render(format))
    case "/readyz": return await readiness(gateway)
    default: return .text("ok\n")
    }
  }

  private static func notAllowed(_ methods: String) -> SmallResponse {
    SmallResponse(status: 405, fields: [("Allow", methods)])
  }

  private static func readiness(_ gateway: RunningGateway) async -> SmallResponse {
    let obstacles = await gateway.obstacles()
    if obstacles.isEmpty { return .text("ready\n") }
    return .text(obstacles.map { $0 + "\n" }.joined(), status: 503)
  }

  private static func status(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    if StatusPage.isWanted(by: request) { return StatusPage.response() }
    var response = SmallResponse.json(await gateway.statusDocument())
    response.fields += [("Cache-Control", "no-store"), ("Vary", "Accept")]
    return response
  }

  private static func reload(_ gateway: RunningGateway) async -> SmallResponse {
    switch await gateway.reload() {
    case .refused(let errors): return .text(errors + "\n", status: 422)
    case .tookOver(let changes, let warnings):
      // The first line is for programs, and stays as it is.
      let changed = changes.isEmpty ? "nothing" : changes.joined(separator: ", ")
      return .text((["reloaded", "changed: \(changed)"] + warnings).joined(separator: "\n") + "\n")
    }
  }
}

/// Both listeners, as far as the configuration has them.
struct AdminServers: Sendable {
  private(set) var all: AdminServer?
  private(set) var metrics: AdminServer?

  /// Those of a configuration: the ones of before where the address is the same. A failure leaves those as they were.
  /// - Parameter connectionCountMax: of both together.
  func moved(
    to admin: Admin?, for gateway: RunningGateway, connectionCountMax: Int, inherited: InheritedSockets
  ) async throws -> AdminServers {
    guard let admin else { return AdminServers() }
    let countMax = max(1, connectionCountMax / (admin.metrics == nil ? 1 : 2))
    func server(_ door: AdminServer.Door, on address: Address?, keeping old: AdminServer?) async throws -> AdminServer?
    {
      guard let address else { return nil }
      if let old, old.address == address { return old }
      return try await AdminServer.start(
        door, on: address, admin, for: gateway, connectionCountMax: countMax, inherited: inherited)
    }
    var fresh = AdminServers()
    fresh.all = try await server(.all, on: admin.address, keeping: all)
    do {
      fresh.metrics = try await server(.metrics, on: admin.metrics, keeping: metrics)
    } catch {
      if fresh.all !== all { await fresh.all?.stop() }
      throw error
    }
    fresh.all?.take(admin)
    return fresh
  }

  /// What another process may take over.
  var listeningSockets: [(name: String, number: Int32)] {
    [(all, AdminServer.Door.all), (metrics, .metrics)].compactMap { server, door in
      server.map { (InheritedSockets.name($0.address, door.rawValue), $0.descriptor) }
    }
  }

  func stopListening() async {
    await all?.stopListening()
    await metrics?.stopListening()
  }

  func stop(except kept: AdminServers = AdminServers()) async {
    if all !== kept.all { await all?.stop() }
    if metrics !== kept.metrics { await metrics?.stop() }
  }
}
