// How much memory the process may use: what the machine has, or less where a cgroup says so. Defaults that take a share
// of the memory are reckoned from here, so that a small container is not killed by them.

import Glibc

enum MemoryAllowance {
  /// In bytes. `Int.max` where it is unknown.
  static var byteCount: Int {
    let limit = byteCount(in: .live("memory"))
    let pageCount = sysconf(CInt(_SC_PHYS_PAGES))
    let pageByteCount = sysconf(CInt(_SC_PAGESIZE))
    guard pageCount > 0, pageByteCount > 0 else { return limit }
    return min(limit, pageCount.multipliedReportingOverflow(by: pageByteCount).partialValue)
  }

  /// The smallest limit of the process's cgroups and those above them. `Int.max` without one.
  static func byteCount(in groups: ControlGroups) -> Int {
    var smallest = Int.max
    for folder in groups.folders() {
      let file = folder.isSecond ? "memory.max" : "memory.limit_in_bytes"
      // `max`, or a number so large that it is none.
      if let limit = groups.numbers(in: "\(folder.path)/\(file)").first ?? nil, limit > 0 {
        smallest = min(smallest, limit)
      }
    }
    return smallest
  }
}
