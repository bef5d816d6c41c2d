// What the kernel knows of this process, for the metrics that Prometheus' own client libraries have too. Read from
// /proc for each scrape.

import FoundationEssentials
import Glibc

package struct ProcessMetrics: Sendable, Equatable {
  /// User and system time.
  var processorSeconds: Double
  var openDescriptorCount: Int
  var descriptorCountMax: Int
  var virtualByteCount: Int
  var residentByteCount: Int
  /// Since 1970.
  var startSeconds: Double

  /// What the kernel says in its own units.
  struct Units {
    var ticksPerSecond: Int
    var pageByteCount: Int

    static let current = Units(ticksPerSecond: sysconf(CInt(_SC_CLK_TCK)), pageByteCount: sysconf(CInt(_SC_PAGESIZE)))
  }

  /// Nil where there is no /proc. Off the actor that asks: a folder of many descriptors takes a while.
  @concurrent
  static func current() async -> ProcessMetrics? {
    guard let status = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let system = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
      let openDescriptorCount = countDescriptors()
    else { return nil }
    return ProcessMetrics(
      status: status, system: system, openDescriptorCount: openDescriptorCount,
      descriptorCountMax: MachineLimits.current.descriptorCount, .current)
  }

  /// - Parameters:
  ///   - status: /proc/self/stat, with times in ticks and resident memory in pages.
  ///   - system: /proc/stat, which says when the machine started.
  init?(status: String, system: String, openDescriptorCount: Int, descriptorCountMax: Int, _ units: Units) {
    // The program's name, which may contain anything, ends with the last bracket.
    guard let nameEnd = status.lastIndex(of: ")"), units.ticksPerSecond > 0 else { return nil }
    let numbers = status[nameEnd...].split(whereSeparator: \.isWhitespace).dropFirst(2).map { Double($0) }
    let bootLine = system.split(separator: "\n").first { $0.hasPrefix("btime ") }
    guard numbers.count > 20, let user = numbers[10], let kernel = numbers[11], let start = numbers[18],
      let virtual = numbers[19], let pages = numbers[20], let boot = bootLine.flatMap({ Double($0.dropFirst(6)) })
    else { return nil }
    let ticks = Double(units.ticksPerSecond)
    processorSeconds = (user + kernel) / ticks
    self.openDescriptorCount = openDescriptorCount
    self.descriptorCountMax = descriptorCountMax
    virtualByteCount = Int(exactly: virtual) ?? .max
    residentByteCount = Int(exactly: pages * Double(units.pageByteCount)) ?? .max
    startSeconds = boot + start / ticks
  }

  /// Newer kernels give the count as the folder's size. Others have to be asked for every name, of which one is the
  /// folder's own.
  private static func countDescriptors() -> Int? {
    let path = "/proc/self/fd"
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    if let size = attributes?[.size] as? Int, size > 0 { return size }
    return (try? FileManager.default.contentsOfDirectory(atPath: path)).map { $0.count - 1 }
  }
}

extension MetricsPage {
  func writeProcess(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.processTime)
    if let process { writer.sample([], seconds: process.processorSeconds) }
    writer.family(.openDescriptors)
    if let process { writer.sample([], gauge: process.openDescriptorCount) }
    writer.family(.descriptorLimit)
    if let process { writer.sample([], gauge: process.descriptorCountMax) }
    writer.family(.virtualMemory)
    if let process { writer.sample([], gauge: process.virtualByteCount) }
    writer.family(.residentMemory)
    if let process { writer.sample([], gauge: process.residentByteCount) }
    writer.family(.startTime)
    if let process { writer.sample([], seconds: process.startSeconds) }
  }
}
