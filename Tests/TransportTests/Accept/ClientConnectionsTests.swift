// How many connections a client has, over all workers: an admission counts for as long as it is held.

import Proxy
import Testing

@testable import Transport

@Suite("Connections of each client")
struct ClientConnectionsTests {
  private let first = PeerAddress(high: 0, low: 1)
  private let second = PeerAddress(high: 0, low: 2)

  @Test("A client gets as many as it may, whatever others have")
  func limits() {
    let connections = ClientConnections()
    #expect(connections.enter(first, max: 2))
    #expect(connections.enter(first, max: 2))
    #expect(!connections.enter(first, max: 2))
    #expect(connections.enter(second, max: 2))
    connections.leave(first)
    #expect(connections.enter(first, max: 2))
  }

  @Test("An admission counts for as long as somebody holds it")
  func admissions() {
    let connections = ClientConnections()
    #expect(connections.enter(first, max: 1))
    var admission: Admission? = Admission(first, connections)
    #expect(!connections.enter(first, max: 1))
    withExtendedLifetime(admission) {}
    admission = nil
    #expect(connections.enter(first, max: 1))
  }

  @Test("One who leaves more often than it came does not make room for others")
  func leavesTwice() {
    let connections = ClientConnections()
    connections.leave(first)
    connections.leave(first)
    #expect(connections.enter(first, max: 1))
    #expect(!connections.enter(first, max: 1))
  }

  @Test("An admission that nobody counts takes nothing")
  func uncounted() {
    let connections = ClientConnections()
    for _ in 0..<3 { withExtendedLifetime(Admission.uncounted) {} }
    #expect(connections.enter(PeerAddress(high: 0, low: 0), max: 1))
  }
}
