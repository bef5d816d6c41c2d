// Documents of GraphQL, of shapes that are known to be dear elsewhere.

import Bytes
import GraphQL

private func document(_ make: @escaping (Int) -> String) -> (Int) -> () -> String {
  { size in
    let bytes = Array(make(size).utf8)
    return {
      var document = Document()
      return document.read(bytes.span, tokenCountMax: 10_000_000) == nil ? "read" : "refused"
    }
  }
}

private func repeated(_ size: Int, _ element: (Int) -> String) -> String {
  (0..<size).map(element).joined(separator: " ")
}

var graphQLCases: [WorkCase] {
  [
    WorkCase("fields of a GraphQL document", document { "{ \(repeated($0) { "field\($0)" }) }" }),
    WorkCase("aliases of a GraphQL document", document { "{ \(repeated($0) { "a\($0): b" }) }" }),
    WorkCase(
      "fragments that double one another", from: 50,
      document { size in
        "{ ...F0 } \(repeated(size) { "fragment F\($0) on Q { ...F\($0 + 1) ...F\($0 + 1) }" }) "
          + "fragment F\(size) on Q { a: b }"
      }),
    WorkCase(
      "one fragment used often",
      document { "{ \(repeated($0) { _ in "...F" }) } fragment F on Q { \(repeated($0) { "a\($0): b" }) }" }),
    WorkCase("operations of a GraphQL document", document { repeated($0) { "query Q\($0) { a }" } }),
    WorkCase("variables and directives", document { "query (\(repeated($0) { "$a\($0): A = [1] @b" })) @c { a }" }),
    WorkCase("a long text in GraphQL", document { "{ a(b: \"\"\"\(repeated($0) { _ in "\\\"\"\" text" })\"\"\") }" }),
    WorkCase("braces without an end", document { String(repeating: "{a", count: $0 * 100) }),
    WorkCase("fields at the top of fragments") { size in
      let text =
        "{ \(repeated(size) { "...F\($0)" }) } "
        + repeated(size) { "fragment F\($0) on Q { a\($0) ...G } " } + "fragment G on Q { b }"
      let bytes = Array(text.utf8)
      return {
        var document = Document()
        guard document.read(bytes.span, tokenCountMax: 10_000_000) == nil,
          let operation = document.operation(named: nil, in: bytes.span)
        else { return "refused" }
        return document.rootFields(of: operation).count == size + 1 ? "read" : "wrong"
      }
    },
  ]
}
