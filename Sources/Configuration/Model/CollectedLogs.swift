// `logs:`: the collector that gets a record for each line of the access log.

/// `logs:`.
package struct CollectedLogs: Sendable, Equatable, HasCollector {
  package var collector = Collector()
  /// Records that may wait for the collector.
  package var queue = 8192
}

extension CollectedLogs {
  static let settings = Settings<CollectedLogs>(
    "logs", title: "'logs'", example: "logs: { endpoint: \"http://127.0.0.1:4318\" }", blank: CollectedLogs(),
    finish: { logs, section in section.reading.finish(logs.collector, section) },
    Collector.settings(
      for: .logs,
      [
        Setting(
          "queue", \.queue, .integer(64...65_536),
          "How many records wait while the collector is slow. More are dropped and counted. A quarter goes out at a time."
        )
      ]))
}
