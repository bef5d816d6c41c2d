// A file of API keys. Large ones are read in pieces: the tree of a hundred thousand entries would take more memory than
// all their digests.

import Bytes
package import Tokens

enum APIKeyFile {
  // LIMIT: some two hundred thousand keys.
  static let byteCountMax = 64 * 1024 * 1024
  private static let pieceByteCount = 64 * 1024

  /// - Parameter position: where the configuration names the file.
  static func table(of bytes: [UInt8], path: String, at position: SourcePosition, _ reading: Reading) -> APIKeyTable {
    var table = APIKeyTable()
    let file = reading.addFile(SourceFile(name: path.visible, folder: FilePattern.cut(path).folder))
    guard String(validating: bytes, as: UTF8.self) != nil else {
      var invalid = ConfigurationReader.firstInvalidPosition(bytes)
      invalid.file = file
      reading.error(invalid, "the file is not UTF-8 text")
      return table
    }
    let nodeCount = reading.nodeCount
    defer { reading.nodeCount = nodeCount }
    for piece in pieces(of: bytes) {
      reading.nodeCount = nodeCount
      reading.shift = (file: file, lines: piece.line - 1)
      guard let root = YAMLSource.tree(of: piece.text, file: file, isEmptyAllowed: true, reading: reading) else {
        continue
      }
      var node = root
      if case .mapping(let entries) = root.content, entries.count == 1, entries[0].key == "keys" {
        node = entries[0].value
      }
      guard case .list(let items) = node.content else {
        reading.error(
          node.position, "a file of API keys is a list of entries: write - { id: NAME, hash: \"sha256:…\" }")
        return table
      }
      for item in items { reading.add(item, to: &table) }
    }
    return table
  }

  /// Cuts a list in front of entries that begin a line. Anything else is one piece.
  private static func pieces(of bytes: [UInt8]) -> [(text: String, line: Int)] {
    var result: [(text: String, line: Int)] = []
    var (start, first) = (0, 1)
    var (index, line) = (0, 1)
    let text = bytes.span
    while index < bytes.count {
      if index - start >= pieceByteCount, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "-"),
        bytes[index + 1] == UInt8(ascii: " ")
      {
        result.append((text.extracting(start..<index).text(), first))
        (start, first) = (index, line)
      }
      guard let end = text.firstIndex(of: 0x0A, from: index) else { break }
      index = end + 1
      line += 1
    }
    result.append((text.extracting(start..<bytes.count).text(), first))
    return result
  }
}

extension ConfigurationReader {
  /// The keys of a file that a configuration names, or that a person has written.
  package static func apiKeys(inFileAt path: String) -> Result<APIKeyTable, ConfigurationErrors> {
    let reading = Reading(file: path, folder: "", environment: [:], readFile: readWholeFile)
    var table = APIKeyTable()
    if let bytes = reading.contents(ofResolved: path, at: .start, byteCountMax: APIKeyFile.byteCountMax) {
      table = APIKeyFile.table(of: bytes, path: path, at: .start, reading)
    }
    if reading.errorCount == 0 { return .success(table) }
    return .failure(ConfigurationErrors(diagnostics: reading.diagnostics, sources: reading.sources))
  }
}
