// `metrics:`: the collector that gets what `/metrics` has, and how often.

/// `metrics:`.
package struct CollectedMetrics: Sendable, Equatable, HasCollector {
  package var collector = Collector()
  package var interval = Duration.seconds(60)
}

extension CollectedMetrics {
  static let settings = Settings<CollectedMetrics>(
    "metrics", title: "'metrics'", example: "metrics: { endpoint: \"http://127.0.0.1:4318\" }",
    blank: CollectedMetrics(), finish: { metrics, section in section.reading.finish(metrics.collector, section) },
    Collector.settings(
      for: .metrics,
      [
        Setting(
          "interval", \.interval, .duration(from: .seconds(1), to: .seconds(3600)),
          "How often all metrics are sent. They are sent once more when the gateway stops.")
      ]))
}
