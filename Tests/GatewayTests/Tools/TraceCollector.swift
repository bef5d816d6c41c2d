// A collector of telemetry in Python, on the readers that OpenTelemetry generates from its own definitions.

import Foundation
import TestSupport
import Testing

/// Runs until it is released.
final class TraceCollector: Sendable {
  /// What it does with exports.
  enum Behavior: String {
    case takes
    /// Answers the first with 429.
    case busy
    /// Takes nothing, and ends nothing.
    case hangs
    /// Answers something that is not HTTP.
    case garbles
    /// Answers 400.
    case rejects
    /// Answers 200, and that it refuses one span.
    case picks
  }

  struct Span: Decodable, Sendable {
    var name: String
    var kind: String
    var trace: String
    var id: String
    var parent: String
    var start: UInt64
    var end: UInt64
    var flags: UInt32
    /// Numbers as text.
    var attributes: [String: String]
    /// By name, each with its attributes.
    var events: [String: [String: String]]
    var status: String
    var resource: [String: String]
    /// Of the request that brought it, in lower case.
    var headers: [String: String]
    var target: String
  }

  /// One point of a metric.
  struct Point: Decodable, Sendable {
    var name: String
    var unit: String
    /// gauge, sum or histogram.
    var kind: String
    var isCumulative: Bool
    var attributes: [String: String]
    var start: UInt64
    var time: UInt64
    /// Of a histogram the sum.
    var value: Double
    /// Of a histogram.
    var buckets: [UInt64]
    var bounds: [Double]
    /// Their trace ids.
    var exemplars: [String]
    var resource: [String: String]
    var headers: [String: String]
    var target: String
  }

  struct LogRecord: Decodable, Sendable {
    var time: UInt64
    var observed: UInt64
    var severity: String
    var body: String
    var attributes: [String: String]
    var trace: String
    var span: String
    var flags: UInt32
    var resource: [String: String]
    var headers: [String: String]
    var target: String
  }

  let port: Int
  private let child: ChildProcess

  private init(port: Int, child: ChildProcess) {
    self.port = port
    self.child = child
  }

  /// Nil where Python has no such reader.
  /// - Parameter files: a certificate and its key, for https.
  static func start(_ behavior: Behavior = .takes, files: [String] = []) async throws -> TraceCollector? {
    guard let python = await PythonPackages.traces.value else { return nil }
    let child = try ChildProcess.start("/usr/bin/env", [python, "-c", script, behavior.rawValue] + files)
    let port = try await child.output.wait(for: "the collector's port") { output in
      if let status = output.status { throw StreamFailure.malformed("status \(status): \(output.standardError)") }
      return output.standardOutput.first.flatMap { Int($0) }
    }
    return TraceCollector(port: port, child: child)
  }

  /// One that behaves as its name says, and its port. For any other name none, and a port where nobody listens.
  /// - Returns: nil where Python has no such reader.
  static func start(named name: String) async throws -> (collector: TraceCollector?, port: Int)? {
    guard let behavior = Behavior(rawValue: name) else { return (nil, try closedPort()) }
    return try await start(behavior).map { ($0, $0.port) }
  }

  func spans(atLeast count: Int) async throws -> [Span] { try await records("traces", atLeast: count) }

  func points(atLeast count: Int) async throws -> [Point] { try await records("metrics", atLeast: count) }

  func logRecords(atLeast count: Int) async throws -> [LogRecord] { try await records("logs", atLeast: count) }

  /// Every line of a signal that it has written, decoded.
  private func records<Record: Decodable>(_ signal: String, atLeast count: Int) async throws -> [Record] {
    let prefix = signal + " "
    let lines = try await child.output.wait(for: "\(count) of \(signal)") { output in
      let lines = output.standardOutput.filter { $0.hasPrefix(prefix) }
      return lines.count >= count ? lines : nil
    }
    return try lines.map { try JSONDecoder().decode(Record.self, from: Data($0.dropFirst(prefix.count).utf8)) }
  }

