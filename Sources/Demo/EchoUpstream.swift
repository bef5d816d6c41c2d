// A service for the demo that shows, as JSON, what reached it: what the gateway added and what it took away.

internal import Bytes
internal import ControlPlane
internal import JSON
package import NIOCore

/// Runs from ``start(group:port:)`` until ``stop()``.
package struct EchoUpstream: Sendable {
  package let port: Int
  private let server: SmallHTTPServer

  package static func start(group: any EventLoopGroup, port: Int = 0) async throws -> EchoUpstream {
    // LIMIT: bodies up to 16 MiB, for they are held whole: 413.
    let server = try await SmallHTTPServer.start(port: port, group: group, bodyByteCountMax: 16 << 20) {
      .json(describe($0))
    }
    return EchoUpstream(port: server.port, server: server)
  }

  package func stop() async { await server.stop(within: .seconds(1)) }

  /// `{"method":…,"target":…,"headers":{…},"body_bytes":…,"body":…}`, one line a member. A field that came more than
  /// once is a list. The body is shown when it is text of at most 4 KiB.
  static func describe(_ request: SmallRequest) -> [UInt8] {
    var out = ByteQueue()
    out.append("{\n  \"method\": ")
    JSONWriter.append(string: request.method, to: &out)
    out.append(",\n  \"target\": ")
    JSONWriter.append(string: request.target, to: &out)
    out.append(",\n  \"headers\": {")
    var seen: Set<String> = []
    for (name, _) in request.fields {
      guard seen.insert(name.lowercased()).inserted else { continue }
      out.append(seen.count == 1 ? "\n    " : ",\n    ")
      JSONWriter.append(string: name, to: &out)
      out.append(": ")
      append(request.fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value), to: &out)
    }
    out.append(seen.isEmpty ? "}" : "\n  }")
    out.append(",\n  \"body_bytes\": ")
    JSONWriter.append(integer: Int64(request.body.count), to: &out)
    if !request.body.isEmpty, request.body.count <= 4096, let text = String(validating: request.body, as: UTF8.self) {
      out.append(",\n  \"body\": ")
      JSONWriter.append(string: text, to: &out)
    }
    out.append("\n}\n")
    return out.span.copied()
  }

  private static func append(_ values: [String], to out: inout ByteQueue) {
    if values.count > 1 { out.append("[") }
    for (index, value) in values.enumerated() {
      if index > 0 { out.append(", ") }
      JSONWriter.append(string: value, to: &out)
    }
    if values.count > 1 { out.append("]") }
  }
}
