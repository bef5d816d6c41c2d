// The message that a collector gets. Those for spans, log records and metrics have the same form: a list, of which each
// element is a resource and a list of scopes, of which each is a scope and a list of what is sent.

internal import Bytes
internal import Configuration
internal import FoundationEssentials
internal import Proxy

enum ExportMessage {
  /// `Resource`: who sends.
  static func resource(_ collector: Collector, _ version: String, host: String = hostName()) -> ByteQueue {
    var resource = ByteQueue()
    resource.append(field: 1, attribute: "service.name", collector.serviceName)
    let names = collector.resource.map(\.name)
    if !names.contains("service.version") { resource.append(field: 1, attribute: "service.version", version) }
    if !host.isEmpty, !names.contains("host.name") { resource.append(field: 1, attribute: "host.name", host) }
    for attribute in collector.resource { resource.append(field: 1, named: attribute.name, attribute.value) }
    return resource
  }

  /// What comes before the elements.
  /// - Parameter elements: encoded with their field's number.
  static func beginning(of elements: [[UInt8]], from resource: consuming ByteQueue, _ version: String) -> [UInt8] {
    var scope = ByteQueue()
    scope.append(field: 1, bytes: "catraca".utf8.span)
    scope.append(field: 2, bytes: version.utf8.span)
    var scoped = ByteQueue()
    scoped.append(field: 1, bytes: scope.span)
    let elementByteCount = elements.reduce(0) { $0 + $1.count }
    var list = ByteQueue()
    list.append(field: 1, bytes: resource.span)
    list.begin(field: 2, byteCount: scoped.count + elementByteCount)
    list.append(scoped.span)
    var message = ByteQueue()
    message.begin(field: 1, byteCount: list.count + elementByteCount)
    message.append(list.span)
    return message.copied()
  }

  /// The name that this machine has for itself.
  static func hostName() -> String {
    let text = FileManager.default.contents(atPath: "/proc/sys/kernel/hostname") ?? Data()
    return String(decoding: text, as: UTF8.self).filter { !$0.isNewline }
  }
}

extension ByteQueue {
  /// A `KeyValue` with a text, whose name is not known beforehand.
  mutating func append(field: UInt64, named name: String, _ value: String) {
    let begin = begin(field: field)
    append(field: 1, bytes: name.utf8.span)
    let inner = self.begin(field: 2)
    append(field: 1, bytes: value.utf8.span)
    end(inner)
    end(begin)
  }
}
