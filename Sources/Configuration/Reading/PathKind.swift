// What is at a path that the gateway writes to. The reader only looks: what is missing there is found by the check, and
// not when the first line or the first key is to be written.

import Glibc

package enum PathKind: Sendable {
  case folder
  case other
  case missing

  /// Nil where the system does not say, as in a folder that this user may not read.
  package init?(ofPath path: String) {
    var status = stat()
    // SAFETY: the path lives through the call, which fills `status`.
    if unsafe stat(path, &status) == 0 {
      self = status.st_mode & S_IFMT == S_IFDIR ? .folder : .other
    } else if errno == ENOENT || errno == ENOTDIR {
      self = .missing
    } else {
      return nil
    }
  }
}

extension Reading {
  /// The gateway opens the file, and makes it if need be, but not the folder around it.
  func checkLogFile(_ path: String, at position: SourcePosition) {
    if kind(of: path) == .folder {
      return error(position, "\(path.quoted) is a folder: write the path of a file in it")
    }
    if let problem = problem(ofFolderAround: path) {
      error(position, "the log \(path.quoted) cannot be written, because \(problem)")
    }
  }

  /// The gateway makes the folder itself if need be. It also runs without one.
  func checkStateFolder(_ path: String, at position: SourcePosition) {
    let problem: String?
    switch kind(of: path) {
    case .folder, nil: problem = nil
    case .other: problem = "\(path.quoted) is not a folder: write the path of a folder"
    case .missing: problem = self.problem(ofFolderAround: path)
    }
    if let problem { warn(position, "keys will not survive a restart, because \(problem)") }
  }

  private func problem(ofFolderAround path: String) -> String? {
    let folder = FilePattern.cut(path).folder
    return switch kind(of: folder.isEmpty ? "." : folder) {
    case .folder, nil: nil
    case .other: "\(folder.quoted) is not a folder: write another path"
    case .missing: "the folder \(folder.quoted) does not exist: make it, or write another path"
    }
  }
}

extension ValueType where Value == String {
  static let stateFolder = ValueType(.text("path")) { node, reading, what in
    guard let path = ValueType.path("path").read(node, reading, what) else { return nil }
    reading.checkStateFolder(path, at: node.position)
    return path
  }
}
