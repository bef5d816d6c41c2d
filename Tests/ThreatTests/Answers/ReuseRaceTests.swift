// A kept upstream connection that is closed just as it is used again: the request is sent once more where that is safe.

import TestSupport
import Testing

@Suite("Reuse races")
struct ReuseRaceTests {
  @Test(
    "T71 150 GETs that race with an upstream closing its kept connections are all answered 200",
    arguments: [false, true])
  func closingAfterAnswer(isReset: Bool) async throws {
    let upstream = try await TestUpstream.start { connection in
      // Some connections serve one request, some two or three. None says that it will close.
      for _ in 0...(connection.number % 3) {
        let request = try await connection.receiveRequest()
        try await connection.answer("ok", to: request)
      }
      if isReset { try await connection.reset() }
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    let statuses = try await withThrowingTaskGroup(of: [Int].self) { group in
      for number in 1...3 {
        group.addTask {
          let client = try await gateway.connect()
          var statuses: [Int] = []
          for count in 1...50 { statuses.append(try await client.get("/\(number)/\(count)").status) }
          return statuses
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(statuses == [Int](repeating: 200, count: 150))
    #expect(upstream.requests.count >= 150)
  }
}
