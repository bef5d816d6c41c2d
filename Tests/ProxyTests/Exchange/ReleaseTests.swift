// What is done with is freed: connections after their end, configurations after the last exchange that began with them.

import Testing

@testable import Proxy

@Suite("Release")
struct ReleaseTests {
  private final class Weak<Object: AnyObject> {
    weak var object: Object?

    init(_ object: Object) { self.object = object }
  }

  /// One exchange, and both connections lost.
  private func run(_ bench: Bench) throws -> [Weak<Connection>] {
    let client = bench.connect()
    client.send(get("/1") + get("/2"))
    let server = try bench.server()
    server.send(ok())
    server.send(ok())
    let connections = [Weak(client.connection), Weak(server.connection)]
    client.reset()
    server.reset()
    bench.forgetServers()
    return connections
  }

  @Test("Connections are freed when their sockets are gone")
  func connections() throws {
    let bench = try Bench(openRoutes)
    let connections = try run(bench)
    #expect(connections.allSatisfy { $0.object == nil })
    bench.expectNothingHeld()
  }

  @Test("A configuration is freed when the last exchange that began with it is over")
  func snapshots() throws {
    let bench = try Bench(openRoutes)
    let old = Weak(bench.snapshot)
    _ = try run(bench)
    let running = bench.connect()
    running.send(get())
    try bench.reload(ReloadTests.other)
    #expect(old.object != nil, "the exchange under way needs it")
    try bench.server().send(ok())
    #expect(status(running.text) == 200)
    #expect(old.object == nil)
    bench.expectNothingHeld()
  }
}