  private static let script = """
    import json, ssl, sys, threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsServiceRequest, ExportLogsServiceResponse)
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest, ExportMetricsServiceResponse)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest, ExportTraceServiceResponse)
    from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

    behavior = sys.argv[1]
    exports = []
    lock = threading.Lock()

    def texts(attributes):
        return {a.key: str(getattr(a.value, a.value.WhichOneof("value"))) for a in attributes}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words):
            pass

        def answer(self, status, *fields, body=b""):
            self.send_response(status)
            for name, value in fields:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def read_body(self):
            if self.headers["Transfer-Encoding"] != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def do_POST(self):
            with lock:
                exports.append(1)
                number = len(exports)
            if behavior == "hangs":
                threading.Event().wait()
            body = self.read_body()
            if behavior == "garbles":
                self.wfile.write(b"\\x00garbage\\r\\n\\r\\n")
                self.close_connection = True
                return
            if behavior == "rejects":
                return self.answer(400)
            if behavior == "busy" and number == 1:
                return self.answer(429, ("Retry-After", "1"))
            signal = self.path.rsplit("/", 1)[1]
            read, answer, groups = {
                "traces": (ExportTraceServiceRequest, ExportTraceServiceResponse(), spans),
                "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse(), points),
                "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse(), records),
            }[signal]
            about = {"headers": {name.lower(): value for name, value in self.headers.items()}, "target": self.path}
            for record in groups(read.FromString(body)):
                text = signal + " " + json.dumps({**record, **about})
                with lock:
                    print(text, flush=True)
            if behavior == "picks":
                rejected = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}
                setattr(answer.partial_success, rejected[signal], 1)
                answer.partial_success.error_message = "too long"
            self.answer(200, body=answer.SerializeToString())

    def spans(message):
        for group in message.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    yield {
                        "name": span.name, "kind": Span.SpanKind.Name(span.kind), "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(), "parent": span.parent_span_id.hex(), "flags": span.flags,
                        "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                        "attributes": texts(span.attributes),
                        "events": {event.name: texts(event.attributes) for event in span.events},
                        "status": Status.StatusCode.Name(span.status.code),
                        "resource": texts(group.resource.attributes),
                    }

    def points(message):
        cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        for group in message.resource_metrics:
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    data = getattr(metric, kind)
                    is_cumulative = kind != "gauge" and data.aggregation_temporality == cumulative
                    if kind == "sum":
                        is_cumulative = is_cumulative and data.is_monotonic
                    for point in data.data_points:
                        is_histogram = kind == "histogram"
                        if is_histogram:
                            assert sum(point.bucket_counts) == point.count
                            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                        yield {
                            "name": metric.name, "unit": metric.unit, "kind": kind, "isCumulative": is_cumulative,
                            "attributes": texts(point.attributes), "start": point.start_time_unix_nano,
                            "time": point.time_unix_nano,
                            "value": point.sum if is_histogram else getattr(point, point.WhichOneof("value")),
                            "buckets": list(point.bucket_counts) if is_histogram else [],
                            "bounds": list(point.explicit_bounds) if is_histogram else [],
                            "exemplars": [exemplar.trace_id.hex() for exemplar in point.exemplars],
                            "resource": texts(group.resource.attributes),
                        }

    def records(message):
        for group in message.resource_logs:
            for scope in group.scope_logs:
                for record in scope.log_records:
                    yield {
                        "time": record.time_unix_nano, "observed": record.observed_time_unix_nano,
                        "severity": f"{record.severity_number} {record.severity_text}",
                        "body": record.body.string_value, "attributes": texts(record.attributes),
                        "trace": record.trace_id.hex(), "span": record.span_id.hex(), "flags": record.flags,
                        "resource": texts(group.resource.attributes),
                    }

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()
    """
}
