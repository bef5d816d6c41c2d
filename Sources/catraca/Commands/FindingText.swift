// A finding of `catraca check`, for people at a terminal and for programs.

import Bytes
import Configuration
import JSON

/// The line that a finding speaks of, with a mark under the place.
enum Excerpt {
  /// LIMIT: a longer line is shown around the place.
  private static let scalarCountMax = 100

  /// Nil for a place outside of the lines.
  static func text(of place: Place, in lines: [Substring]) -> String? {
    guard lines.indices.contains(place.line - 1) else { return nil }
    let scalars = Array(lines[place.line - 1].unicodeScalars)
    let column = min(max(place.column - 1, 0), scalars.count)
    let start = max(0, column - scalarCountMax / 2)
    let shown = scalars[start..<min(scalars.count, start + scalarCountMax)]
    var line = ""
    // A tab is one column here, as it is one scalar. Nothing may move a terminal's cursor.
    for scalar in shown { line.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar) }
    let number = "\(place.line)"
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
    line.append(text: ",\"line\":\(finding.place.line),\"column\":\(finding.place.column),\"message\":")
    JSONWriter.append(string: finding.message, to: &line)
    line.append("}")
    return String(decoding: line.span.copied(), as: UTF8.self)
  }

  /// A workflow command of GitHub, which shows the message at the line.
  static func annotation(_ finding: Diagnostic) -> String {
    let kind = finding.severity == .error ? "error" : "warning"
    let file = escaped(finding.file).replacing(":", with: "%3A").replacing(",", with: "%2C")
    return "::\(kind) file=\(file),line=\(finding.place.line),col=\(finding.place.column)::\(escaped(finding.message))"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }
}
