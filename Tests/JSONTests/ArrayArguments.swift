// The same functions for arrays and strings: `#expect` cannot hold a span.

@testable import JSON

extension JSONDocument {
  func stringEquals(_ index: Index, _ other: String) -> Bool { stringEquals(index, other.utf8.span) }
}
