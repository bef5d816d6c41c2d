// The file as a tree with positions, before it means anything: scalars as text, lists and mappings in the file's order.
// Aliases are expanded, variables are filled in, and no mapping holds a key twice.

/// A node of the file.
struct SourceNode {
  var position: SourcePosition
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
    var keyPosition: SourcePosition
    var value: SourceNode
    /// A route has it from a group or from `defaults`.
    var isInherited = false
  }

  /// It and all below it.
  var count: Int {
    switch content {
    case .scalar: 1
    case .list(let items): items.reduce(1) { $0 + $1.count }
    case .mapping(let entries): entries.reduce(1) { $0 + $1.value.count }
    }
  }

  /// Calls `body` with the positions of what is here and below, and whether it is inherited.
  func forEachPosition(isInherited: Bool = false, _ body: (SourcePosition, Bool) -> Void) {
    body(position, isInherited)
    switch content {
    case .scalar: break
    case .list(let items): for item in items { item.forEachPosition(isInherited: isInherited, body) }
    case .mapping(let entries):
      for entry in entries {
        body(entry.keyPosition, isInherited || entry.isInherited)
        entry.value.forEachPosition(isInherited: isInherited || entry.isInherited, body)
      }
    }
  }

  /// `key:` with nothing behind it, `~` or `null` (YAML 1.2 §10.3.2).
  var isNull: Bool {
    // Nearly every scalar is longer.
    guard case .scalar(let scalar) = content, scalar.isPlain, scalar.text.utf8.count <= 4 else { return false }
    return switch scalar.text {
    case "", "~", "null", "Null", "NULL": true
    default: false
    }
  }

  /// An entry of a mapping. Nil when there is none, or when the node is not a mapping.
  func entry(_ key: String) -> Entry? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == key }
  }

  /// The items of a list. A node that is not a list is its only item.
  var items: [SourceNode] { if case .list(let items) = content { items } else { [self] } }

  /// The text of a scalar.
  var text: String? { if case .scalar(let scalar) = content { scalar.text } else { nil } }

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
