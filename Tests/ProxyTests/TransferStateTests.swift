// The record of how far a connection's bytes have got, which every transport keeps by the same methods.

import Bytes
import Testing

@testable import Proxy

@Suite("How far bytes have got")
struct TransferStateTests {
  @Test("A byte is counted as written once, whichever way the kernel took it")
  func written() {
    var transfer = TransferState()
    transfer.output.append("0123456789")
    transfer.wrote(4)
    #expect(transfer.bytesWritten == 4)
    #expect(transfer.unwrittenByteCount == 6)
    // Encrypted, six bytes are more.
    transfer.took(6, waiting: 28)
    #expect(transfer.bytesWritten == 4)
    #expect(transfer.unwrittenByteCount == 28)
    transfer.wroteTaken(20, waiting: 8)
    transfer.wroteTaken(8, waiting: 0)
    #expect(transfer.unwrittenByteCount == 0)
    transfer.relayed(100)
    #expect(transfer.bytesWritten == 132)
    let isAllWritten = transfer.isAllWritten
    #expect(isAllWritten)
  }

  @Test("A flush is queued once until the transport begins it")
  func flushes() {
    var transfer = TransferState()
    let first = transfer.queueFlush()
    let second = transfer.queueFlush()
    #expect(first)
    #expect(!second)
    transfer.beginFlush()
    let third = transfer.queueFlush()
    #expect(third)
  }

  @Test("Output counts as memory from the moment at which the kernel takes no more, until it is written")
  func stuck() {
    var transfer = TransferState()
    transfer.output.append("0123456789")
    #expect(transfer.stuckByteCount == 0)
    transfer.took(4, waiting: 30)
    transfer.outputBlocked()
    #expect(transfer.stuckByteCount == transfer.output.allocatedByteCount + 30)
    transfer.outputEmptied()
    #expect(transfer.stuckByteCount == 0)
  }

  @Test("A drain that is awaited is reported when all output is written, and awaited no more")
  func drains() throws {
    let bench = try Bench("routes: [{ path: /, auth: public, respond: { status: 200, body: ok } }]")
    let client = bench.connect()
    client.connection.transfer.isDrainAwaited = true
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(client.text.hasSuffix("ok"))
    let isStillAwaited = client.connection.transfer.isDrainAwaited
    #expect(!isStillAwaited)
  }
}
