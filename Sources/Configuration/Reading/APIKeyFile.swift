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
    var rest = (start: 0, line: 1)
    while let piece = nextPiece(of: bytes, &rest) {
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
    table.fit()
    return table
  }

  /// Cuts a list in front of an entry that begins a line. Anything else is one piece.
  /// - Parameter rest: where the piece begins, and then the next one. Nil when there is none.
  private static func nextPiece(
    of bytes: [UInt8], _ rest: inout (start: Int, line: Int)
  ) -> (text: String, line: Int)? {
    let (start, first) = rest
    if start > 0, start >= bytes.count { return nil }
    var (index, line) = rest
    let text = bytes.span
    while let end = text.firstIndex(of: 0x0A, from: index) {
      index = end + 1
      line += 1
      if index - start >= pieceByteCount, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "-"),
        bytes[index + 1] == UInt8(ascii: " ")
      {
        rest = (index, line)
        return (text.extracting(start..<index).text(), first)
      }
    }
    rest.start = max(1, bytes.count)
    return (text.extracting(start..<bytes.count).text(), first)
  }
}

extension ConfigurationReader {
  /// The moment at which a key is over, as its entry writes it, in seconds since 1970. Nil for what is none.
  package static func unixSeconds(_ moment: String) -> Int64? { CalendarTime.unixSeconds(moment) }

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
