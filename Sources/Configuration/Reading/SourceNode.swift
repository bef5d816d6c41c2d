// The file as a tree with places, before it means anything: scalars as text, lists and mappings in the file's order.
// Aliases are expanded, variables are filled in, and no mapping holds a key twice.

/// A node of the file.
struct SourceNode {
  var place: Place
  var content: Content

  enum Content {
    case scalar(Scalar)
    case list([SourceNode])
    case mapping([Entry])
  }

  struct Scalar {
    var text: String
    /// Written without quotes (or made from a variable), so that `true` and `12` are not text.
    var isPlain: Bool
  }

  struct Entry {
    var key: String
    var keyPlace: Place
    var value: SourceNode
  }

  /// `key:` with nothing behind it, `~` or `null` (YAML 1.2 §10.3.2).
  var isNull: Bool {
    guard case .scalar(let scalar) = content, scalar.isPlain else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
  }

  /// What the node is, for messages: `a list`, `a mapping`, `'text'`.
  var kind: String {
    switch content {
    case .scalar(let scalar):
      if isNull, scalar.text.isEmpty { "nothing" } else { scalar.text.isEmpty ? "an empty text" : scalar.text.quoted }
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }
}
