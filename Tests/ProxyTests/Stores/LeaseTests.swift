// Requests that a worker takes out of a fleet's bucket at once: how many, how long it may spend them, and what they let
// through.

import Testing

@testable import Proxy

@Suite("Leases")
struct LeaseTests {
  /// A bucket that fills in ten seconds: a lease lasts one.
  private func peer(_ more: String = "lease: 8, on_failure: refuse") throws -> StorePeer {
    let peer = try StorePeer(store: "timeout: 5s", limit: "requests: 1000, per: 10s, \(more)")
    try peer.greet()
    return peer
  }

  /// Makes the caller one that is quick: the worker takes 1, 2, 4 and then 8 at once.
  private func warmUp(_ peer: StorePeer) throws {
    for count in [1, 2, 4, 8] {
      let client = peer.request()
      #expect(try peer.takenCounts() == [count])
      try peer.reply(taken: count)
      #expect(status(client.text) == 204)
      if count < 8 { for _ in 1..<count { #expect(peer.status() == 204) } }
    }
  }

  @Test("A caller who goes on quickly has twice as many taken each time, and more before they are spent")
  func growing() throws {
    let peer = try peer()
    try warmUp(peer)
    // Seven are left. At four the next ones are asked for, and nobody waits.
    for _ in 0..<2 { #expect(peer.status() == 204) }
    #expect(try peer.takenCounts() == [])
    #expect(peer.status() == 204)
    #expect(try peer.takenCounts() == [8])
    for _ in 0..<4 { #expect(peer.status() == 204) }
    #expect(try peer.takenCounts() == [])
    // All are spent before the answer: the next one takes as many again, and others their own.
    let waiting = (0..<8).map { _ in peer.request() }
    #expect(try peer.takenCounts() == [8, 8, 8, 8, 8, 8, 8, 1])
    try peer.reply(taken: 8)
    #expect(waiting[0].text.isEmpty)
    for _ in 0..<7 { try peer.reply(taken: 8) }
    try peer.reply(taken: 1)
    #expect(waiting.allSatisfy { status($0.text) == 204 })
    for _ in 0..<(8 + 7 * 7) { #expect(peer.status() == 204) }
  }

  @Test("A slow caller has one request taken at a time, and loses none")
  func slow() throws {
    let peer = try peer()
    for _ in 0..<5 {
      let client = peer.request()
      #expect(try peer.takenCounts() == [1])
      try peer.reply(taken: 1)
      #expect(status(client.text) == 204)
      peer.bench.wait(.milliseconds(1100))
    }
  }

  @Test("A lease ends a tenth of the bucket's time after it was asked for, and fewer are taken next")
  func end() throws {
    let peer = try peer()
    try warmUp(peer)
    peer.bench.wait(.milliseconds(900))
    #expect(peer.status() == 204)
    peer.bench.wait(.milliseconds(200))
    // Six are lost.
    let client = peer.request()
    #expect(try peer.takenCounts() == [1])
    try peer.reply(taken: 1)
    #expect(status(client.text) == 204)
  }

  @Test("The time for which a late lease may be spent counts from when it was asked for")
  func lateLease() throws {
    let peer = try peer()
    try warmUp(peer)
    for _ in 0..<7 { #expect(peer.status() == 204) }
    #expect(try peer.takenCounts() == [8])
    peer.bench.wait(.milliseconds(800))
    try peer.reply(taken: 8)
    #expect(peer.status() == 204)
    peer.bench.wait(.milliseconds(200))
    let client = peer.request()
    #expect(try peer.takenCounts() == [1])
    #expect(client.text.isEmpty)
  }

  @Test("What is left of a lease is spent while Redis is gone, and then on_failure decides")
  func gone() throws {
    let peer = try peer()
    try warmUp(peer)
    peer.bench.refusing = ["10.0.0.5:6379"]
    try peer.redis().reset()
    for _ in 0..<7 { #expect(peer.status() == 204) }
    #expect(peer.status() == 503)
  }

  @Test("A caller whose bucket is empty spends what is left of a lease, and is then refused without a command")
  func empty() throws {
    let peer = try peer()
    try warmUp(peer)
    for _ in 0..<3 { #expect(peer.status() == 204) }
    #expect(try peer.takenCounts() == [8])
    try peer.reply(taken: 0, debt: 10_000)
    for _ in 0..<4 { #expect(peer.status() == 204) }
    for _ in 0..<3 { #expect(peer.status() == 429) }
    #expect(try peer.takenCounts() == [])
  }

  @Test("Callers who are quick and then gone are forgotten")
  func forgotten() throws {
    var table = LeaseTable()
    let limiter = RateLimiter(requests: 1, per: .seconds(1), burst: 1, keyCount: 1)
    for bucket in 0..<UInt64(LeaseTable.countMax + 5) {
      var lease = Lease()
      let asks = lease.asks(at: 0, sizeMax: 4)
      #expect(asks)
      let isSet = table.set(lease, for: LeaseKey(limit: ObjectIdentifier(limiter), bucket: bucket), at: 0)
      #expect(isSet == (bucket < LeaseTable.countMax))
    }
    #expect(table.count == LeaseTable.countMax)
    table.sweep(at: 2_000_000_000)
    #expect(table.count == 0)
  }
}
