// Every query of the dashboard and every rule of docs/observability, run by Prometheus against a gateway with traffic.

import Foundation
import TestSupport
import Testing

/// Prometheus itself, with our rules, which asks a gateway every second.
private struct PrometheusServer {
  let folder: TemporaryFolder
  let process: ChildProcess
  let port: Int

  static let documents = URL(filePath: #filePath).appending(path: "../../../../docs/observability").standardized

  static func start(scraping port: Int) async throws -> PrometheusServer {
    let folder = try TemporaryFolder()
    let rules = ["recording.yml", "alerts.yml"].map { documents.appending(path: $0).path }
    let text = """
      global: { scrape_interval: 1s, evaluation_interval: 1s }
      rule_files: \(rules)
      scrape_configs:
        - { job_name: catraca, static_configs: [{ targets: ["127.0.0.1:\(port)"] }] }
      """
    try folder.write("prometheus.yml", Data(text.utf8))
    let process = try ChildProcess.start(
      "/usr/bin/env",
      [
        "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        "--web.listen-address=127.0.0.1:0",
      ], in: folder.url)
    let own = try await process.output.wait(for: "Prometheus to listen") { output in
      output.standardError.first { $0.contains("msg=\"Listening on\"") }.flatMap { line in
        line.components(separatedBy: "address=127.0.0.1:").last.flatMap { Int($0) }
      }
    }
    return PrometheusServer(folder: folder, process: process, port: own)
  }

  private struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private func get(_ path: String) async throws -> [String: Any] {
    let client = try await RawClient.connect(port: port)
    let answer = try await client.exchange("GET \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    let document = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any]
    guard answer.status == 200, let data = document?["data"] as? [String: Any] else {
      throw Failure(description: "\(path): \(answer.text)")
    }
    return data
  }

  /// The values of a query now, those that are not a number left out.
  func values(of expression: String) async throws -> [Double] {
    let allowed = CharacterSet.alphanumerics
    let query = expression.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    let samples = try await get("/api/v1/query?query=\(query)")["result"] as? [[String: Any]] ?? []
    return samples.compactMap { ($0["value"] as? [Any])?.last as? String }.compactMap(Double.init)
      .filter { !$0.isNaN }
  }

  /// Each rule with its health and its last error.
  func rules() async throws -> [(name: String, type: String, health: String, error: String)] {
    let groups = try await get("/api/v1/rules")["groups"] as? [[String: Any]] ?? []
    return groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }.map { rule in
      func text(_ key: String) -> String { rule[key] as? String ?? "" }
      return (text("name"), text("type"), text("health"), text("lastError"))
    }
  }
}

@Suite("Dashboard and rules", .needs("prometheus"), .tags(.slow), .timeLimit(.minutes(10)))
struct DashboardTests {
  private struct Dashboard: Decodable {
    struct Panel: Decodable {
      struct Target: Decodable { var expr: String }
      var title: String
      var targets: [Target]?
    }
    var panels: [Panel]
  }

  /// The queries as Grafana sends them when everything is chosen.
  private static func queries() throws -> [(title: String, text: String)] {
    let file = PrometheusServer.documents.appending(path: "dashboard.json")
    let dashboard = try JSONDecoder().decode(Dashboard.self, from: Data(contentsOf: file))
    return dashboard.panels.flatMap { panel in
      (panel.targets ?? []).map { target in
        let text = ["job", "instance", "route"].reduce(target.expr) { $0.replacing("$\($1)", with: ".*") }
        return (panel.title, text.replacing("$__rate_interval", with: "1m"))
      }
    }
  }

  @Test("Prometheus finds numbers for every query of the dashboard and every recording rule, and no rule fails")
  func numbers() async throws {
    let busy = try await BusyGateway.start()
    let prometheus = try await PrometheusServer.start(scraping: busy.door.gateway.adminPort)
    let queries = try Self.queries()
    #expect(queries.count > 40)
    #expect(queries.allSatisfy { !$0.text.contains("$") })
    var missing = queries.map { (what: $0.title + ": " + $0.text, text: $0.text) }
    let recordings = ["recording.yml"].compactMap {
      try? String(contentsOf: PrometheusServer.documents.appending(path: $0), encoding: .utf8)
    }.flatMap { $0.matches(of: #/- record: (\S+)/#).map { String($0.output.1) } }
    #expect(recordings.count > 5)
    missing += recordings.map { (what: $0, text: $0) }
    try await poll("numbers", seen: "nothing for \(missing.map(\.what))", pauseMilliseconds: 300) {
      try await busy.makeTraffic()
      var still: [(what: String, text: String)] = []
      for query in missing where try await prometheus.values(of: query.text).isEmpty { still.append(query) }
      missing = still
      return still.isEmpty
    }
    try await poll("every rule to have run", seen: "not yet") {
      try await prometheus.rules().allSatisfy { $0.health != "unknown" }
    }
    let rules = try await prometheus.rules()
    #expect(rules.count { $0.type == "alerting" } >= 18)
    for rule in rules { #expect(rule.health == "ok", "\(rule)") }
  }
}
