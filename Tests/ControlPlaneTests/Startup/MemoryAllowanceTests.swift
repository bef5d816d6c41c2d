// The memory that a process may use, in words of the kernel: both versions of cgroups, alone and side by side.

import Testing

@testable import ControlPlane

@Suite("Memory that the process may use")
struct MemoryAllowanceTests {
  private static let second = "30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  private static let first =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    + "34 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    + "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"

  private func allowance(_ cgroup: String, _ mounts: String, _ files: [String: String]) -> Int {
    let groups = ControlGroups("memory") { path in
      switch path {
      case "/proc/self/cgroup": cgroup
      case "/proc/self/mountinfo": mounts
      default: files[path]
      }
    }
    return MemoryAllowance.byteCount(in: groups)
  }

  @Test("T121: The smallest limit of a cgroup of version 2 and those above it counts")
  func second() {
    let files = [
      "/sys/fs/cgroup/a/memory.max": "67108864\n", "/sys/fs/cgroup/a/b/memory.max": "max\n",
      "/sys/fs/cgroup/a/b/c/memory.max": "134217728\n",
    ]
    #expect(allowance("0::/a/b/c\n", Self.second, files) == 67_108_864)
    #expect(allowance("0::/a\n", Self.second, ["/sys/fs/cgroup/a/memory.max": "max\n"]) == .max)
  }

  @Test("T121: A limit of version 1 counts, and its number for none is none")
  func first() {
    let cgroup = "5:cpu,cpuacct:/x\n4:memory:/small\n0::/\n"
    let file = "/sys/fs/cgroup/memory/small/memory.limit_in_bytes"
    #expect(allowance(cgroup, Self.first, [file: "67108864\n"]) == 67_108_864)
    #expect(allowance(cgroup, Self.first, [file: "9223372036854771712\n"]) > 1 << 60)
  }

  @Test("T121: A container that sees its own cgroup as the root has that one's limit")
  func container() {
    let mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    let file = ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n"]
    #expect(allowance("4:memory:/docker/abc\n", mounts, file) == 1_000_000)
    #expect(allowance("0::/../other\n", Self.second, ["/sys/fs/cgroup/memory.max": "2000000\n"]) == 2_000_000)
  }

  @Test("T121: Where nothing can be read there is no limit", arguments: ["", "0::/", "x", "4:memory:", "::::"])
  func nothing(_ cgroup: String) {
    #expect(allowance(cgroup, "", [:]) == .max)
    #expect(allowance(cgroup, "a b - c\n - \n", [:]) == .max)
    #expect(MemoryAllowance.byteCount > 16 << 20)
  }
}
