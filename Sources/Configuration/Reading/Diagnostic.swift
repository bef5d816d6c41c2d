// What the reader has to say about a file, each with its position. Lines and columns count from 1, columns in
// Unicode scalars, and every position lies in the file.

/// A position in the configuration file. Both numbers count from 1.
package struct SourcePosition: Sendable, Hashable, Comparable {
  package var line: Int
  /// In Unicode scalars, not in bytes.
  package var column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  package static let start = SourcePosition(line: 1, column: 1)

  package static func < (a: SourcePosition, b: SourcePosition) -> Bool { (a.line, a.column) < (b.line, b.column) }
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
  /// As given to the reader, for the message.
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

  package init(diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  /// One line each.
  package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
