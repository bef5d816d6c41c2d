// How much memory the process may use: what the machine has, or less where a cgroup says so (version 1 or 2). Defaults
// that take a share of the memory are reckoned from here, so that a small container is not killed by them.

import Glibc

enum MemoryAllowance {
  /// In bytes. `Int.max` where it is unknown.
  static var byteCount: Int {
    let files = SystemFiles()
    let limit = byteCount { path in
      (try? files.read(path, byteCountMax: 1024 * 1024)).map { String(decoding: $0, as: UTF8.self) }
    }
    let pageCount = sysconf(CInt(_SC_PHYS_PAGES))
    let pageByteCount = sysconf(CInt(_SC_PAGESIZE))
    guard pageCount > 0, pageByteCount > 0 else { return limit }
    return min(limit, pageCount.multipliedReportingOverflow(by: pageByteCount).partialValue)
  }

  /// The smallest limit of the process's cgroups and those above them. `Int.max` without one.
  /// - Parameter read: a file's text. Nil where it cannot be read.
  static func byteCount(read: (String) -> String?) -> Int {
    guard let own = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return .max }
    var smallest = Int.max
    for line in own.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || parts[1].split(separator: ",").contains("memory"),
        let mount = mount(in: mounts, isSecond: isSecond)
      else { continue }
      let file = isSecond ? "memory.max" : "memory.limit_in_bytes"
      for folder in folders(of: parts[2], in: mount) {
        // `max`, or a number so large that it is none.
        let text = read("\(folder)/\(file)")?.split(separator: "\n").first
        if let limit = text.flatMap({ Int($0) }), limit > 0 { smallest = min(smallest, limit) }
      }
    }
    return smallest
  }

  /// Where cgroups with limits of memory are mounted, and which of them is the mount's root.
  private static func mount(in mounts: String, isSecond: Bool) -> (point: Substring, root: Substring)? {
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else { continue }
      let isRight =
        isSecond
        ? fields[dash + 1] == "cgroup2"
        : fields[dash + 1] == "cgroup" && fields[dash + 3].split(separator: ",").contains("memory")
      if isRight { return (fields[4], fields[3]) }
    }
    return nil
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
