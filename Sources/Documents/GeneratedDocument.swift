// A document with parts that are made from the records in the sources. The rest of it is written by hand.

/// A part lies between the lines `<!-- make docs: NAME -->` and `<!-- end: NAME -->`.
struct GeneratedDocument {
  /// From the root of the tree.
  let path: String
  let parts: [(name: String, text: String)]

  static let all = [refusals]

  /// The document with its parts as the records have them now.
  func filled(_ document: String) throws(MissingPart) -> String {
    var document = document
    for part in parts {
      let begin = "<!-- make docs: \(part.name) -->\n"
      let end = "<!-- end: \(part.name) -->\n"
      guard
        let first = document.firstRange(of: begin),
        let last = document[first.upperBound...].firstRange(of: end)
      else { throw MissingPart(path: path, name: part.name) }
      document.replaceSubrange(first.upperBound..<last.lowerBound, with: "\n" + part.text + "\n")
    }
    return document
  }
}

/// A document lost the lines around a part.
struct MissingPart: Error {
  let path: String
  let name: String
}

/// A table in Markdown.
func table(_ head: [String], _ rows: [[String]]) -> String {
  func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
  return line(head) + "|" + String(repeating: "---|", count: head.count) + "\n" + rows.map(line).joined()
}
