// Metrics and access log records as a collector gets them from the running gateway, and collectors that do not do what
// they should.

import Foundation
import TestSupport
import Testing

@Suite("Metrics and logs for a collector", .timeLimit(.minutes(10)))
struct CollectedTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

  @Test("A collector gets what /metrics has: cumulative sums, gauges and histograms with their traces")
  func metrics() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let endpoint = "endpoint: \"http://127.0.0.1:\(collector.port)/\""
    let gateway = try await GatewayProcess.start(
      """
      traces: { \(endpoint), sample: 0% }
      metrics:
        \(endpoint)
        headers: { X-Key: opensesame }
        interval: 1s
        service_name: shop
        resource: { deployment.environment.name: production, host.name: one }
      trusted_proxies: [127.0.0.1]
      routes: [{ name: own, path: /*, auth: public, respond: { status: 200, body: ok } }]
      """)
    let fields = ["traceparent: 00-\(Self.trace)-00f067aa0ba902b7-01"]
    for _ in 0..<3 { #expect(try await gateway.get("/", fields).status == 200) }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    // The last message came at the end.
    let points = try await collector.points(atLeast: 1)
    func last(_ name: String, _ attributes: [String: String] = [:]) throws -> TraceCollector.Point {
      try #require(points.last { $0.name == name && $0.attributes == attributes }, "\(name)")
    }
    let requests = try last("catraca_requests", ["route": "own", "method": "GET", "code": "200"])
    #expect(requests.kind == "sum" && requests.isCumulative && requests.value == 3 && requests.unit.isEmpty)
    #expect(requests.start > 0 && requests.start < requests.time && requests.target == "/v1/metrics")
    #expect(requests.headers["x-key"] == "opensesame" && requests.headers["content-type"] == "application/x-protobuf")
    let resource = ["service.name": "shop", "deployment.environment.name": "production", "host.name": "one"]
    for (name, value) in resource { #expect(requests.resource[name] == value, "\(name)") }
    let duration = try last("catraca_request_duration_seconds", ["route": "own"])
    #expect(duration.kind == "histogram" && duration.isCumulative && duration.unit == "s")
    #expect(duration.buckets.reduce(0, +) == 3 && duration.bounds.first == 0.0005 && duration.value > 0)
    #expect(!duration.exemplars.isEmpty && duration.exemplars.allSatisfy { $0 == Self.trace })
    let memory = try last("catraca_memory_limit_bytes")
    #expect(memory.kind == "gauge" && memory.unit == "By" && memory.value > 0)
    #expect(try last("process_cpu_seconds").kind == "sum" && last("process_cpu_seconds").value > 0)
    #expect(points.contains { $0.name == "catraca_build_info" && $0.attributes["version"] != nil })
    #expect(points.allSatisfy { !$0.attributes.values.contains("") })
    // Each message has a later time than the one before.
    let times = points.filter { $0.name == "catraca_memory_bytes" }.map(\.time)
    #expect(times == times.sorted() && Set(times).count == times.count)
  }

  @Test("A collector gets a record for each line of the access log, with the trace and the span of the request")
  func logs() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let endpoint = "endpoint: \"http://127.0.0.1:\(collector.port)\""
    let gateway = try await GatewayProcess.start(
      """
      traces: { \(endpoint) }
      logs: { \(endpoint), service_name: shop }
      access_log: { fields: [all, { tenant: "header:X-Tenant" }] }
      routes:
        - { name: own, path: /own, auth: public, respond: { status: 200, body: ok } }
        - { path: /gone, auth: public, respond: { status: 503 } }
      """)
    #expect(try await gateway.get("/own?secret=1", ["User-Agent: probe/1", "X-Tenant: caf\u{E9}"]).status == 200)
    #expect(try await gateway.get("/gone", ["Authorization: Bearer secret"]).status == 503)
    #expect(try await gateway.get("/none").status == 404)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    let records = try await collector.logRecords(atLeast: 3)
    let spans = try await collector.spans(atLeast: 3)
    #expect(records.count == 3 && !"\(records)".contains("secret"))
    #expect(records.map(\.body) == ["GET /own 200", "GET /gone 503", "GET /none 404"])
    #expect(records.map(\.severity) == ["9 INFO", "17 ERROR", "9 INFO"])
    for record in records {
      let span = try #require(spans.first { $0.trace == record.trace })
      #expect(record.span == span.id && record.flags == 1 && record.target == "/v1/logs")
      #expect(record.resource["service.name"] == "shop" && record.observed >= record.time)
      #expect(record.attributes["http.request.method"] == "GET" && record.attributes["client.address"] == "127.0.0.1")
      #expect(record.attributes["trace_id"] == nil && record.attributes["timestamp"] == nil)
    }
    let expected = [
      "http.response.status_code": "200", "url.path": "/own", "user_agent.original": "probe/1",
      "network.protocol.version": "1.1", "tenant": "caf\u{E9}",
    ]
    for (name, value) in expected { #expect(records[0].attributes[name] == value, "\(name)") }
    #expect(Double(records[0].attributes["http.server.request.duration"] ?? "").map { $0 > 0 && $0 < 3600 } == true)
    // The lines themselves are written as well.
    let lines = try await gateway.waitForAccessLog(3)
    #expect(lines.count == 3)
  }

  @Test("Records come without access_log and without traces, and a trace that comes from elsewhere is named")
  func logsAlone() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let gateway = try await GatewayProcess.start(
      """
      logs: { endpoint: "http://127.0.0.1:\(collector.port)" }
      access_log: off
      upstreams: { app: { servers: ["127.0.0.1:\(try closedPort())"] } }
      routes: [{ path: /*, auth: public, upstream: app }]
      """)
    #expect(try await gateway.get("/a", ["traceparent: 00-\(Self.trace)-00f067aa0ba902b7-01"]).status == 502)
    let records = try await collector.logRecords(atLeast: 1)
    #expect(records[0].trace == Self.trace && records[0].span.isEmpty && records[0].flags == 0)
    #expect(records[0].attributes["error.type"] == "upstream_connect_failed" && records[0].severity == "17 ERROR")
    let sent = try await gateway.waitForMetrics("the record to be counted") { $0.sum("catraca_logs_sent_total") == 1 }
    #expect(sent.sum("catraca_logs_dropped_total") == 0 && sent.sum("catraca_traces_sent_total") == 0)
  }

  @Test(
    "A collector of logs and metrics that is slow, busy, gone or wrong harms no request, and its losses are counted",
    arguments: ["hangs", "busy", "garbles", "rejects", "picks", "gone"])
  func badCollectors(_ name: String) async throws {
    guard let (collector, port) = try await TraceCollector.start(named: name) else { return }
    let gateway = try await GatewayProcess.start(
      """
      logs: { endpoint: "http://127.0.0.1:\(port)", queue: 64 }
      metrics: { endpoint: "http://127.0.0.1:\(port)", interval: 1s }
      routes: [{ path: /*, auth: public, respond: { status: 200, body: ok } }]
      """)
    let client = try await gateway.connect()
    let reason = ["garbles": "answer_invalid", "rejects": "rejected", "picks": "rejected"][name]
    func isCounted() async throws -> Bool {
      let metrics = try await gateway.metrics()
      if name == "busy" {
        return metrics.sum("catraca_logs_sent_total") > 0 && metrics.sum("catraca_metrics_sent_total") > 0
      }
      return metrics.sum("catraca_logs_dropped_total", ["reason": reason ?? "queue_full"]) > 0
        && metrics.sum("catraca_metrics_dropped_total", ["reason": reason ?? "unavailable"]) > 0
    }
    try await poll("losses to be counted") {
      for _ in 0..<20 { #expect(try await client.get("/").status == 200) }
      return try await isCounted()
    }
    if name != "busy" {
      _ = try await gateway.waitForLog("why logs are lost") { $0.contains("the collector does not take logs") }
      _ = try await gateway.waitForLog("why metrics are lost") { $0.contains("the collector does not take metrics") }
    }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    withExtendedLifetime(collector) {}
  }

  @Test("A reload begins to send metrics and logs, and ends it")
  func reload() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let routes = "routes: [{ path: /*, auth: public, respond: { status: 200, body: ok } }]\n"
    let gateway = try await GatewayProcess.start(routes)
    let endpoint = "{ endpoint: \"http://127.0.0.1:\(collector.port)\" }"
    try gateway.write(configuration: "metrics: \(endpoint)\nlogs: \(endpoint)\n" + routes)
    #expect(try await gateway.reload().text.contains("changed: metrics, logs"))
    #expect(try await gateway.get("/").status == 200)
    #expect(try await collector.logRecords(atLeast: 1).count == 1)
    _ = try await collector.points(atLeast: 1)
    try gateway.write(configuration: routes)
    #expect(try await gateway.reload().text.contains("changed: metrics, logs"))
    #expect(try await gateway.get("/").status == 200)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    #expect(try await collector.logRecords(atLeast: 1).count == 1)
  }
}
