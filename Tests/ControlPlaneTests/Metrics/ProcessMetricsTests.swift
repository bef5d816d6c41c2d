// What the kernel says of the process is read as it means it.

import Testing

@testable import ControlPlane

@Suite("Metrics of the process")
struct ProcessMetricsTests {
  private static let units = ProcessMetrics.Units(ticksPerSecond: 100, pageByteCount: 4096)
  private static let status = """
    4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 20 0 8 0 500 104857600 1000 18446744073709551615 1 1 0

    """

  private func read(_ status: String, _ system: String = "cpu 1 2\nbtime 1700000000\n") -> ProcessMetrics? {
    ProcessMetrics(status: status, system: system, openDescriptorCount: 9, descriptorCountMax: 99, Self.units)
  }

  @Test("Ticks are seconds, pages are bytes, and the start counts from the machine's, whatever the program is called")
  func numbers() throws {
    let metrics = try #require(read(Self.status))
    #expect(metrics.processorSeconds == 3)
    #expect(metrics.virtualByteCount == 104_857_600)
    #expect(metrics.residentByteCount == 4_096_000)
    #expect(metrics.startSeconds == 1_700_000_005)
    #expect([metrics.openDescriptorCount, metrics.descriptorCountMax] == [9, 99])
  }

  @Test(
    "What is cut or not there gives nothing",
    arguments: ["", "4711", "4711 (a) S 1 2 3", ")", "4711 (a) S 1 2 3 4 5 6 7 8 9 10 x y 13 14 20 0 8 0 500 1 1"])
  func malformed(_ status: String) {
    #expect(read(status) == nil)
    #expect(read(Self.status, "cpu 1 2\n") == nil)
    #expect(read(Self.status, "btime x\n") == nil)
  }

  @Test("This process has descriptors, memory and a start")
  func current() async throws {
    let metrics = try #require(await ProcessMetrics.current())
    #expect(metrics.openDescriptorCount > 2 && metrics.openDescriptorCount <= metrics.descriptorCountMax)
    #expect(metrics.residentByteCount > 1 << 20 && metrics.residentByteCount < metrics.virtualByteCount)
    #expect(metrics.startSeconds > 1_700_000_000)
  }
}
