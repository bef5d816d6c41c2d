// Sessions give back what they took, however they end.

import Bytes
import COpenSSL
import Synchronization
import TestSupport
import Testing

@testable import TLS

/// Counts the SSLs that were marked and are not freed yet.
private enum LiveCount {
  static let count = Atomic<Int>(0)

  /// OpenSSL calls this for each SSL that it frees. Only marked ones have a value.
  static let index = unsafe CRYPTO_get_ex_new_index(
    CRYPTO_EX_INDEX_SSL, 0, nil, nil, nil,
    { _, mark, _, _, _, _ in
      if unsafe mark != nil { LiveCount.count.subtract(1, ordering: .relaxed) }
    })

  static func mark(_ ssl: OpaquePointer) {
    if unsafe SSL_set_ex_data(ssl, index, UnsafeMutableRawPointer(bitPattern: 1)) == 1 {
      count.add(1, ordering: .relaxed)
    }
  }
}

@Suite struct MemoryTests {
  let contexts: TestContexts

  init() async throws { contexts = try await TestContexts() }

  @Test("A thousand sessions that are opened, broken or dropped leave nothing behind")
  func dropped() throws {
    let client = try contexts.client { $0.keepsSessions = true }
    let server = try contexts.server(.good) {
      $0.clientCertificates = .optional(authority: contexts.certificates.authority)
    }
    var liveMax = 0
    for index in 0..<1_000 {
      var ends = try Ends.make(client, server)
      unsafe LiveCount.mark(ends.client.ssl)
      unsafe LiveCount.mark(ends.server.ssl)
      liveMax = max(liveMax, LiveCount.count.load(ordering: .relaxed))
      if index % 4 == 0 { _ = ends.client.handshake() } else { ends.run() }
      if index % 4 == 1 {
        _ = ends.server.receive([UInt8](repeating: 0xFF, count: 100).span, into: &ends.serverText, max: 100)
      }
      if index % 4 == 2 { _ = ends.writeFromServer([UInt8](repeating: 7, count: 20_000)) }
      _ = ends.client.takeResumption()
    }
    #expect(liveMax == 2)
    #expect(LiveCount.count.load(ordering: .relaxed) == 0)
  }

  @Test("Nothing is held between records: neither ciphertext nor the memory for it")
  func idle() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    _ = ends.writeFromServer([UInt8](repeating: 7, count: 100_000))
    ends.run(step: 999)
    let held = unsafe [ends.server.wire.state, ends.client.wire.state].map { state in
      unsafe state.pointee.outgoing.allocatedByteCount + state.pointee.rest.allocatedByteCount
    }
    #expect(held == [0, 0])
  }

  @Test("Ciphertext is made in memory that was lent, and what was not sent is the session's own afterwards")
  func lent() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    var memory = ByteQueue()
    memory.reserve(50_000)
    var text: [UInt8] = []
    for round in 1...2 {
      let before = [UInt8](repeating: UInt8(round), count: 10)
      let during = [UInt8](repeating: UInt8(round), count: 40_000)
      text += before + during
      _ = ends.writeFromServer(before)
      ends.server.lend(&memory)
      _ = ends.writeFromServer(during)
      if round == 1 { ends.server.giveBack(&memory) }
      ends.run()
      ends.server.giveBack(&memory)
      let (left, kept) = (memory.count, memory.allocatedByteCount)
      #expect(left == 0 && kept >= 40_000)
    }
    let received = ends.clientText.copied()
    #expect(received == text)
    let held = unsafe ends.server.wire.state.pointee.outgoing.allocatedByteCount
    #expect(held == 0)
  }
}
