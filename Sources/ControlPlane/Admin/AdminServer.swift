// The admin listener: for the operator's tools, never on a public address.

import Configuration
import Foundation
import NIOCore
import NIOPosix
import Transport

/// Serves /metrics, /healthz, /readyz, /status and /reload.
struct AdminServer: Sendable {
  private let server: SmallHTTPServer

  var port: Int { server.port }

  static func start(
    on address: Address, for gateway: RunningGateway, connectionCountMax: Int
  ) async throws -> AdminServer {
    let server: SmallHTTPServer
    do {
      server = try await SmallHTTPServer.start(
        host: address.host, port: Int(address.port), group: MultiThreadedEventLoopGroup.singleton,
        connectionCountMax: connectionCountMax
      ) { request in await answer(request, gateway) }
    } catch let error as IOError {
      throw ListenError(address, code: error.errnoCode)
    } catch {
      throw ListenError(address, reason: "\(error)")
    }
    return AdminServer(server: server)
  }

  func stop() async { await server.stop(within: .seconds(1)) }

  private static func answer(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    let isRead = request.method == "GET" || request.method == "HEAD"
    switch (request.path, isRead, request.method) {
    case ("/healthz", true, _): return .text("ok\n")
    case ("/readyz", true, _): return await readiness(gateway)
    case ("/metrics", true, _): return await metrics(gateway)
    case ("/status", true, _): return await status(request, gateway)
    case ("/reload", _, "POST"): return await reload(gateway)
    case ("/healthz", _, _), ("/readyz", _, _), ("/metrics", _, _), ("/status", _, _):
      return SmallResponse(status: 405, fields: [("Allow", "GET, HEAD")])
    case ("/reload", _, _): return SmallResponse(status: 405, fields: [("Allow", "POST")])
    default: return .text("not found; there are /metrics, /healthz, /readyz, /status and POST /reload\n", status: 404)
    }
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

  private static func metrics(_ gateway: RunningGateway) async -> SmallResponse {
    SmallResponse(
      status: 200, fields: [("Content-Type", MetricsPage.contentType)], body: await gateway.metricsPage().render())
  }

  private static func reload(_ gateway: RunningGateway) async -> SmallResponse {
    if let errors = await gateway.reload() { return .text(errors + "\n", status: 422) }
    return .text("reloaded\n")
  }
}
