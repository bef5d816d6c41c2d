// Limits of the process's cgroups and of those above them, of version 1 and 2. A unit of systemd has its own below the
// root, a container sees its own as the root.

/// One kind of resource, by what both versions call it.
struct ControlGroups {
  /// `memory` or `cpu`.
  let controller: String
  /// A file's text. Nil where it cannot be read.
  let read: (String) -> String?

  init(_ controller: String, read: @escaping (String) -> String?) {
    self.controller = controller
    self.read = read
  }

  /// From the machine.
  static func live(_ controller: String) -> ControlGroups {
    let files = SystemFiles()
    return ControlGroups(controller) { path in
      (try? files.read(path, byteCountMax: 1024 * 1024)).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// The folders with files about this resource, each with the version of its kind.
  func folders() -> [(path: String, isSecond: Bool)] {
    guard let own = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return [] }
    var found: [(path: String, isSecond: Bool)] = []
    for line in Self.pieces(own[...], "\n") {
      let parts = line.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        .map(Substring.init)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || Self.pieces(parts[1], ",").contains(Substring(controller)),
        let mount = mount(in: mounts, isSecond: isSecond)
      else { continue }
      found += Self.folders(of: parts[2], in: mount).map { ($0, isSecond) }
    }
    return found
  }

  /// The numbers in the first line of a folder's file. Nil for `max` or another word.
  func numbers(in path: String) -> [Int?] {
    let line = read(path)?.split(separator: "\n").first ?? ""
    return line.split(separator: " ").map { Int($0) }
  }

  /// Where these cgroups are mounted, and which of them is the mount's root.
  private func mount(in mounts: String, isSecond: Bool) -> (point: Substring, root: Substring)? {
    for line in Self.pieces(mounts[...], "\n") {
      let fields = Self.pieces(line, " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else { continue }
      let isRight =
        isSecond
        ? fields[dash + 1] == "cgroup2"
        : fields[dash + 1] == "cgroup" && Self.pieces(fields[dash + 3], ",").contains(Substring(controller))
      if isRight { return (fields[4], fields[3]) }
    }
    return nil
  }

  /// By bytes: the files are long and are read at each start.
  private static func pieces(_ text: Substring, _ separator: Unicode.Scalar) -> [Substring] {
    text.utf8.split(separator: UInt8(ascii: separator)).map(Substring.init)
  }

  /// The folders of the cgroup and of those above it. A container often sees its own as the root, whatever its path
  /// says.
  private static func folders(of path: Substring, in mount: (point: Substring, root: Substring)) -> [String] {
    var below = path.split(separator: "/")
    let root = mount.root.split(separator: "/")
    if below.starts(with: root) { below.removeFirst(root.count) }
    // A path can lead out of what is mounted: then only the root of the mount is ours to see.
    if below.contains("..") { below = [] }
    return (0...below.count).map { count in
      ([String(mount.point)] + below.prefix(count).map(String.init)).joined(separator: "/")
    }
  }
}
