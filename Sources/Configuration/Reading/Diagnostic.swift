// What the reader has to say about a file, with the place that it speaks of. Lines and columns count from 1, columns in
// Unicode scalars, and every place lies in the file.

/// A place in the configuration file. Both numbers count from 1.
package struct Place: Sendable, Hashable, Comparable {
  package var line: Int
  /// In Unicode scalars, not in bytes.
  package var column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  package static let start = Place(line: 1, column: 1)

  package static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
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
  package var place: Place
  /// One line, without the place. Foreign text in it has no control characters.
  package var message: String

  package init(_ severity: Severity, file: String, place: Place, message: String) {
    self.severity = severity
    self.file = file
    self.place = place
    self.message = message
  }

  /// `gateway.conf:LINE:COLUMN: message`, with `warning: ` before the message of a warning.
  package var description: String {
    "\(file):\(place.line):\(place.column): \(severity == .warning ? "warning: " : "")\(message)"
  }
}

/// Why a file was refused: at least one error, and the warnings that were found on the way, sorted by place.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  package var diagnostics: [Diagnostic]

  package init(diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  /// One line each.
  package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
