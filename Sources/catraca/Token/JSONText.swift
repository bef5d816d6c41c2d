// JSON for people: indented, one member a line, times as dates. What a token holds is a stranger's text: nothing of it
// reaches the terminal as a control character.

import FoundationEssentials
import JSON

/// Shows a document.
struct JSONText {
  private let document: JSONDocument
  /// Seconds since 1970, for "in 4m" and "2h ago".
  private let now: Int64
  private static let dates: Set<String> = ["exp", "iat", "nbf", "auth_time", "updated_at"]

  /// Each line begins with `indent`.
  static func lines(_ document: JSONDocument, now: Int64, indent: String) -> String {
    let text = JSONText(document: document, now: now)
    return indent + text.value(document.root, indent: indent)
  }

  private func value(_ node: JSONDocument.Index, indent: String) -> String {
    let inner = indent + "  "
    switch document.kind(node) {
    case .object:
      let members = document.members(of: node).map { name, value in
        (raw(name) + ": " + self.value(value, indent: inner), note(name, value))
      }
      return block(members, "{", "}", indent: indent)
    case .array:
      return block(document.elements(of: node).map { (value($0, indent: inner), nil) }, "[", "]", indent: indent)
    default: return raw(node)
    }
  }

  private func block(
    _ parts: [(text: String, note: String?)], _ open: String, _ close: String, indent: String
  ) -> String {
    if parts.isEmpty { return open + close }
    let lines = parts.enumerated().map { index, part in
      "\(indent)  \(part.text)\(index < parts.count - 1 ? "," : "")\(part.note.map { "   # \($0)" } ?? "")"
    }
    return "\(open)\n\(lines.joined(separator: "\n"))\n\(indent)\(close)"
  }

  /// The text as it is, controls and direction marks written as escapes.
  private func raw(_ node: JSONDocument.Index) -> String {
    let text = String(decoding: document.bytes[document.rawRange(of: node)], as: UTF8.self)
    var shown = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        shown += "\\u{\(String(scalar.value, radix: 16))}"
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  private func note(_ name: JSONDocument.Index, _ value: JSONDocument.Index) -> String? {
    guard let name = document.string(at: name), Self.dates.contains(name), let seconds = document.integer(at: value)
    else { return nil }
    return Self.date(seconds, now: now)
  }

  /// `2026-11-23T17:21:07Z, in 4m 59s`. Nil for a value that is not a date of this era.
  static func date(_ seconds: Int64, now: Int64) -> String? {
    guard seconds >= 0, seconds <= 253_402_300_799 else { return nil }
    let date = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    let distance = seconds - now
    return "\(date), \(distance < 0 ? "\(span(-distance)) ago" : "in \(span(distance))")"
  }

  /// The two largest units of a span: `3d 4h`, `59s`.
  static func span(_ seconds: Int64) -> String {
    let units: [(String, Int64)] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    guard let first = units.firstIndex(where: { seconds >= $0.1 }) else { return "0s" }
    let whole = "\(seconds / units[first].1)\(units[first].0)"
    let rest = seconds % units[first].1
    guard first + 1 < units.count, rest >= units[first + 1].1 else { return whole }
    return whole + " \(rest / units[first + 1].1)\(units[first + 1].0)"
  }
}
