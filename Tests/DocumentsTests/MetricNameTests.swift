// Metrics have one list. Documents, dashboards and rules name no other, and the list keeps Prometheus' conventions.

import ControlPlane
import Foundation
import Testing

@Suite("Names of metrics")
struct MetricNameTests {
  private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized
  private static let files =
    ["README.md"]
    + ["docs", "docs/guide", "docs/observability", "docker/kubernetes"].flatMap { folder in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)) ?? []
      return names.sorted().filter(isRead).map { name in folder + "/" + name }
    }

  private static func isRead(_ name: String) -> Bool {
    [".md", ".yml", ".json", ".py"].contains { name.hasSuffix($0) }
  }

  /// Each with the endings of a histogram's samples.
  private static let known = Set(
    MetricFamily.allCases.flatMap { metric in
      let endings = metric.record.kind == .histogram ? ["", "_bucket", "_sum", "_count"] : [""]
      return endings.map { metric.rawValue + $0 }
    })

  /// Names of metrics in a text. Those with a colon are made by recording rules, and files have a `*` behind.
  private static func names(in text: String) -> [String] {
    text.matches(of: #/[A-Za-z0-9_:]+/#).map { String($0.output) }.filter {
      ($0.hasPrefix("catraca_") || $0.hasPrefix("process_")) && !$0.contains(":") && !$0.hasSuffix("_")
    }
  }

  @Test("Every metric that a document, the dashboard or a rule names is one of the list", arguments: files)
  func named(_ path: String) throws {
    let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    for name in Set(Self.names(in: text)) { #expect(Self.known.contains(name), "\(path)") }
  }

  @Test("The reader of this rule finds names, and leaves recording rules and other words out")
  func reader() {
    let text = "sum(rate(catraca_a_total{x=\"catraca\"}[5m])) / job:catraca_b:rate5m + process_c catraca catraca_*.deb"
    #expect(Self.names(in: text) == ["catraca_a_total", "process_c"])
    for file in ["docs/observability/alerts.yml", "docs/METRICS.md", "docs/guide/operations.md"] {
      #expect(Self.files.contains(file))
    }
  }

  @Test(
    "Names end as Prometheus' conventions say: counters in _total, and a unit behind the name",
    arguments: MetricFamily.allCases)
  func conventions(_ metric: MetricFamily) {
    let name = metric.rawValue
    let record = metric.record
    #expect((record.kind == .counter) == name.hasSuffix("_total"))
    let base = name.replacing("_total", with: "")
    switch record.unit {
    case .none: #expect(!base.hasSuffix("_seconds") && !base.hasSuffix("_bytes"))
    case .bytes: #expect(base.hasSuffix("_bytes"))
    case .seconds: #expect(base.hasSuffix("_seconds") && !base.hasSuffix("_timestamp_seconds"))
    case .timestamp:
      // Client libraries call the start so. The old name of a certificate's expiry goes with the next version.
      let others = ["process_start_time_seconds", "catraca_tls_certificate_expiry_seconds"]
      #expect(base.hasSuffix("_timestamp_seconds") || others.contains(name))
    }
    #expect("\(record.sentence)".hasSuffix(".") && !"\(record.sentence)".contains("|"))
    #expect(Set(record.labels.map { "\($0)" }).count == record.labels.count)
  }

  @Test("Each alert is explained in the README beside it, and tested")
  func alerts() throws {
    let folder = Self.root.appending(path: "docs/observability")
    func text(_ name: String) throws -> String {
      try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }
    let alerts = try text("alerts.yml").matches(of: #/- alert: (\w+)/#).map { String($0.output.1) }
    let (page, tests) = (try text("README.md"), try text("rules.test.yml"))
    #expect(alerts.count > 10)
    for alert in alerts {
      #expect(page.contains("| `\(alert)` |"), "\(alert)")
      #expect(tests.contains("alertname: \(alert)\n"), "\(alert)")
    }
    let explained = page.matches(of: #/\| `(Catraca\w+)` \|/#).map { String($0.output.1) }
    #expect(Set(explained) == Set(alerts))
  }
}
