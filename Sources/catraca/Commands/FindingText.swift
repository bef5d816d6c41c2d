// A finding of `catraca check`, for people at a terminal and for programs.

import Bytes
import Configuration
import JSON

/// The line that a finding speaks of, with a mark under its position.
enum Excerpt {
  /// LIMIT: a longer line is shown around the position.
  private static let scalarCountMax = 100

  /// Nil for a position outside of the lines.
  static func text(of position: SourcePosition, in lines: [Substring]) -> String? {
    guard lines.indices.contains(position.line - 1) else { return nil }
    let scalars = Array(lines[position.line - 1].unicodeScalars)
    let column = min(max(position.column - 1, 0), scalars.count)
    let start = max(0, column - scalarCountMax / 2)
    let shown = scalars[start..<min(scalars.count, start + scalarCountMax)]
    var line = ""
    // A tab is one column here, as it is one scalar. Nothing may move a terminal's cursor.
    for scalar in shown { line.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar) }
    let number = "\(position.line)"
    return "  \(number) | \(line)\n  \(String(repeating: " ", count: number.count)) | "
      + String(repeating: " ", count: column - start) + "^"
  }
}

enum FindingText {
  /// An object on one line.
  static func json(_ finding: Diagnostic) -> String {
    var line = ByteQueue()
    line.append("{\"severity\":")
    JSONWriter.append(string: finding.severity == .error ? "error" : "warning", to: &line)
    line.append(",\"file\":")
    JSONWriter.append(string: finding.file, to: &line)
    line.append(text: ",\"line\":\(finding.position.line),\"column\":\(finding.position.column),\"message\":")
    JSONWriter.append(string: finding.message, to: &line)
    line.append("}")
    return String(decoding: line.span.copied(), as: UTF8.self)
  }

  /// A workflow command of GitHub, which shows the message at the line.
  static func annotation(_ finding: Diagnostic) -> String {
    let kind = finding.severity == .error ? "error" : "warning"
    let file = escaped(finding.file).replacing(":", with: "%3A").replacing(",", with: "%2C")
    return
      "::\(kind) file=\(file),line=\(finding.position.line),col=\(finding.position.column)::\(escaped(finding.message))"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }
}
