// Reading the file touches much of the program that requests do not need, and that would stay in memory for nothing.

import Glibc
import TestSupport
import Testing

@Suite("Memory after the start")
struct StartMemoryTests {
  @Test("A gateway that is ready, or has read its file again, holds less than it held while it read")
  func codeIsGivenBack() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "workers: 1"))
    try await waitUntilSmall(gateway)
    let client = try await gateway.connect()
    #expect(try await client.get("/").status == 200)
    gateway.signal(SIGHUP)
    _ = try await gateway.waitForLog("the reload") { $0.contains("reloaded") }
    try await waitUntilSmall(gateway)
  }

  private func waitUntilSmall(_ gateway: GatewayProcess) async throws {
    try await gateway.waitUntil("the code to be given back") {
      try gateway.residentByteCount() < gateway.residentByteCount(.peak) / 8 * 7
    }
  }
}
