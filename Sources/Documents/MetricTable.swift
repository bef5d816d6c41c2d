// The table of docs/METRICS.md, from the records of the metrics.

import ControlPlane

extension GeneratedDocument {
  static let metrics = GeneratedDocument(
    path: "docs/METRICS.md",
    parts: [
      (
        "metrics",
        table(
          ["metric", "type", "unit", "labels", "meaning", "there when"],
          MetricFamily.allCases.map { metric in
            let record = metric.record
            return [
              "`\(metric.rawValue)`", record.kind.rawValue, record.unit.rawValue,
              record.labels.map { "`\($0)`" }.joined(separator: ", "), "\(record.sentence)",
              record.condition.map { "\($0)" } ?? "always",
            ]
          })
      )
    ])
}
