// Documents of GraphQL: the same verdict and numbers for the same document, whatever was read before and whatever is
// ignored around it, and no operation with fields that were not counted.

import GraphQL

@_cdecl("fuzz_graphql_documents")
func libFuzzGraphQLDocuments(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzGraphQLDocuments)
}

func fuzzGraphQLDocuments(_ input: [UInt8]) throws {
  var document = Document()
  let error = document.read(input.span, tokenCountMax: 2000)
  if case .syntax(let offset) = error { try expect(offset <= input.count, "a fault behind the end") }
  _ = try? OperationRequests(input, batchCountMax: 4)
  // The same reader once more, with what is left in it.
  var again = document
  try expect(again.read(input.span, tokenCountMax: 2000) == error, "another verdict the second time")
  if error != nil { return }
  try expect(document.tokenCount > 2 && document.tokenCount <= 2000, "\(document.tokenCount) tokens")
  try expect(
    again.depth == document.depth && again.aliasCount == document.aliasCount
      && again.rootFieldCount == document.rootFieldCount, "other numbers the second time")
  let spaced = Array(",\n\u{FEFF}".utf8) + input + Array("\n# the end".utf8)
  try expect(again.read(spaced.span, tokenCountMax: 2000) == nil, "refused behind a comma")
  try expect(again.aliasCount == document.aliasCount, "other aliases behind a comma")
  var depth: UInt32 = 0
  for operation in document.operations {
    depth = max(depth, document.depth(of: operation))
    let name = Array(input[operation.name.bounds])
    let found =
      if name.isEmpty {
        document.operation(named: nil, in: input.span)
      } else {
        document.operation(named: name.span, in: input.span)
      }
    try expect(found == operation, "another operation of that name")
    let roots = document.rootFields(of: operation)
    try expect(roots.count <= Int(document.rootFieldCount(of: operation)), "fields that were not counted")
    for root in roots { try expect(input[root.bounds].first.map { !(0x30...0x39).contains($0) } == true, "no name") }
  }
  try expect(depth == document.depth, "another depth")
}
