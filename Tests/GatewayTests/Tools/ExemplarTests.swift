// Exemplars of a running gateway, as Prometheus keeps them and as another reader of OpenMetrics takes them.

import Foundation
import TestSupport
import Testing

@Suite("Exemplars", .timeLimit(.minutes(10)))
struct ExemplarTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

  private func start(_ traces: String) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      \(traces)
      trusted_proxies: [127.0.0.1]
      routes: [{ name: own, path: /*, auth: public, respond: { status: 200, body: ok } }]
      """)
  }

  private static let traces = "traces: { endpoint: \"http://127.0.0.1:9\", sample: 0% }"
  private static let sampled = "traceparent: 00-\(trace)-00f067aa0ba902b7-01"

  @Test("Prometheus asks for OpenMetrics, and finds the trace of a request in its bucket", .needs("prometheus"))
  func prometheus() async throws {
    let gateway = try await start(Self.traces)
    #expect(try await gateway.get("/", [Self.sampled]).status == 200)
    let prometheus = try await PrometheusServer.start(
      scraping: gateway.adminPort, options: ["--enable-feature=exemplar-storage"])
    var found: [(labels: [String: String], value: Double)] = []
    try await poll("an exemplar", seen: "none", pauseMilliseconds: 300) {
      found = try await prometheus.exemplars(of: "catraca_request_duration_seconds_bucket{route=\"own\"}")
      return !found.isEmpty
    }
    #expect(found.allSatisfy { $0.labels["trace_id"] == Self.trace && $0.labels["span_id"]?.count == 16 })
    #expect(found.allSatisfy { $0.value > 0 && $0.value < 3600 })
    #expect(try await prometheus.values(of: "catraca_requests_total{route=\"own\"}") == [1])
    #expect(try await prometheus.values(of: "catraca_build_info") == [1])
  }

  /// What Python's reader of OpenMetrics makes of a page: a line for each family, and one for each exemplar.
  private func read(_ page: String) async throws -> [String]? {
    guard let python = await PythonPackages.openMetrics.value else { return nil }
    let folder = try TemporaryFolder()
    try folder.write("page", Data(page.utf8))
    let script = """
      from prometheus_client.openmetrics.parser import text_string_to_metric_families
      for family in text_string_to_metric_families(open("page", encoding="utf-8").read()):
          print("family", family.name, family.type, family.unit)
          for sample in family.samples:
              if sample.exemplar:
                  print("exemplar", sample.name, sample.exemplar.labels["trace_id"])
      """
    let result = try await ChildProcess.run(python, ["-c", script], in: folder.url)
    #expect(result.status == 0, "\(result.standardError)")
    return result.standardOutput.split(separator: "\n").map(String.init)
  }

  @Test("Another reader takes the page of a gateway that has met everything, and finds no exemplar without traces")
  func reader() async throws {
    let busy = try await BusyGateway.start()
    try await busy.makeTraffic()
    let untraced = try await busy.door.gateway.admin("/metrics", ["Accept: application/openmetrics-text"])
    #expect(untraced["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    #expect(untraced["vary"] == "Accept")
    let gateway = try await start(Self.traces)
    for fields in [[Self.sampled], []] { #expect(try await gateway.get("/", fields).status == 200) }
    let traced = try await gateway.admin("/metrics", ["Accept: application/openmetrics-text"])
    guard let lines = try await read(untraced.text), let tracedLines = try await read(traced.text) else { return }
    #expect(lines.contains("family catraca_requests counter "))
    #expect(lines.contains("family catraca_request_duration_seconds histogram seconds"))
    #expect(lines.contains("family catraca_build info "))
    #expect(lines.allSatisfy { $0.hasPrefix("family ") })
    #expect(
      tracedLines.filter { $0.hasPrefix("exemplar") } == [
        "exemplar catraca_request_duration_seconds_bucket \(Self.trace)"
      ])
    let plain = try await gateway.admin("/metrics")
    #expect(plain["content-type"] == "text/plain; version=0.0.4; charset=utf-8" && !plain.text.contains("trace_id"))
  }
}
