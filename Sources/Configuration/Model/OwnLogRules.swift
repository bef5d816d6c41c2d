// `log:`: the gateway's own log, on standard error.

/// `log:`. A reload changes it at once.
package struct OwnLogRules: Sendable, Equatable {
  /// The least weighty lines that are written.
  package enum Level: String, Sendable, CaseIterable {
    case debug, info, notice, warning, error
  }

  package enum Format: String, Sendable, CaseIterable {
    /// The time, the level and the message, then what belongs to it as `name=value`.
    case text
    /// `name=value` throughout.
    case logfmt
    /// An object a line.
    case json
  }

  package var level: Level
  package var format = Format.text

  package init(level: Level = .notice) { self.level = level }
}

extension OwnLogRules {
  static let settings = Settings<OwnLogRules>(
    "log", title: "'log'", example: "log: { format: json }", blank: OwnLogRules(),
    [
      Setting("level", \.level, .choice, "The least weighty lines that are written."),
      Setting("format", \.format, .choice, "How a line is written."),
    ])
}
