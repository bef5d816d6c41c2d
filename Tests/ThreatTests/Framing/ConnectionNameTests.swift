// Connection names fields that are not passed on: few names, each read once (T74).

import TestSupport
import Testing

@Suite("Names in Connection")
struct ConnectionNameTests {
  @Test("T74 A request whose Connection fields name more than 32 is refused, and fewer take all that they name away")
  func requests() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await Self.start(before: upstream)
    let named = (0..<32).map { "X-\($0): 1" }
    let few = "Connection: " + (0..<32).map { "x_\($0)" }.joined(separator: ",")
    let passed = try await gateway.get("/", [few] + named + ["X-Kept: 1"])
    #expect(passed.status == 200 && passed.text.contains("X-Kept: 1") && !passed.text.contains("X-0"))
    for more in [few + ",close", few.replacing("x_0,", with: "x_0,x_0,"), few + "\r\nConnection: x"] {
      let refused = try await gateway.get("/", [more] + named)
      #expect(refused.status == 400 && refused.code == "connection_invalid")
    }
    let long = "Connection: " + Array(repeating: "a", count: 12_000).joined(separator: ",")
    #expect(try await gateway.get("/", [long] + named).code == "connection_invalid")
    #expect(upstream.requests.count == 1)
  }

  @Test("T74 An answer whose Connection fields name more than 32 is none, and fewer take all that they name away")
  func answers() async throws {
    let named = (0..<32).map { "X-\($0): 1" }
    let few = "Connection: " + (0..<32).map { "x-\($0)" }.joined(separator: ",")
    let lines = Monitor([few] + named)
    let upstream = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        let fields = lines.current.joined(separator: "\r\n")
        try await connection.send("HTTP/1.1 200 OK\r\n\(fields)\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")
      }
    }
    let gateway = try await Self.start(before: upstream)
    let passed = try await gateway.get("/")
    #expect(passed.status == 200 && passed["X-Kept"] == "1" && passed["X-0"] == nil && passed["X-31"] == nil)
    lines.update { $0.append("Connection: y") }
    #expect(try await gateway.get("/").status == 502)
  }

  private static func start(before upstream: TestUpstream) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
  }
}
