// A collector of OpenTelemetry: what `traces`, `metrics` and `logs` have in common.

/// Where telemetry goes, as OTLP over HTTP in protobuf, and who sends it.
package struct Collector: Sendable, Equatable {
  package struct Header: Sendable, Equatable {
    package var name: String
    /// May be a secret.
    package var value: String
  }

  package struct Attribute: Sendable, Equatable {
    package var name: String
    package var value: String
  }

  /// The whole URL, with the path of the signal.
  package var endpoint = ""
  package var headers: [Header] = []
  package var serviceName = "catraca"
  /// What else is said of the sender.
  package var resource: [Attribute] = []
  /// PEM file with the trust anchors. Nil is the system's store.
  package var certificateAuthority: String?

  package init() {}
}

/// A section of the file with a collector.
protocol HasCollector: Sendable {
  var collector: Collector { get set }
}

extension Collector {
  /// What is collected, as the path of its URL has it.
  enum Signal: String {
    case traces, metrics, logs
  }

  /// The keys of a section, its own among them.
  static func settings<Model: HasCollector>(for signal: Signal, _ own: [Setting<Model>]) -> [Setting<Model>] {
    let place: [Setting<Model>] = [
      Setting(
        "endpoint", \Model.collector.endpoint, .endpoint(of: signal),
        "The collector, which is asked over OTLP/HTTP. `/v1/\(signal)` is added unless the URL ends in it.",
        required: "write endpoint: http://127.0.0.1:4318"),
      Setting(
        "headers", \Model.collector.headers, .exportHeaders,
        "What the collector receives with each message, such as an API key. Write `file:/path` for a secret.",
        otherwise: "none"),
    ]
    let sender: [Setting<Model>] = [
      Setting(
        "service_name", \Model.collector.serviceName, .line(), "What the gateway is called, as `service.name`."),
      Setting(
        "resource", \Model.collector.resource, .resource,
        "What else is known of the gateway, such as `deployment.environment.name`. `host.name` is, unless it is "
          + "written here.",
        otherwise: "none"),
      Setting(
        "ca", \Model.collector.certificateAuthority, .trustFile,
        "The authorities that the gateway trusts for the collector.", otherwise: "the system's trust store"),
    ]
    return place + own + sender
  }
}
