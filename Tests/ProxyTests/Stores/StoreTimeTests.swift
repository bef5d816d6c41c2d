// What a worker does when Redis is late, silent or gone, on time that is a value.

import Testing

@testable import Proxy

@Suite("A store and the time")
struct StoreTimeTests {
  private func peer(onFailure: String = "refuse") throws -> StorePeer {
    let peer = try StorePeer(limit: "requests: 100, per: 1s, on_failure: \(onFailure)")
    try peer.greet()
    return peer
  }

  @Test("A request waits for no longer than timeout, and the late reply is nobody's")
  func late() throws {
    let peer = try peer()
    let first = peer.request()
    #expect(try peer.takenCounts() == [1])
    peer.bench.wait(.milliseconds(100))
    #expect(first.text.isEmpty)
    peer.bench.wait(.milliseconds(200))
    #expect(status(first.text) == 503 && code(first.text) == "limit_store_unavailable")
    let second = peer.request()
    #expect(try peer.takenCounts() == [1])
    // To the first one: it would refuse.
    try peer.reply(taken: 0, debt: 1000)
    #expect(second.text.isEmpty)
    try peer.reply(taken: 1)
    #expect(status(second.text) == 204)
    let counts = peer.bench.worker.counters.copy()
    #expect(counts.errors["limit_store_unavailable"] == 1)
    #expect(peer.bench.storeReports.map(\.change) == [])
  }

  @Test("After five commands without a reply nobody waits, until the server answers a probe a second later")
  func circuit() throws {
    let peer = try peer()
    let waiting = (0..<4).map { _ in peer.request() }
    peer.bench.wait(.milliseconds(300))
    #expect(waiting.map { status($0.text) } == [503, 503, 503, 503])
    let last = peer.request()
    peer.bench.wait(.milliseconds(100))
    #expect(last.text.isEmpty)
    #expect(try peer.redis().isOpen)
    peer.bench.wait(.milliseconds(200))
    #expect(status(last.text) == 503)
    #expect(try peer.redis().isAborted)
    #expect(peer.bench.storeReports.map(\.change) == [.down("commands had no reply in time")])
    // Nobody waits, and nobody connects.
    #expect(peer.status() == 503)
    #expect(peer.bench.servers.count == 1)
    peer.bench.wait(.milliseconds(800))
    #expect(peer.bench.servers.count == 1)
    peer.bench.wait(.milliseconds(300))
    #expect(peer.bench.servers.count == 2)
    // It is tried, and nobody waits for that either.
    #expect(peer.status() == 503)
    try peer.greet()
    #expect(peer.bench.storeReports.map(\.change).last == .up)
    let next = peer.request()
    #expect(try peer.takenCounts() == [1])
    try peer.reply(taken: 1)
    #expect(status(next.text) == 204)
  }

  @Test("A reply in between begins the count of those without one anew")
  func replyBetween() throws {
    let peer = try peer()
    for _ in 0..<3 {
      let waiting = (0..<4).map { _ in peer.request() }
      peer.bench.wait(.milliseconds(300))
      #expect(waiting.map { status($0.text) } == [503, 503, 503, 503])
      for _ in waiting { try peer.reply(taken: 1) }
      let next = peer.request()
      try peer.reply(taken: 1)
      #expect(status(next.text) == 204)
    }
    #expect(peer.bench.servers.count == 1)
    #expect(peer.bench.storeReports.isEmpty)
  }

  @Test("A server that is silent when it is greeted is left after a second, and tried again a second later")
  func silentGreeting() throws {
    let peer = try StorePeer(limit: "requests: 100, per: 1s, on_failure: refuse")
    let waiting = peer.request()
    peer.bench.wait(.milliseconds(300))
    #expect(status(waiting.text) == 503)
    peer.bench.wait(.milliseconds(800))
    #expect(try peer.redis().isAborted)
    #expect(peer.bench.storeReports.map(\.change) == [.down("the server did not greet in time")])
    for attempt in 2...5 {
      peer.bench.wait(.milliseconds(1000))
      #expect(peer.bench.servers.count == attempt)
      try peer.redis().reset()
    }
    #expect(peer.bench.storeReports.count == 1)
  }

  @Test("An idle connection is asked every five seconds whether it lives, and left when it does not answer")
  func probe() throws {
    let peer = try peer()
    for _ in 0..<3 {
      peer.bench.wait(.milliseconds(5100))
      #expect(try peer.redis().take() == "*1\r\n$4\r\nPING\r\n")
      try peer.redis().send("+PONG\r\n")
    }
    peer.bench.wait(.milliseconds(5600))
    #expect(try peer.redis().isAborted)
    #expect(peer.bench.storeReports.map(\.change) == [.down("commands had no reply in time")])
  }

  @Test("A lost connection ends the wait of all at once, and one that was made again serves the next")
  func lost() throws {
    let peer = try peer(onFailure: "allow")
    let waiting = (0..<3).map { _ in peer.request() }
    try peer.redis().reset()
    #expect(waiting.map { status($0.text) } == [204, 204, 204])
    #expect(peer.bench.servers.count == 2)
    let next = peer.request()
    #expect(next.text.isEmpty)
    try peer.greet()
    #expect(try peer.takenCounts() == [1])
    try peer.reply(taken: 1)
    #expect(status(next.text) == 204)
    #expect(peer.bench.storeReports.isEmpty)
  }

  @Test("on_failure: local counts here while Redis is late")
  func local() throws {
    let peer = try StorePeer(limit: "requests: 4, per: 1h, on_failure: local, instances: 2")
    try peer.greet()
    let waiting = (0..<3).map { _ in peer.request() }
    peer.bench.wait(.milliseconds(300))
    #expect(waiting.map { status($0.text) } == [204, 204, 429])
  }
}
