// The tree as text: what the rules of this target read. Files are read once, and as bytes, because they have many
// lines.

import Foundation

/// One line of a file.
struct SourceLine: Sendable, CustomStringConvertible {
  let file: String
  let number: Int
  let text: String
  /// The text without comments and without the contents of strings.
  let code: String
  /// The comment, from `//` on. Nil when there is none.
  let comment: String?

  /// The contents of strings that begin and end on this line, without what is interpolated.
  var strings: [String] {
    text.dropLast(comment?.count ?? 0).replacing(#/\\\((?:[^()"]|\([^()]*\)|"[^"]*")*\)/#, with: "…")
      .matches(of: #/"((?:\\.|[^"\\])*)"/#).map { String($0.1) }
  }

  /// The place, as compilers and editors write it.
  var description: String { "\(file):\(number)" }
}

/// One file of the repository.
struct SourceFile: Sendable {
  /// From the repository's root: `Sources/Proxy/Stage.swift`.
  let path: String
  let text: String
  let lines: [SourceLine]

  /// The target that the file belongs to.
  var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

  init(path: String, text: String) {
    self.path = path
    self.text = text
    var reader = CodeReader()
    var number = 0
    lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
      number += 1
      let bytes = Array(line)
      let (code, commentStart) = reader.code(of: bytes)
      return SourceLine(
        file: path, number: number, text: String(Substring(line)), code: String(decoding: code, as: UTF8.self),
        comment: commentStart.map { String(decoding: bytes[$0...], as: UTF8.self) })
    }
  }

  /// The lines whose code holds one of the words, each between characters that are no part of a name.
  func lines(withWords words: [String]) -> [SourceLine] {
    let words = words.map { Array($0.utf8) }
    return lines.filter { line in
      let bytes = Array(line.code.utf8)
      return words.contains { Self.hasWord($0, bytes) }
    }
  }

  private static func hasWord(_ word: [UInt8], _ bytes: [UInt8]) -> Bool {
    guard let first = word.first, bytes.count >= word.count else { return false }
    for start in 0...(bytes.count - word.count) where bytes[start] == first {
      let end = start + word.count
      if bytes[start..<end].elementsEqual(word), start == 0 || !isNamePart(bytes[start - 1]) || !isNamePart(first),
        end == bytes.count || !isNamePart(bytes[end]) || !isNamePart(bytes[end - 1])
      {
        return true
      }
    }
    return false
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...: true
    default: false
    }
  }
}

/// Removes comments and the contents of strings from lines, one after the other. Knows strings over several lines. An
/// interpolation counts as part of its string.
struct CodeReader {
  private var isInBlock = false

  private static let quote = UInt8(ascii: "\"")
  private static let hash = UInt8(ascii: "#")

  /// The code of a line, and where a comment begins in it.
  mutating func code(of line: [UInt8]) -> (code: [UInt8], commentStart: Int?) {
    var code: [UInt8] = []
    var isInString = false
    var isRaw = false
    var index = 0
    func byte(_ offset: Int) -> UInt8 { index + offset < line.count && index + offset >= 0 ? line[index + offset] : 0 }
    while index < line.count {
      let current = line[index]
      if !isInString, current == Self.quote, byte(1) == Self.quote, byte(2) == Self.quote {
        isInBlock.toggle()
        index += 3
        continue
      }
      if isInBlock {
        index += 1
        continue
      }
      if isInString {
        if current == UInt8(ascii: "\\"), !isRaw {
          index += 1
        } else if current == Self.quote, !isRaw || byte(1) == Self.hash {
          isInString = false
          code.append(current)
        }
      } else if current == UInt8(ascii: "/"), byte(1) == current {
        return (code, index)
      } else {
        if current == Self.quote {
          isInString = true
          isRaw = byte(-1) == Self.hash
        }
        code.append(current)
      }
      index += 1
    }
    return (code, nil)
  }
}

/// The repository's own files.
enum Tree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// All of Sources, and all of Tests.
  static let sources = Result { try swiftFiles("Sources") }
  static let tests = Result { try swiftFiles("Tests") }
  /// The drivers of fuzzers.
  static let drivers = Result { try swiftFiles("Fuzzing") }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: path).path)
  }

  /// The names of the folders directly below one.
  static func folders(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      at: root.appending(path: path).resolvingSymlinksInPath(), includingPropertiesForKeys: [.isDirectoryKey]
    ).filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
      .map(\.lastPathComponent).sorted()
  }

  /// All Swift files below a folder, in the order of their paths.
  private static func swiftFiles(_ folder: String) throws -> [SourceFile] {
    let start = root.appending(path: folder).resolvingSymlinksInPath()
    let found = FileManager.default.enumerator(atPath: start.path)?.compactMap { $0 as? String } ?? []
    return try found.filter { $0.hasSuffix(".swift") }.sorted().map { name in
      SourceFile(
        path: folder + "/" + name, text: try String(contentsOf: start.appending(path: name), encoding: .utf8))
    }
  }
}
