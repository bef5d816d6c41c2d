// Which folders a path leads through: a change of what it leads to is a change of a name in one of them.

import Configuration
import FoundationEssentials

enum WatchedFolders {
  /// LIMIT: links in one path, as the system has it.
  private static let linkCountMax = 40

  /// The folders of all files and patterns, and those of links on the way. In place of a folder that does not exist the
  /// one above it, where it would appear.
  static func of(_ sources: ConfigurationSources) -> Set<String> {
    var result: Set<String> = []
    for path in sources.files.keys { add(path, to: &result) }
    // The folder's own name is like that of a file in it.
    for pattern in sources.matches.keys { add(pattern.listedFolder + "/*", to: &result) }
    return result
  }

  /// Walks along a path as the system does.
  private static func add(_ path: String, to folders: inout Set<String>) {
    var rest = path.split(separator: "/").map(String.init)[...]
    // Empty is the root, or the current folder.
    var folder = path.hasPrefix("/") ? "/" : ""
    var linkCount = 0
    while let name = rest.popFirst() {
      let next = folder.isEmpty || folder == "/" ? folder + name : folder + "/" + name
      if rest.isEmpty { folders.insert(shown(folder)) }
      if let target = target(of: next), linkCount < linkCountMax {
        linkCount += 1
        folders.insert(shown(folder))
        rest = target.split(separator: "/").map(String.init)[...] + rest
        if target.hasPrefix("/") { folder = "/" }
      } else if rest.isEmpty || exists(next) {
        folder = next
      } else {
        folders.insert(shown(folder))
        return
      }
    }
  }

  private static func shown(_ folder: String) -> String { folder.isEmpty ? "." : folder }

  private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Where a link leads. Nil for what is not a link.
  private static func target(of path: String) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: path)
  }
}
