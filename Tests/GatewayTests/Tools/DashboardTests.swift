// Every query of the dashboard and every rule of docs/observability, run by Prometheus against a gateway with traffic.

import Foundation
import TestSupport
import Testing

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
