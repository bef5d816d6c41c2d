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
    let batch = 100
    var clients: [RawClient] = []
    var sizes: [Int] = []
    for _ in 0..<8 {
      for _ in 0..<batch {
        clients.append(try await gateway.connect())
        #expect(try await clients[clients.count - 1].get("/").status == 200)
      }
      sizes.append(try gateway.anonymousByteCount())
    }
    // But for the largest: what else the process takes for itself meanwhile falls into one of the batches.
    let growths = zip(sizes.dropFirst(), sizes).map { ($0 - $1) / batch }.sorted()
    let growth = growths.dropLast().reduce(0, +) / (growths.count - 1)
    #expect(growth < 640, "\(growths) bytes for each connection")
    #expect(growth > 100, "they are all there: \(growths)")
    for client in clients { client.close() }
  }
}
