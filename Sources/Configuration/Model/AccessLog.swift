// `access_log:`: one line a request.

package struct AccessLog: Sendable, Equatable {
  package enum Destination: Sendable, Equatable {
    case off
    case standardOutput
    case file(String)
  }

  package enum Format: Sendable, Equatable {
    /// Members with our own names.
    case json
    /// Those of the Elastic Common Schema.
    case ecs
    /// Those of OpenTelemetry's semantic conventions.
    case otel
    case combined
    case template([TemplatePart])
  }

  /// One piece of a template such as `{client_ip} {status}`.
  package enum TemplatePart: Sendable, Equatable {
    case text(String)
    case source(Source)
  }

  /// What a member of a line, or a piece of a template, says.
  package enum Source: Sendable, Hashable {
    case field(AccessLogField)
    case value(LoggedValue)
  }

  /// A member of a JSON line.
  package struct Member: Sendable, Equatable {
    package var source: Source
    /// nil takes the format's name.
    package var name: String?

    package init(source: Source, name: String? = nil) {
      self.source = source
      self.name = name
    }
  }

  package var destination = Destination.standardOutput
  package var format = Format.json
  /// The members of a JSON line. Nil takes all fields.
  package var fields: [Member]?

  package init(_ format: Format = .json, fields: [Member]? = nil) {
    self.format = format
    self.fields = fields
  }
}

/// A value that some requests have, for their lines in the log.
package enum LoggedValue: Sendable, Hashable {
  case request(RequestValue)
  /// A segment of the route's path.
  case segment(String)

  // LIMIT: different values of one configuration. A line has room for so many beside the fields.
  package static let countMax = 16

  /// As the file has it.
  package var name: String {
    switch self {
    case .segment(let name): "path:\(name)"
    case .request(.claim(let path)): "claim:\(path)"
    case .request(.header(let name)): "header:\(name)"
    case .request(.query(let name)): "query:\(name)"
    case .request(.cookie(let name)): "cookie:\(name)"
    case .request(.tls(let fact)): "tls:\(fact.rawValue.dropFirst("tls.".count))"
    case .request(.clientIP): "client_ip"
    }
  }
}

extension AccessLog {
  /// The values that its lines have beside the fields, each once.
  package var values: [LoggedValue] {
    var sources = (fields ?? []).map(\.source)
    if case .template(let parts) = format {
      sources += parts.compactMap { if case .source(let source) = $0 { source } else { nil } }
    }
    var values: [LoggedValue] = []
    for case .value(let value) in sources where !values.contains(value) { values.append(value) }
    return values
  }

  /// The members of its JSON lines.
  package var members: [Member] {
    fields ?? AccessLogField.allCases.map { Member(source: .field($0)) }
  }

  /// What a member is called, and how its value is written.
  package func form(of member: Member) -> (name: String, kind: AccessLogField.Kind) {
    switch member.source {
    case .value(let value): return (member.name ?? value.name, .text)
    case .field(let field):
      let record = field.record
      let own: AccessLogField.Member
      switch format {
      case .ecs: own = record.ecs
      case .otel: own = record.otel
      case .json, .combined, .template: own = AccessLogField.Member(record.name)
      }
      return (member.name ?? "\(own.name)", own.kind ?? record.kind)
    }
  }
}

extension AccessLog {
  static let settings = Settings<AccessLog>(
    "access_log", title: "'access_log'", example: "access_log: { path: stdout }, or access_log: off",
    blank: AccessLog(),
    finish: { log, section in section.reading.finish(log, section) },
    [
      Setting("path", \.destination, .destination, "A file is opened again on SIGUSR1."),
      Setting(
        "format", \.format, .format,
        "`ecs` and `otel` are JSON with the names of Elastic and OpenTelemetry. A template has `{field}` between any "
          + "text. `{{` and `}}` are the braces themselves."),
      Setting(
        "fields", \.fields, .members,
        "The members of a JSON line: fields, values of the request, and `all` for all fields. `{ name: field }` "
          + "renames one.",
        otherwise: "all fields"),
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
      guard let text = reading.line(node, what) else { return nil }
      if text == "stdout" { return .standardOutput }
      if text == "off" { return .off }
      let path = reading.resolve(path: text, at: node.position)
      reading.checkLogFile(path, at: node.position)
      return .file(path)
    })
}

extension ValueType where Value == AccessLog.Format {
  fileprivate static let format = ValueType(
    .text("`json`, `ecs`, `otel`, `combined` or a template"), write: { $0 == .json ? .text("json") : nil },
    read: { node, reading, _ in reading.accessLogFormat(node) })
}

extension ValueType where Value == [AccessLog.Member] {
  fileprivate static let members = ValueType(
    .list(
      of: .any(of: [.text("field"), .texts("name: field")]),
      "list of fields, or of `name: field`")
  ) { node, reading, what in reading.accessLogMembers(node, what) }
}
