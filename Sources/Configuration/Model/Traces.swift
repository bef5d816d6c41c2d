// `traces:`: which requests are traced, and the collector that gets their spans.

/// `traces:`.
package struct Traces: Sendable, Equatable, HasCollector {
  package var collector = Collector()
  /// Percent of the requests that come without a trace whose decision counts.
  package var sample = 100
  /// Whose sampled flag decides.
  package var parent = RequestIDRules.Trust.trustedProxies
  /// Whether spans have the paths of requests.
  package var hasPaths = true
  /// Spans that may wait for the collector.
  package var queue = 2048
}

extension Traces {
  static let settings = Settings<Traces>(
    "traces", title: "'traces'", example: "traces: { endpoint: \"http://127.0.0.1:4318\" }", blank: Traces(),
    finish: { traces, section in section.reading.finish(traces.collector, section) },
    Collector.settings(
      for: .traces,
      [
        Setting(
          "sample", \.sample, .percent(0...100),
          "How many requests are traced of those for which no sampled flag decides."),
        Setting(
          "parent", \.parent, .choice,
          "Whose `traceparent` decides by its sampled flag. The trace of others goes on too, and `sample` decides."),
        Setting(
          "paths", \.hasPaths, .boolean,
          "Whether spans have `url.path`, which may be personal. They have `http.route` in any case, and never a query."
        ),
        Setting(
          "queue", \.queue, .integer(64...65_536),
          "How many spans wait while the collector is slow. More are dropped and counted. A quarter goes out at a time."
        ),
      ]))
}
