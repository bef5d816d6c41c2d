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

  @Test("There is always a core")
  func available() { #expect(CoreCount.available >= 1) }
}
