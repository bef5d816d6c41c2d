// A server that dies and is started again behind a gateway under load: what clients get meanwhile, and that a herd
// which waited for it does not run it over.

import Foundation
import TestSupport
import Testing

@Suite("Recovery of a server")
struct RecoveryTests {
  private struct Load: Sendable {
    var nowCount = 0
    var peak = 0
  }

  private static func start(_ path: String, _ load: Monitor<Load>) async throws -> TestUpstream {
    try? FileManager.default.removeItem(atPath: path)
    return try await TestUpstream.start(path: path) { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target != "/healthz" {
          load.update {
            $0.nowCount += 1
            $0.peak = max($0.peak, $0.nowCount)
          }
          // Others get their turn before this one is answered.
          await Task.yield()
          load.update { $0.nowCount -= 1 }
        }
        try await connection.answer("alive", to: request)
      }
    }
  }

  @Test(
    "A server that dies is answered for with 502 or 503, is back with its first good checks, and a herd keeps to its limit"
  )
  func herd() async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "app.sock").path
    let load = Monitor(Load())
    var upstream: TestUpstream? = try await Self.start(path, load)
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      upstreams:
        service:
          servers: ["unix:\(path)"]
          health_check: { path: /healthz, interval: 200ms, timeout: 60s, healthy_after: 2, unhealthy_after: 2 }
          panic_threshold: 0%
          max_requests: 4
          queue: { length: 1000, timeout: 5m }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    #expect(try await gateway.get("/").text == "alive")
    #expect(upstream?.requests.isEmpty == false)
    let connections = upstream?.connections ?? []
    upstream = nil
    for connection in connections { try await connection.waitUntilGone() }
    try? FileManager.default.removeItem(atPath: path)
    // Until the checks have found it out, a request does.
    let first = try await gateway.get("/")
    #expect([502, 503].contains(first.status))
    let line = try await gateway.waitForLog("it is out") { $0.contains("a server is unhealthy") }
    #expect(line.contains("reason=connect_failed"))
    #expect(line.contains("server=unix:\(path)"))
    try await gateway.waitUntil("the refusal") { try await gateway.get("/").code == "upstream_unavailable" }
    upstream = try await Self.start(path, load)
    _ = try await gateway.waitForLog("it is back") { $0.contains("a server is healthy") }
    try await gateway.waitUntil("an answer") { try await gateway.get("/").status == 200 }
    let texts = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 1...300 { group.addTask { try await gateway.get("/").text } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(texts == Array(repeating: "alive", count: 300))
    #expect(load.current.peak <= 4)
    #expect(gateway.standardError.count { $0.contains("a server is") } == 2)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_upstream_queued") == 0)
    #expect(metrics.sum("catraca_upstream_requests_active") == 0)
    #expect(upstream?.failures.isEmpty == true)
  }

  @Test("Limits and checks that change while requests run and wait cost no request")
  func reloads() async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "app.sock").path
    let upstream = try await Self.start(path, Monitor(Load()))
    func file(_ number: Int) -> String {
      let check = number % 2 == 0 ? "health_check: { path: /healthz, interval: 200ms, timeout: 60s }, " : ""
      return """
        workers: 2
        upstreams:
          service: { servers: ["unix:\(path)"], \(check)max_requests: \(number % 3 + 1), queue: { length: 1000, timeout: 5m } }
        routes: [{ path: "/*", auth: public, upstream: service }]
        """
    }
    let gateway = try await GatewayProcess.start(file(0))
    let isOver = Monitor(false)
    let counts = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 1...16 {
        group.addTask {
          let client = try await gateway.connect()
          var count = 0
          repeat {
            #expect(try await client.get("/").text == "alive")
            count += 1
          } while !isOver.current
          return count
        }
      }
      for number in 1...10 {
        try gateway.write(configuration: file(number))
        #expect(try await gateway.reload().status == 200)
      }
      isOver.update { $0 = true }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(counts.count == 16)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_upstream_queued") == 0)
    #expect(metrics.sum("catraca_upstream_requests_active") == 0)
    #expect(metrics.sum("catraca_upstream_rejected_total") == 0)
    #expect(upstream.requests.count { $0.target == "/" } == counts.reduce(0, +))
    // All places were given back: with one place requests still pass.
    try gateway.write(configuration: file(3))
    #expect(try await gateway.reload().status == 200)
    for _ in 1...3 { #expect(try await gateway.get("/").text == "alive") }
  }
}
