// The gateway reads a document as graphql-core does, or it would check another document than the one that is executed.

import Foundation
import GraphQL
import TestSupport
import Testing

@Suite("GraphQL beside graphql-core")
struct GraphQLOracleTests {
  private static let count = 100_000

  private func verdict(_ bytes: [UInt8], _ document: inout Document) -> String {
    if document.read(bytes.span, tokenCountMax: 1_000_000) != nil { return "refused" }
    var words = ["read", "\(document.usesIntrospection)"]
    for operation in document.operations {
      let name = String(decoding: bytes[operation.name.bounds], as: UTF8.self)
      let roots = document.rootFields(of: operation).map { String(decoding: bytes[$0.bounds], as: UTF8.self) }
      words.append(
        ([
          "\(operation.type)", name, "\(document.depth(of: operation))", "\(document.aliasCount(of: operation))",
          "\(document.rootFieldCount(of: operation))",
        ] + Set(roots).sorted()).joined(separator: ","))
    }
    return words.joined(separator: " ")
  }

  private static func bytes(ofHexadecimal text: Substring) -> [UInt8] {
    let digits = text.utf8.map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  @Test(
    "100,000 documents, made up and changed, have the verdict and the numbers that graphql-core finds",
    .needsGraphQLCore)
  func documents() async throws {
    let python = try #require(await PythonPackages.graphQLCore.value)
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-graphql-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(graphQLOracle.utf8).write(to: folder.appending(path: "oracle.py"))
    let made = try await ChildProcess.run(
      "sh", ["-c", "'\(python)' '\(folder.path)/oracle.py' \(Self.count) > '\(folder.path)/verdicts'"],
      within: .seconds(900))
    try #require(made.status == 0, "\(made.standardError)")
    let lines = try String(contentsOf: folder.appending(path: "verdicts"), encoding: .utf8).split(separator: "\n")
    #expect(lines.count == Self.count)
    var document = Document()
    var readCount = 0
    var differences: [String] = []
    for line in lines {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      let bytes = Self.bytes(ofHexadecimal: parts[0])
      let found = verdict(bytes, &document)
      if found != "refused" { readCount += 1 }
      if found != parts[1] {
        differences.append("\(String(decoding: bytes, as: UTF8.self)): \(found), graphql-core has \(parts[1])")
      }
    }
    #expect(differences.isEmpty, "\(differences.count): \(differences.prefix(5))")
    // Or the documents are too odd, or too plain, to say anything.
    #expect((Self.count * 3 / 10...Self.count * 9 / 10).contains(readCount), "\(readCount) were read")
  }
}
