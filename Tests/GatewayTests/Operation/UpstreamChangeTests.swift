// Servers and routes that come and go by reload while requests run: nothing is dropped, what was begun is finished, and
// nothing is left behind.

import Foundation
import TestSupport
import Testing

@Suite("Upstreams and routes changed under load", .timeLimit(.minutes(10)))
struct UpstreamChangeTests {
  private func file(_ servers: [TestUpstream], more: String = "", keys: String = "") -> String {
    """
    workers: 2
    upstreams:
      service: { servers: [\(servers.map { "\"\($0.address)\"" }.joined(separator: ", "))]\(keys) }
    routes:
      - { path: /work, auth: public, upstream: service }
    \(more)
    """
  }

  /// Has its own name in each answer.
  private func server(_ name: String) async throws -> TestUpstream { try await TestUpstream.answering(name) }

  @Test(
    "Thousands of requests over HTTP/1.1 and HTTP/2 do not notice that servers, weights and routes change",
    .needs("h2load"), .tags(.slow))
  func manyChanges() async throws {
    let servers = [try await server("a"), try await server("b"), try await server("c")]
    let extra = "  - { path: /extra, auth: public, upstream: service }"
    let files = [
      file([servers[0], servers[1]]), file([servers[1], servers[2]], more: extra), file([servers[2]]),
      file(servers, more: extra, keys: ", connect_timeout: 50s"), file([servers[0], servers[2]]),
    ]
    let gateway = try await GatewayProcess.start(files[0])
    let load = try ChildProcess.start(
      "/usr/bin/env",
      ["h2load", "-n", "4000", "-c", "4", "-m", "8", "http://127.0.0.1:\(gateway.port)/work"])
    let isDone = Monitor(false)
    let answered = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<6 {
        group.addTask {
          let client = try await gateway.connect()
          var names: [String] = []
          while !isDone.current {
            let response = try await client.get("/work")
            #expect(response.status == 200 && response["Connection"] == nil, "\(response)")
            names.append(response.text)
          }
          return names
        }
      }
      var changes = 0
      while changes < 40 || load.output.current.status == nil {
        changes += 1
        try gateway.write(configuration: files[changes % files.count])
        #expect(try await gateway.reload().status == 200)
        // The new one counts from here on, for everyone.
        let status = try await gateway.get("/extra").status
        #expect(status == (files[changes % files.count].contains("/extra") ? 200 : 404))
      }
      isDone.update { $0 = true }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    let report = try await load.finish().standardOutput
    #expect(report.contains("4000 done, 4000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(report)")
    #expect(report.contains("status codes: 4000 2xx, 0 3xx, 0 4xx, 0 5xx"), "\(report)")
    #expect(Set(answered) == ["a", "b", "c"] && answered.count > 100)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_requests_total", ["route": "/work", "code": "200"]) == Double(answered.count + 4000))
    #expect(metrics.sum("catraca_errors_total") == metrics.sum("catraca_errors_total", ["reason": "route_not_found"]))
    #expect(servers.allSatisfy { $0.failures.isEmpty })
    // Those that are out keep no connection.
    try gateway.write(configuration: file([servers[1]]))
    try await gateway.reload()
    try await servers[0].waitForOpenConnections(0)
    try await servers[2].waitForOpenConnections(0)
  }

  @Test("A removed server finishes the answer that is under way. Its idle connections are closed at once")
  func removed() async throws {
    let gate = Gate()
    let slow = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target != "/work?slow" {
          try await connection.answer("quick", to: request)
          continue
        }
        try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        try await gate.wait()
        try await connection.send("-last")
      }
    }
    let other = try await server("other")
    let gateway = try await GatewayProcess.start(file([slow]).replacing("workers: 2", with: "workers: 1"))
    let client = try await gateway.connect()
    try await client.send("GET /work?slow HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try await client.receiveResponseHead().status == 200)
    #expect(latin1(try await client.receive(5)) == "first")
    // A second connection, kept and idle.
    #expect(try await gateway.get("/work").text == "quick")
    #expect(slow.openConnectionCount == 2)
    try gateway.write(configuration: file([other]))
    try await gateway.reload()
    try await slow.waitForOpenConnections(1)
    #expect(try await gateway.get("/work").text == "other")
    gate.open()
    #expect(latin1(try await client.receive(5)) == "-last")
    try await slow.waitForOpenConnections(0)
    // The client's connection lives on, and is served by the servers of now.
    #expect(try await client.get("/work").text == "other")
    let line = try await gateway.waitForAccessLog(containing: slow.address, "\"response_bytes\":10")
    #expect(line.contains("\"status\":200") && !line.contains("reason"))
  }
}
