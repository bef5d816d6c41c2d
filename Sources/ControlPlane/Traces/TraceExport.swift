// The message that a collector gets: an `ExportTraceServiceRequest` of OTLP around spans that workers have encoded.

internal import Bytes
internal import FoundationEssentials
internal import Proxy

/// Who sends spans: `service.name`, `service.version` and `host.name`.
struct TraceResource: Sendable {
  var serviceName: String
  var version: String
  var host: String

  /// The name that this machine has for itself.
  static func hostName() -> String {
    let text = FileManager.default.contents(atPath: "/proc/sys/kernel/hostname") ?? Data()
    return String(decoding: text, as: UTF8.self).filter { !$0.isNewline }
  }
}

enum TraceExport {
  /// What comes before the batches. Field 1 is the list of `ResourceSpans`, whose field 1 is the resource, and field 2
  /// the list of `ScopeSpans`.
  static func beginning(of batches: [SpanBatch], from resource: TraceResource) -> [UInt8] {
    var attributes = ByteQueue()
    attributes.append(field: 1, attribute: "service.name", resource.serviceName)
    attributes.append(field: 1, attribute: "service.version", resource.version)
    if !resource.host.isEmpty { attributes.append(field: 1, attribute: "host.name", resource.host) }
    var scope = ByteQueue()
    scope.append(field: 1, bytes: "catraca".utf8.span)
    scope.append(field: 2, bytes: resource.version.utf8.span)
    // Each span is an element of field 2 already.
    var scoped = ByteQueue()
    scoped.append(field: 1, bytes: scope.span)
    let spanByteCount = batches.reduce(0) { $0 + $1.bytes.count }
    var resourceSpans = ByteQueue()
    resourceSpans.append(field: 1, bytes: attributes.span)
    resourceSpans.begin(field: 2, byteCount: scoped.count + spanByteCount)
    resourceSpans.append(scoped.span)
    var message = ByteQueue()
    message.begin(field: 1, byteCount: resourceSpans.count + spanByteCount)
    message.append(resourceSpans.span)
    return message.copied()
  }
}
