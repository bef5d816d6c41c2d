// A worker's loop for tests, with a configuration that answers by itself.

import Configuration
import Proxy
import Testing

@testable import Transport

/// What a test could not set up.
struct LoopFailure: Error {
  var reason: String
}

func makeSnapshot(bodyByteCount: Int = 1) throws -> Snapshot {
  let body = String(repeating: "x", count: bodyByteCount)
  let text = """
    listeners: [{ address: 127.0.0.1:0 }]
    # A busy machine may let a test wait for its turn.
    limits: { header_timeout: 10m, body_timeout: 10m, idle_timeout: 1h }
    routes: [{ path: /, auth: public, respond: { status: 200, body: \(body) } }]
    """
  let read = ConfigurationReader.read(
    text: text, file: "gateway.conf", folder: "", environment: [:],
    readFile: { throw LoopFailure(reason: $0) })
  guard case .success(let loaded) = read else { throw LoopFailure(reason: "\(read)") }
  return Snapshot(loaded.configuration, generation: 1)
}

func makeOutlets() -> WorkerOutlets {
  WorkerOutlets(
    log: { _ in }, ask: { _, _, _ in }, serverHandshakeFailed: { _ in }, tokenRefused: { _ in },
    upstreamChanged: { _, _ in },
    slotsShort: { _ in })
}

/// A loop that runs where the test does, when the test says so.
func makeLoop(_ mailbox: Mailbox, bodyByteCount: Int = 1) throws -> WorkerLoop {
  try WorkerLoop(
    mailbox: mailbox, snapshot: try makeSnapshot(bodyByteCount: bodyByteCount), keySets: [], contexts: TLSContexts(),
    outlets: makeOutlets(),
    clientConnections: ClientConnections(), budget: DescriptorBudget(socketsMax: 100),
    memory: MemoryBound(byteCountMax: .max, workerCount: 1),
    isFirst: true)
}
