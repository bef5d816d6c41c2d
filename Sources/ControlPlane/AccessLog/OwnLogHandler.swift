// A line of the gateway's own log, in each of its formats: what happened, and what belongs to it in the order of the
// names. Whatever a value holds, it stays in its line and in its place.

internal import Bytes
internal import Configuration
internal import FoundationEssentials
internal import JSON
internal import Logging
internal import NIOConcurrencyHelpers
internal import Proxy

struct OwnLogHandler: LogHandler {
  let rules: NIOLockedValueBox<OwnLogRules>
  let write: @Sendable (String) -> Void
  var metadata = Logger.Metadata()
  var metadataProvider: Logger.MetadataProvider?

  init(rules: NIOLockedValueBox<OwnLogRules>, write: @escaping @Sendable (String) -> Void) {
    self.rules = rules
    self.write = write
  }

  /// The file's, for all loggers at once.
  var logLevel: Logger.Level {
    get { Logger.Level(rules.withLockedValue(\.level)) }
    set {}
  }

  subscript(metadataKey name: String) -> Logger.Metadata.Value? {
    get { metadata[name] }
    set { metadata[name] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, own in own }
    let values = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: "\($0.value)") }
    let format = rules.withLockedValue(\.format)
    write(Self.line(format, at: Date.now, event.level, "\(event.message)", values) + "\n")
  }

  /// A whole line without its end.
  static func line(
    _ format: OwnLogRules.Format, at time: Date, _ level: Logger.Level, _ message: String,
    _ values: [(name: String, value: String)]
  ) -> String {
    var text = ByteQueue()
    text.appendTimestamp(CivilTime(unixMilliseconds: Int64(time.timeIntervalSince1970 * 1000)))
    let time = text.span.text()
    switch format {
    case .text:
      let pairs = values.map { " \($0.name)=\(quotedIfNeeded($0.value))" }.joined()
      return "\(time) \(level) \(oneLine(message))\(pairs)"
    case .logfmt:
      let pairs = values.map { " \($0.name)=\(quotedIfNeeded($0.value))" }.joined()
      return "time=\(time) level=\(level) msg=\(quotedIfNeeded(message))\(pairs)"
    case .json:
      var line = ByteQueue()
      line.append("{")
      append("time", time, to: &line)
      line.append(",")
      append("level", level.rawValue, to: &line)
      line.append(",")
      append("message", message, to: &line)
      for (name, value) in values {
        line.append(",")
        append(name, value, to: &line)
      }
      line.append("}")
      return String(decoding: line.span.copied(), as: UTF8.self)
    }
  }

  private static func append(_ name: String, _ value: String, to line: inout ByteQueue) {
    JSONWriter.append(string: name, to: &line)
    line.append(":")
    JSONWriter.append(string: value, to: &line)
  }

  /// As logfmt has it: in quotation marks where the value would not end where it ends.
  private static func quotedIfNeeded(_ value: String) -> String {
    let isPlain =
      !value.isEmpty
      && value.unicodeScalars.allSatisfy { scalar in
        scalar.value > 0x20 && scalar != "\"" && scalar != "=" && scalar != "\\" && !isControl(scalar)
      }
    if isPlain { return value }
    return "\"" + oneLine(value).replacing("\"", with: "\\\"") + "\""
  }

  /// Without a character that ends a line or moves the cursor of a terminal.
  private static func oneLine(_ text: String) -> String {
    if !text.unicodeScalars.contains(where: { isControl($0) || $0 == "\\" }) { return text }
    var shown = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": shown += "\\n"
      case "\\": shown += "\\\\"
      case _ where isControl(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// Those of ASCII and of Latin-1, and the two line ends of Unicode.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
  }
}

extension Logger.Level {
  init(_ level: OwnLogRules.Level) {
    self =
      switch level {
      case .debug: .debug
      case .info: .info
      case .notice: .notice
      case .warning: .warning
      case .error: .error
      }
  }
}
