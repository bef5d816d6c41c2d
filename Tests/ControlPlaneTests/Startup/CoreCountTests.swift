// `workers: auto` in words of the kernel.

import Testing

@testable import ControlPlane

@Suite("Cores")
struct CoreCountTests {
  @Test(
    "The kernel's list of allowed cores is counted",
    arguments: [("0", 1), ("0-3", 4), ("0-1,4,6-7", 5), ("", nil), ("x", nil), ("3-1", nil)] as [(String, Int?)])
  func list(_ list: String, _ expected: Int?) {
    #expect(CoreCount.allowed(in: "Name:\tcatraca\nCpus_allowed_list:\t\(list)\nMems_allowed:\t1\n") == expected)
  }

  @Test(
    "The smallest CPU quota of the process's cgroups counts, rounded up",
    arguments: [
      (["": "max 100000\n", "/unit": "50000 100000\n"], 1), (["/unit": "150000 100000\n"], 2),
      (["": "300000 100000\n", "/unit": "max 100000\n"], 3), (["/unit": "200000 100000\n"], 2),
      (["/unit": "max 100000\n"], nil), (["/unit": "0 0\n"], nil), (["/unit": "x\n"], nil), ([:], nil),
    ] as [([String: String], Int?)])
  func quota(_ files: [String: String], _ expected: Int?) {
    let groups = ControlGroups("cpu") { path in
      switch path {
      case "/proc/self/cgroup": "0::/unit\n"
      case "/proc/self/mountinfo": "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
      default: files[String(path.dropFirst("/sys/fs/cgroup".count).replacing("/cpu.max", with: ""))]
      }
    }
    #expect(CoreCount.quota(in: groups) == expected)
  }

  @Test("A CPU quota of version 1 counts, and -1 is none", arguments: [("250000", 3), ("-1", nil)] as [(String, Int?)])
  func oldQuota(_ quota: String, _ expected: Int?) {
    let groups = ControlGroups("cpu") { path in
      switch path {
      case "/proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n"
      case "/proc/self/mountinfo": "34 31 0:30 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
      case "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota + "\n"
      case "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"
      default: nil
      }
    }
    #expect(CoreCount.quota(in: groups) == expected)
  }

  @Test("There is always a core")
  func available() { #expect(CoreCount.available >= 1) }
}
