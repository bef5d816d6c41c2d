// A collector of traces in Python, on the reader that OpenTelemetry generates from its own definitions.

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

  /// Every line that it has written, decoded.
  func spans(atLeast count: Int) async throws -> [Span] {
    let lines = try await child.output.wait(for: "\(count) spans") { output in
      output.standardOutput.count > count ? output.standardOutput : nil
    }
    return try lines.dropFirst().map { try JSONDecoder().decode(Span.self, from: Data($0.utf8)) }
  }

  private static let script = """
    import json, ssl, sys, threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest, ExportTraceServiceResponse)
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
            message = ExportTraceServiceRequest.FromString(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            for group in message.resource_spans:
                resource = texts(group.resource.attributes)
                for scope in group.scope_spans:
                    for span in scope.spans:
                        text = json.dumps({
                            "name": span.name, "kind": Span.SpanKind.Name(span.kind), "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(), "parent": span.parent_span_id.hex(), "flags": span.flags,
                            "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                            "attributes": texts(span.attributes),
                            "events": {event.name: texts(event.attributes) for event in span.events},
                            "status": Status.StatusCode.Name(span.status.code), "resource": resource,
                            "headers": headers, "target": self.path,
                        })
                        with lock:
                            print(text, flush=True)
            answer = ExportTraceServiceResponse()
            if behavior == "picks":
                answer.partial_success.rejected_spans = 1
                answer.partial_success.error_message = "too long"
            self.answer(200, body=answer.SerializeToString())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()
    """
}
