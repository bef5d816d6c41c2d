// The end of a connection whose client is slow: all of the answer arrives, or the client can see that it does not.

import Testing

@testable import Proxy

@Suite("Slow ends")
struct SlowEndTests {
  static let page = String(repeating: "x", count: 50 * 1024)

  @Test("A client that reads slowly gets all of the answer that ends its connection early")
  func slowLinger() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 100
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 100000") + "x")
    try bench.server().send(ok(Self.page))
    for _ in 0..<3 {
      bench.wait(.seconds(20))
      #expect(!client.isGone)
      client.read(20 * 1024)
    }
    #expect(body(of: client.text).utf8.count == Self.page.utf8.count && client.isOutputClosed)
    bench.wait(.milliseconds(2200))
    #expect(client.isAborted, "the linger begins when the answer is taken")
    bench.expectNothingHeld()
  }

  @Test("A client that takes nothing of such an answer does not hold its connection open")
  func stalledLinger() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 100
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 100000") + "x")
    try bench.server().send(ok(Self.page))
    bench.wait(.seconds(61))
    #expect(client.isAborted)
    bench.expectNothingHeld()
  }

  @Test("A client that reads slowly gets all of the answer behind which the connection closes")
  func slowClose() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 100
    client.send(get("/", "Connection: close"))
    try bench.server().send(ok(Self.page))
    for _ in 0..<3 {
      bench.wait(.seconds(25))
      #expect(!client.isGone)
      client.read(20 * 1024)
    }
    #expect(body(of: client.text).utf8.count == Self.page.utf8.count && client.isClosed)
    bench.expectNothingHeld()
  }

  @Test("T61 An HTTP/1.0 client that is cut off before its body's end is shown so by a reset")
  func stalledOldClient() throws {
    for isComplete in [true, false] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.room = 100
      client.send(head("GET / HTTP/1.0"))
      try bench.server().send(head("HTTP/1.1 200 OK") + Self.page)
      if isComplete { try bench.server().end() }
      bench.wait(.seconds(61))
      #expect(client.isAborted && client.connection.isResetWanted, "complete: \(isComplete)")
      bench.expectNothingHeld()
    }
  }

  @Test("T61 A drain that runs out of time resets an HTTP/1.0 client whose body is not complete")
  func drainedOldClient() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("GET / HTTP/1.0"))
    try bench.server().send(head("HTTP/1.1 200 OK") + "abc")
    bench.act { $0.drain() }
    bench.act { $0.abortAll() }
    #expect(client.isAborted && client.connection.isResetWanted && bench.isDrained)
    bench.expectNothingHeld()
  }

  @Test("A drain that runs out of time does not wait for a closing connection whose client takes nothing")
  func drainedClosing() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 5
    client.send(get("/", "Connection: close"))
    try bench.server().send(ok())
    bench.act { $0.drain() }
    #expect(!client.isGone && !bench.isDrained)
    bench.act { $0.abortAll() }
    #expect(client.isAborted && bench.isDrained)
    bench.expectNothingHeld()
  }
}
