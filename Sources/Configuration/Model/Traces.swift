// `traces:`: which requests are traced, and the collector that gets their spans.

/// `traces:`. Spans go out as OTLP over HTTP, in protobuf.
package struct Traces: Sendable, Equatable {
  package struct Header: Sendable, Equatable {
    package var name: String
    /// May be a secret.
    package var value: String
  }

  /// The whole URL, with the path of traces.
  package var endpoint: String
  package var headers: [Header] = []
  /// Percent of the requests that come without a trace whose decision counts.
  package var sample = 100
  /// Whose sampled flag decides.
  package var parent = RequestIDRules.Trust.trustedProxies
  package var serviceName = "catraca"
  /// Whether spans have the paths of requests.
  package var hasPaths = true
  /// Spans that may wait for the collector.
  package var queue = 2048
  /// PEM file with the trust anchors. Nil is the system's store.
  package var certificateAuthority: String?
}

extension Traces {
  static let settings = Settings<Traces>(
    "traces", title: "'traces'", example: "traces: { endpoint: \"http://127.0.0.1:4318\" }",
    blank: Traces(endpoint: ""), finish: { traces, section in section.reading.finish(&traces, section) },
    [
      Setting(
        "endpoint", \.endpoint, .tracesEndpoint,
        "The collector, which is asked over OTLP/HTTP. `/v1/traces` is added unless the URL ends in it.",
        required: "write endpoint: http://127.0.0.1:4318"),
      Setting(
        "headers", \.headers, .exportHeaders,
        "What the collector receives with each request, such as an API key. Write `file:/path` for a secret.",
        otherwise: "none"),
      Setting(
        "sample", \.sample, .percent(0...100),
        "How many requests are traced of those for which no sampled flag decides."),
      Setting(
        "parent", \.parent, .choice,
        "Whose `traceparent` decides by its sampled flag. The trace of others goes on too, and `sample` decides."),
      Setting("service_name", \.serviceName, .line(), "What spans call the gateway, as `service.name`."),
      Setting(
        "paths", \.hasPaths, .boolean,
        "Whether spans have `url.path`, which may be personal. They have `http.route` in any case, and never a query."),
      Setting(
        "queue", \.queue, .integer(64...65_536),
        "How many spans wait while the collector is slow. More are dropped and counted. A quarter goes out at a time."),
      Setting(
        "ca", \.certificateAuthority, .trustFile, "The authorities that the gateway trusts for the collector.",
        otherwise: "the system's trust store"),
    ])
}
