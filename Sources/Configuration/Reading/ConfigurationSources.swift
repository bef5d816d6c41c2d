// What a configuration was read from: files, and patterns such as `routes.d/*.conf`. It is read again when one of these
// has changed.

/// Everything that was read, as far as reading went.
package struct ConfigurationSources: Sendable, Hashable {
  /// By path, also what could not be read.
  package var files: [String: FileSignature] = [:]
  /// The files that match.
  package var matches: [FilePattern: [String]] = [:]

  package init() {}

  /// The same as they are now.
  package func current() -> ConfigurationSources {
    var result = self
    for path in files.keys { result.files[path] = FileSignature(ofFileAt: path) }
    for pattern in matches.keys {
      result.matches[pattern] = pattern.paths(among: (try? namesInFolder(pattern.listedFolder)) ?? [])
    }
    return result
  }
}

/// A file of the configuration, for messages and for relative paths.
struct SourceFile {
  /// As messages begin.
  var name: String
  /// Empty for the current one.
  var folder: String
}

/// The files of one folder whose names match.
package struct FilePattern: Sendable, Hashable {
  /// Empty for the current one.
  package let folder: String
  /// `*` is any text, `?` one character.
  let name: String

  package var listedFolder: String { folder.isEmpty ? "." : folder }

  /// Nil for a path without `*` and `?`.
  init?(_ path: String) {
    (folder, name) = Self.cut(path)
    if !name.contains(where: { "*?".contains($0) }) { return nil }
  }

  /// The folder and the name in it.
  package static func cut(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    let name = String(path[path.index(after: slash)...])
    return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
  }

  /// The paths of those that match, sorted by the bytes of their names. Hidden files match only a pattern that begins
  /// with a dot.
  package func paths(among names: [String]) -> [String] {
    let isHidden = name.hasPrefix(".")
    return names.filter { $0.hasPrefix(".") == isHidden && matches($0) }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(path(of:))
  }

  private func path(of file: String) -> String {
    folder.isEmpty ? file : folder.hasSuffix("/") ? folder + file : folder + "/" + file
  }

  /// With one point to go back to, the last star, so that the work is at most the product of the lengths.
  private func matches(_ file: String) -> Bool {
    let pattern = Array(name.unicodeScalars)
    let text = Array(file.unicodeScalars)
    var (p, t) = (0, 0)
    var back: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == "*" {
        p += 1
        back = (p, t)
      } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if let (star, start) = back {
        p = star
        t = start + 1
        back = (star, t)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == "*" }
  }
}
