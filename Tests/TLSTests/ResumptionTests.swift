// Tickets: who may resume what, with which keys, and for how long.

import Bytes
import COpenSSL
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import TLS

/// A clock that a test moves.
private final class TestClock: Sendable {
  private let seconds = Mutex<Int64>(1_000)
  var now: Int64 { seconds.withLock { $0 } }
  func advance(_ count: Int64) { seconds.withLock { $0 += count } }
}

@Suite struct ResumptionTests {
  let contexts: TestContexts
  let client: ClientContext

  init() async throws {
    contexts = try await TestContexts()
    client = try contexts.client { $0.keepsSessions = true }
  }

  /// One connection. Whether it was resumed, and what may resume it.
  private func connect(
    _ server: ServerContext, host: String = "idp.test", version: Int32 = TLS1_3_VERSION,
    by client: ClientContext? = nil,
    resuming resumption: TLSResumption?
  ) throws -> (isResumed: Bool, next: TLSResumption?) {
    var ends = try Ends.make(client ?? self.client, server, host: host, resuming: resumption)
    _ = unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil)
    ends.run()
    let (areEstablished, facts) = (ends.areEstablished, ends.server.facts())
    #expect(areEstablished)
    let clientFacts = ends.client.facts()
    #expect(facts.isResumed == clientFacts.isResumed)
    return (facts.isResumed, ends.client.takeResumption())
  }

  @Test(
    "A session is resumed with a ticket, again and again, in both versions",
    arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func tickets(version: Int32) throws {
    let server = try contexts.server(.good)
    var last = try connect(server, version: version, resuming: nil)
    #expect(!last.isResumed)
    for _ in 0..<3 {
      let ticket = last.next
      #expect(ticket != nil)
      last = try connect(server, version: version, resuming: ticket)
      #expect(last.isResumed)
    }
  }

  @Test("The ticket goes at once, and behind the answer where the request came with the end of the handshake")
  func held() throws {
    let server = try contexts.server(.good)
    for sendsRequest in [false, true] {
      var ends = try Ends.make(client, server)
      _ = ends.client.handshake()
      _ = ends.server.receive(drain(&ends.client).span, into: &ends.serverText, max: .max)
      _ = ends.client.receive(drain(&ends.server).span, into: &ends.clientText, max: .max)
      let request = Array(repeating: UInt8(ascii: "q"), count: 100)
      if sendsRequest { _ = ends.writeFromClient(request) }
      _ = ends.server.receive(drain(&ends.client).span, into: &ends.serverText, max: .max)
      let atOnce = drain(&ends.server)
      #expect(atOnce.isEmpty == sendsRequest)
      let asked = ends.serverText.copied()
      #expect(asked == (sendsRequest ? request : []))
      _ = ends.writeFromServer(Array("answer".utf8))
      ends.server.writeHeldTicket()
      let behind = drain(&ends.server)
      #expect((behind.count > 100) == sendsRequest)
      ends.server.writeHeldTicket()
      let more = drain(&ends.server)
      #expect(more.isEmpty)
      _ = ends.client.receive((atOnce + behind).span, into: &ends.clientText, max: .max)
      let answered = ends.clientText.copied()
      #expect(answered == Array("answer".utf8))
      let ticket = ends.client.takeResumption()
      #expect(try connect(server, resuming: ticket).isResumed)
    }
  }

  @Test("Resumption survives new contexts that share the keys, and no others")
  func reload() throws {
    let keys = try TicketKeys()
    let first = try connect(try contexts.server(.good, tickets: keys), resuming: nil)
    let second = try connect(try contexts.server(.good, .wildcard, tickets: keys), resuming: first.next)
    #expect(second.isResumed)
    let third = try connect(try contexts.server(.good), resuming: second.next)
    #expect(!third.isResumed)
  }

  @Test("A session is offered to its own host by its own context only")
  func scope() throws {
    let server = try contexts.server(.good)
    let first = try connect(server, resuming: nil)
    #expect(try connect(server, host: "localhost", resuming: first.next).isResumed == false)
    let other = try contexts.client { $0.keepsSessions = true }
    #expect(try connect(server, by: other, resuming: first.next).isResumed == false)
    #expect(try connect(server, resuming: first.next).isResumed)
  }

  @Test("A context that keeps no sessions gives none")
  func unkept() throws {
    #expect(try connect(try contexts.server(.good), by: try contexts.client(), resuming: nil).next == nil)
  }

  @Test("Keys rotate: a new one each hour, old tickets are renewed, and refused three hours later")
  func rotation() throws {
    let clock = TestClock()
    let keys = try TicketKeys(clock: { clock.now })
    let first = try #require(keys.sealingKey())
    clock.advance(TicketKeys.sealingSeconds - 1)
    #expect(keys.sealingKey() == first)
    #expect(keys.openingKey(named: first.name)?.isOld == false)
    clock.advance(1)
    #expect(keys.openingKey(named: first.name)?.isOld == true)
    let second = try #require(keys.sealingKey())
    #expect(second != first)
    #expect(keys.sealingKey() == second)
    clock.advance(3 * TicketKeys.sealingSeconds - 1)
    #expect(keys.openingKey(named: first.name)?.key == first)
    clock.advance(1)
    #expect(keys.openingKey(named: first.name) == nil)
    #expect(keys.openingKey(named: second.name)?.isOld == true)
  }

  @Test("A ticket of an old key is taken and replaced by one of the new key")
  func renewal() throws {
    let clock = TestClock()
    let server = try contexts.server(.good, tickets: try TicketKeys(clock: { clock.now }))
    for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
      var last = try connect(server, version: version, resuming: nil)
      for _ in 0..<6 {
        clock.advance(TicketKeys.sealingSeconds + 1)
        last = try connect(server, version: version, resuming: last.next)
        #expect(last.isResumed)
      }
      clock.advance(4 * TicketKeys.sealingSeconds)
      #expect(try connect(server, version: version, resuming: last.next).isResumed == false)
    }
  }

  @Test("Keys of a file are shared by a fleet: the first seals, all of them open", arguments: [80, 48])
  func file(size: Int) throws {
    let path = contexts.certificates.file("ticket-\(size).keys")
    let (old, new) = ((0..<size).map { UInt8($0) }, (0..<size).map { UInt8($0 + 100) })
    try Data(old).write(to: URL(filePath: path))
    let first = try connect(try contexts.server(.good, tickets: try TicketKeys(file: path)), resuming: nil)
    let second = try connect(try contexts.server(.good, tickets: try TicketKeys(file: path)), resuming: first.next)
    #expect(second.isResumed)
    try Data(size == 80 ? new + old : new).write(to: URL(filePath: path))
    let third = try connect(try contexts.server(.good, tickets: try TicketKeys(file: path)), resuming: second.next)
    #expect(third.isResumed == (size == 80))
  }

  @Test("A ticket file of another size, or with a name twice, is refused", arguments: [1, 47, 79, 81, 96, 160])
  func badFile(size: Int) throws {
    let path = contexts.certificates.file("bad-\(size).keys")
    try Data(count: size).write(to: URL(filePath: path))
    #expect {
      try TLSFiles.checkTicketKeys(path)
    } throws: { error in
      (error as? TLSError)?.file == path
    }
  }

  @Test("A ticket that was changed anywhere leads to a full handshake")
  func tampered() throws {
    let server = try contexts.server(.good)
    let client = try contexts.client { $0.keepsSessions = true }
    let first = try connect(server, by: client, resuming: nil)
    for offset in [0, 20, 40, 80, 120] {
      var ends = try Ends.make(client, server, resuming: first.next)
      _ = ends.client.handshake()
      var hello = drain(&ends.client)
      // The ticket is before the binders at the hello's end.
      let index = hello.count - 60 - offset
      hello[index] ^= 1
      let outcome = ends.server.receive(hello.span, into: &ends.serverText, max: 100)
      if case .incomplete = outcome {
        let facts = ends.server.facts()
        #expect(!facts.isResumed)
      }
    }
  }
}
