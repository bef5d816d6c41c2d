// Envoy in front of the gateway and behind it, all three with spans for the same collector: one trace.

import Foundation
import TestSupport
import Testing

/// One Envoy that sends everything to a port, and spans of its own to a collector.
private struct Envoy {
  let folder: TemporaryFolder
  let process: ChildProcess
  let port: Int

  /// - Parameter python: one that has Envoy as a package.
  static func start(_ python: String, named name: String, to next: Int, collector: Int) async throws -> Envoy {
    let folder = try TemporaryFolder()
    try folder.write("envoy.json", Data(configuration(name, next, collector).utf8))
    let process = try ChildProcess.start(
      "/usr/bin/env",
      [
        python, "-m", "envoy._main", "--disable-hot-restart", "--log-level", "warning", "--concurrency", "1",
        "--admin-address-path", "admin", "--config-path", "envoy.json",
      ], in: folder.url)
    var admin = 0
    try await poll("Envoy's own port", seen: "\(process.output.current)") {
      let text = try? String(contentsOf: folder.url.appending(path: "admin"), encoding: .utf8)
      admin = text?.split(separator: ":").last.flatMap { Int($0) } ?? 0
      return admin > 0
    }
    var port = 0
    try await poll("Envoy to listen", seen: "\(process.output.current)") {
      let client = try await RawClient.connect(port: admin)
      let answer = try await client.exchange("GET /listeners HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
      let line = answer.text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("in::") }
      port = line?.split(separator: ":").last.flatMap { Int($0) } ?? 0
      return port > 0
    }
    return Envoy(folder: folder, process: process, port: port)
  }

  private static func configuration(_ name: String, _ next: Int, _ collector: Int) -> String {
    func address(_ port: Int) -> String {
      #"{"socket_address": {"address": "127.0.0.1", "port_value": \#(port)}}"#
    }
    func cluster(_ name: String, _ port: Int) -> String {
      """
      {"name": "\(name)", "load_assignment": {"cluster_name": "\(name)",
       "endpoints": [{"lb_endpoints": [{"endpoint": {"address": \(address(port))}}]}]}}
      """
    }
    let types = "type.googleapis.com/envoy"
    return """
      {"admin": {"address": \(address(0))},
       "layered_runtime": {"layers": [{"name": "all", "static_layer": {"tracing.opentelemetry.min_flush_spans": 1}}]},
       "static_resources": {
        "listeners": [{"name": "in", "address": \(address(0)), "filter_chains": [{"filters": [{
         "name": "http", "typed_config": {
          "@type": "\(types).extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          "stat_prefix": "in",
          "tracing": {"spawn_upstream_span": true, "provider": {"name": "otlp", "typed_config": {
           "@type": "\(types).config.trace.v3.OpenTelemetryConfig", "service_name": "\(name)",
           "http_service": {"http_uri": {
            "uri": "http://127.0.0.1:\(collector)/v1/traces", "cluster": "collector", "timeout": "60s"}}}}},
          "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"],
           "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next"}}]}]},
          "http_filters": [{"name": "router", "typed_config": {
           "@type": "\(types).extensions.filters.http.router.v3.Router"}}]}}]}]}],
        "clusters": [\(cluster("next", next)), \(cluster("collector", collector))]}}
      """
  }
}

@Suite("Traces with Envoy", .needsEnvoy, .tags(.slow), .timeLimit(.minutes(10)))
struct EnvoyTraceTests {
  @Test("The spans of Envoy in front, of the gateway and of Envoy behind are one trace, each the parent of the next")
  func oneTrace() async throws {
    guard let python = await PythonPackages.envoy.value, let collector = try await TraceCollector.start() else {
      return
    }
    let upstream = try await TestUpstream.answering("fine")
    let back = try await Envoy.start(python, named: "back", to: upstream.port, collector: collector.port)
    let gateway = try await GatewayProcess.start(
      """
      traces: { endpoint: "http://127.0.0.1:\(collector.port)", sample: 0% }
      trusted_proxies: [127.0.0.1]
      upstreams: { app: { servers: ["127.0.0.1:\(back.port)"] } }
      routes: [{ path: /*, auth: public, upstream: app }]
      """)
    let front = try await Envoy.start(python, named: "front", to: gateway.port, collector: collector.port)
    let client = try await RawClient.connect(port: front.port)
    let answer = try await client.exchange("GET /a?secret=1 HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(answer.status == 200 && answer.text == "fine")
    let spans = try await collector.spans(atLeast: 6)
    #expect(spans.count == 6 && Set(spans.map(\.trace)).count == 1 && Set(spans.map(\.id)).count == 6)
    // From the outside to the inside.
    var parent = ""
    for service in ["front", "catraca", "back"] {
      for kind in ["SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"] {
        let span = try #require(spans.first { $0.resource["service.name"] == service && $0.kind == kind })
        #expect(span.parent == parent, "\(service) \(kind)")
        parent = span.id
      }
    }
    let own = spans.filter { $0.resource["service.name"] == "catraca" }
    #expect(!"\(own)".contains("secret"))
    // The server behind all of them is told of the last span.
    #expect(upstream.requests.first?["traceparent"] == "00-\(spans[0].trace)-\(parent)-01")
  }
}
