// docs/METRICS.md is what a running gateway shows: every metric with its type and labels, and each when it says so.

import Foundation
import TestSupport
import Testing

/// A row of the table.
private struct ListedMetric {
  var name: String
  var type: String
  var labels: Set<String>
  var isAlwaysThere: Bool

  static func all() throws -> [ListedMetric] {
    let file = URL(filePath: #filePath).appending(path: "../../../../docs/METRICS.md").standardized
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }.map {
      let cells = $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let labels = cells[3].components(separatedBy: ", ").map { $0.filter { $0 != "`" } }
      return ListedMetric(
        name: cells[0].filter { $0 != "`" }, type: cells[1], labels: Set(labels.filter { !$0.isEmpty }),
        isAlwaysThere: cells[5] == "always")
    }
  }

  func has(_ sample: MetricsReading.Sample) -> Bool {
    type == "histogram"
      ? ["_bucket", "_sum", "_count"].contains { sample.name == name + $0 } : sample.name == name
  }
}

@Suite("List of metrics", .timeLimit(.minutes(10)))
struct MetricListTests {
  /// Every sample is one of the list, with its labels.
  private func check(_ page: String) throws -> MetricsReading {
    let listed = try ListedMetric.all()
    let metrics = try MetricsReading(page)
    for sample in metrics.samples {
      let metric = listed.first { $0.has(sample) }
      #expect(metric?.labels == Set(sample.labels.keys).subtracting(["le"]), "\(sample)")
    }
    let types = page.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.dropFirst(7)) }
    #expect(types == listed.map { "\($0.name) \($0.type)" })
    return metrics
  }

  @Test("A gateway without traffic shows what is listed as always there, and what the kernel knows of its process")
  func quiet() async throws {
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: /fixed, auth: public, respond: { status: 204 } }]\n")
    let started = Date.now.timeIntervalSince1970
    let metrics = try check(try await gateway.admin("/metrics").text)
    for metric in try ListedMetric.all() where metric.isAlwaysThere || metric.name.hasPrefix("process_") {
      #expect(metrics.samples.contains { metric.has($0) }, "\(metric.name)")
    }
    #expect(metrics.sum("process_open_fds") > 5)
    #expect(metrics.sum("process_max_fds") > metrics.sum("process_open_fds"))
    let resident = Double(try gateway.residentByteCount())
    #expect((resident / 3...resident * 3).contains(metrics.sum("process_resident_memory_bytes")))
    #expect(metrics.sum("process_virtual_memory_bytes") > metrics.sum("process_resident_memory_bytes"))
    #expect(metrics.sum("process_cpu_seconds_total") <= (try gateway.processorSeconds()) + 0.02)
    // The kernel's boot time is in whole seconds.
    #expect(abs(started - metrics.sum("process_start_time_seconds")) < 600)
    #expect(abs(started - metrics.sum("catraca_config_last_reload_success_timestamp_seconds")) < 600)
  }

  @Test("A gateway that has met everything shows every metric of the list, and promtool finds nothing to criticise")
  func busy() async throws {
    let busy = try await BusyGateway.start()
    let gateway = busy.door.gateway
    try await busy.makeTraffic()
    var missing = try ListedMetric.all()
    // Copies for the mirror and checks come in their own time.
    try await poll("every metric to have samples", seen: "none of \(missing.map(\.name))") {
      let metrics = try await gateway.metrics()
      missing.removeAll { metric in metrics.samples.contains { metric.has($0) } }
      if missing.isEmpty { return true }
      try await busy.makeTraffic()
      return false
    }
    let page = try await gateway.admin("/metrics").text
    let metrics = try check(page)
    #expect(metrics.sum("catraca_request_body_bytes_total", ["route": "/door"]) >= 5)
    #expect(metrics.sum("catraca_response_body_bytes_total", ["route": "/own"]) >= 6)
    #expect(metrics.sum("catraca_requests_active") == 0)
    if ChildProcess.isInstalled("promtool") {
      // Where it is there it has the last word.
      try gateway.write(file: "metrics.txt", page)
      let file = gateway.folder.appending(path: "metrics.txt").path
      let result = try await ChildProcess.run("sh", ["-c", "promtool check metrics < '\(file)'"])
      #expect(result.status == 0, "\(result.standardError)")
      #expect(result.standardError.isEmpty)
    }
  }

  @Test("A request is under way from the end of its head to the end of its answer")
  func active() async throws {
    let gate = Gate()
    let server = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await gate.wait()
        try await connection.answer("late", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { slow: { servers: ["\(server.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: slow }]
      """)
    let (first, second) = (try await gateway.connect(), try await gateway.connect())
    // A head that has only begun is no request yet.
    try await second.send("GET / HTTP/1.1\r\n")
    try await first.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    try await gateway.waitForMetrics("one is under way") { $0.sum("catraca_requests_active") == 1 }
    try await second.send("Host: test\r\n\r\n")
    let metrics = try await gateway.waitForMetrics("two are under way") { $0.sum("catraca_requests_active") == 2 }
    #expect(metrics.sum("catraca_requests_active", ["listener": "127.0.0.1:0"]) == 2)
    gate.open()
    for client in [first, second] { #expect(try await client.receiveResponse().status == 200) }
    try await gateway.waitForMetrics("none is under way") { $0.sum("catraca_requests_active") == 0 }
  }

  @Test("The time of the last good reload moves with a good one, and a bad one leaves it")
  func reloadTime() async throws {
    let file = "routes: [{ path: /fixed, auth: public, respond: { status: 204 } }]\n"
    let gateway = try await GatewayProcess.start(file)
    let name = "catraca_config_last_reload_success_timestamp_seconds"
    let first = try await gateway.metrics().sum(name)
    try gateway.write(configuration: "routes: nonsense\n")
    #expect(try await gateway.reload().status == 422)
    let refused = try await gateway.metrics()
    #expect(refused.sum(name) == first)
    #expect(refused.sum("catraca_config_last_reload_successful") == 0)
    try gateway.write(configuration: file)
    try await poll("a second to pass between two good reloads") {
      #expect(try await gateway.reload().status == 200)
      return try await gateway.metrics().sum(name) > first
    }
  }
}
