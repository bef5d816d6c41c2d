// What the reader has to say about a file, each with its position. Lines and columns count from 1, columns in
// Unicode scalars, and every position lies in the file.

/// A position in a configuration file. Line and column count from 1.
package struct SourcePosition: Sendable, Hashable, Comparable {
  /// In the order in which files were read. The first is the configuration file itself.
  package var file: Int
  package var line: Int
  /// In Unicode scalars, not in bytes.
  package var column: Int

  package init(file: Int = 0, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  package static let start = SourcePosition(line: 1, column: 1)

  package static func < (a: SourcePosition, b: SourcePosition) -> Bool {
    (a.file, a.line, a.column) < (b.file, b.line, b.column)
  }
}

/// One finding: what is wrong, and what to write instead.
package struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
  package enum Severity: Sendable, Hashable {
    /// The file is refused.
    case error
    /// The file is taken. The operator should look.
    case warning
  }

  package var severity: Severity
  /// As given to the reader, or the path of an included file.
  package var file: String
  package var position: SourcePosition
  /// One line, without the position. Foreign text in it has no control characters.
  package var message: String

  package init(_ severity: Severity, file: String, position: SourcePosition, message: String) {
    self.severity = severity
    self.file = file
    self.position = position
    self.message = message
  }

  /// `gateway.conf:LINE:COLUMN: message`, with `warning: ` before the message of a warning.
  package var description: String {
    "\(file):\(position.line):\(position.column): \(severity == .warning ? "warning: " : "")\(message)"
  }
}

/// Why a file was refused: at least one error, and the warnings that were found too, sorted by position.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  package var diagnostics: [Diagnostic]
  package var sources: ConfigurationSources

  package init(diagnostics: [Diagnostic], sources: ConfigurationSources = ConfigurationSources()) {
    self.diagnostics = diagnostics
    self.sources = sources
  }

  /// One line each.
  package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
