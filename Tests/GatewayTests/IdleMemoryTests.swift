// What a client costs that is connected and asks for nothing: memory is all of it, and there may be ten thousands of
// them.

import TestSupport
import Testing

@Suite("Memory of idle connections")
struct IdleMemoryTests {
  @Test("A kept connection between two requests holds some 500 bytes, and no memory for answers")
  func growth() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "workers: 1"))
    // Few enough for the descriptors that a process has everywhere.
    let (warm, counted) = (100, 700)
    var clients: [RawClient] = []
    for _ in 0..<warm {
      clients.append(try await gateway.connect())
      #expect(try await clients[clients.count - 1].get("/").status == 200)
    }
    let before = try gateway.anonymousByteCount()
    for _ in 0..<counted {
      clients.append(try await gateway.connect())
      #expect(try await clients[clients.count - 1].get("/").status == 200)
    }
    let growth = (try gateway.anonymousByteCount() - before) / counted
    #expect(growth < 640, "\(growth) bytes for each connection")
    #expect(growth > 100, "they are all there")
    for client in clients { client.close() }
  }
}
