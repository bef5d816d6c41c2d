// All that goes to collectors of OpenTelemetry.

internal import Configuration
internal import Logging

struct Telemetry: Sendable {
  let spans: RecordExporter
  let logs: RecordExporter
  let metrics: MetricsExporter

  init(log: Logger, version: String) {
    spans = RecordExporter("traces", log: log, version: version)
    logs = RecordExporter("logs", log: log, version: version)
    metrics = MetricsExporter(log: log, version: version)
  }

  /// What counts from now on.
  func apply(_ configuration: GatewayConfiguration) {
    spans.apply(configuration.traces.map { ExportPlan($0) })
    logs.apply(configuration.logs.map { ExportPlan($0) })
    metrics.apply(configuration.metrics)
  }

  /// Runs until its task is cancelled.
  func run(_ page: @escaping @Sendable () async -> MetricsPage) async {
    await withDiscardingTaskGroup { group in
      group.addTask { await spans.run() }
      group.addTask { await logs.run() }
      group.addTask { await metrics.run(page) }
    }
  }

  /// Sends what is left. To be called when no request is left.
  func finish(_ page: MetricsPage) async {
    await withDiscardingTaskGroup { group in
      group.addTask { await spans.finish() }
      group.addTask { await logs.finish() }
      group.addTask { await metrics.finish(page) }
    }
  }
}
