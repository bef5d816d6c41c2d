// How many workers `workers: auto` means: as many as there are cores for this process.

import NIOCore

enum CoreCount {
  /// The cores that the process may run on (its affinity, as taskset or a container sets it), or fewer where a quota of
  /// its cgroup allows no more at once.
  static var available: Int {
    let status = (try? SystemFiles().read("/proc/self/status", byteCountMax: 64 * 1024)) ?? []
    let allowed = allowed(in: String(decoding: status, as: UTF8.self)) ?? System.coreCount
    return min(System.coreCount, allowed, quota(in: .live("cpu")) ?? System.coreCount)
  }

  /// How many cores the smallest quota of the process's cgroups, and those above them, is worth, rounded up. Nil
  /// without one.
  static func quota(in groups: ControlGroups) -> Int? {
    var smallest: Int?
    for folder in groups.folders() {
      let limits =
        folder.isSecond
        ? groups.numbers(in: "\(folder.path)/cpu.max")
        : ["quota", "period"].map { groups.numbers(in: "\(folder.path)/cpu.cfs_\($0)_us").first ?? nil }
      guard limits.count == 2, let quota = limits[0], let period = limits[1], quota > 0, period > 0 else { continue }
      smallest = min(smallest ?? .max, (quota - 1) / period + 1)
    }
    return smallest
  }

  /// The number of cores in the line `Cpus_allowed_list: 0-3,8`. Nil where there is none.
  static func allowed(in status: String) -> Int? {
    // By bytes: the file is long, and is read at each start.
    let lines = status.utf8.split(separator: UInt8(ascii: "\n"))
    guard let line = lines.first(where: { $0.starts(with: "Cpus_allowed_list:".utf8) }).map(Substring.init) else {
      return nil
    }
    var count = 0
    for part in line.drop(while: { $0 != ":" }).dropFirst().split(separator: ",") {
      let ends = part.filter { !$0.isWhitespace }.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last, ends.count <= 2 else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }
}
