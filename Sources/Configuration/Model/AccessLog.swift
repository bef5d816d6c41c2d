// `access_log:`: one line a request.

package struct AccessLog: Sendable, Equatable {
  package enum Destination: Sendable, Equatable {
    case off
    case standardOutput
    case file(String)
  }

  package enum Format: Sendable, Equatable {
    case json
    case combined
    case template([TemplatePart])
  }

  /// One piece of a template such as `{client_ip} {status}`.
  package enum TemplatePart: Sendable, Equatable {
    case text(String)
    case field(AccessLogField)
  }

  package var destination = Destination.standardOutput
  package var format = Format.json

  package init() {}
}

extension AccessLog {
  static let settings = Settings<AccessLog>(
    "access_log", title: "'access_log'", example: "access_log: { path: stdout }, or access_log: off",
    blank: AccessLog(),
    [
      Setting("path", \.destination, .destination, "A file is opened again on SIGUSR1."),
      Setting(
        "format", \.format, .format,
        "A template has `{field}` between any text. `{{` and `}}` are the braces themselves."),
    ])
}

extension ValueType where Value == AccessLog {
  static let accessLog = ValueType(
    .any(of: [.mapping(AccessLog.settings.table), .keyword("off")])
  ) { node, reading, what in
    if case .scalar(let scalar) = node.content, scalar.text == "off" {
      var result = AccessLog()
      result.destination = .off
      return result
    }
    if let text = node.text, text.contains("/") {
      reading.error(
        node.position,
        "\(what) must be a mapping, not \(node.kind): write access_log: { path: \(text.shown) }, or access_log: off")
      return nil
    }
    return AccessLog.settings.read(node, reading)
  }
}

extension ValueType where Value == AccessLog.Destination {
  fileprivate static let destination = ValueType(
    .text("`stdout`, `off` or a file"), write: { $0 == .standardOutput ? .text("stdout") : nil },
    read: { node, reading, what in
      reading.line(node, what).map { path in
        switch path {
        case "stdout": .standardOutput
        case "off": .off
        default: .file(reading.resolve(path: path, at: node.position))
        }
      }
    })
}

extension ValueType where Value == AccessLog.Format {
  fileprivate static let format = ValueType(
    .text("`json`, `combined` or a template"), write: { $0 == .json ? .text("json") : nil },
    read: { node, reading, _ in reading.accessLogFormat(node) })
}
