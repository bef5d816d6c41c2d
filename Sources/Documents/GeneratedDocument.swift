// A document with parts that are made from the records in the sources. The rest of it is written by hand.

/// A part lies between a line with `make docs: NAME` and one with `end: NAME`, which are comments of the document.
struct GeneratedDocument {
  /// How a document writes comments.
  enum Marks {
    /// `<!-- make docs: NAME -->`. A blank line separates a part from its marks.
    case markdown
    /// `  # make docs: NAME`, in a mapping at the top of a YAML file.
    case yaml
    /// The whole document is one part without marks.
    case none
  }

  /// From the root of the tree.
  let path: String
  var marks = Marks.markdown
  let parts: [(name: String, text: String)]

  static let all = [refusals, metrics, reference, example, schema]

  /// The document with its parts as the records have them now.
  func filled(_ document: String) throws(MissingPart) -> String {
    var document = document
    for part in parts {
      let begin: String
      let end: String
      var text = part.text
      switch marks {
      case .markdown:
        begin = "<!-- make docs: \(part.name) -->\n"
        end = "<!-- end: \(part.name) -->\n"
        text = "\n" + text + "\n"
      case .yaml:
        begin = "  # make docs: \(part.name)\n"
        end = "  # end: \(part.name)\n"
      case .none: return text
      }
      guard
        let first = document.firstRange(of: begin),
        let last = document[first.upperBound...].firstRange(of: end)
      else { throw MissingPart(path: path, name: part.name) }
      document.replaceSubrange(first.upperBound..<last.lowerBound, with: text)
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
