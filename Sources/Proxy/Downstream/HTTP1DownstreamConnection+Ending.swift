// How a connection ends: what the end of a client's side means, and how long one that is idle, or has given its last
// answer, is kept for a client that is slow to take it.

import Bytes
import HTTPWire

extension HTTP1DownstreamConnection {
  /// The client has ended its side: nobody waits for an answer any more, and nothing that it asked for before is begun.
  /// Answers that are complete are still written.
  func clientLeft() {
    switch state {
    case .idle, .lingering, .discarding: close()
    case .head, .body, .waiting:
      guard let exchange else { return }
      if exchange.tunnel == nil { abandon(exchange) } else { endWithInput() }
    }
  }

  /// Ends the connection once nothing of what came before the client's end of its half is left to be served.
  func endWithInput() {
    guard isInputEnded, !isConsuming, !isClosed else { return }
    switch state {
    case .idle where !input.isEmpty:
      // Pipelined requests wait until the answers before them are taken.
      break
    case .idle, .lingering, .discarding:
      close()
    case .head:
      if let exchange { abandon(exchange) }
    case .body:
      // The body cannot be completed any more, unless its end waits in `input`.
      if framing == .untilClose, input.isEmpty {
        bodyEnded()
      } else if let exchange, isRestMissing {
        abandon(exchange)
      }
    case .waiting:
      break
    }
  }

  private var isRestMissing: Bool {
    if case .length = framing { return UInt64(input.count) < bodyLeft }
    return input.isEmpty && framing != .untilClose
  }

  func abandon(_ exchange: Exchange) {
    if state == .head {
      forget(exchange)
      abort()
    } else {
      exchange.abandon(.clientClosed)
    }
  }

  /// Nothing was asked for: no log line, no counter.
  func forget(_ exchange: Exchange) {
    self.exchange = nil
    exchange.downstream = nil
    worker.giveBack(exchange)
  }

  /// A client that still takes its last answers is given more time. One that does not cannot hold the connection open.
  func closeIdle() {
    if unsentByteCount == 0 {
      close()
    } else if transfer.bytesWritten == bytesWrittenAtLastCheck {
      abort()
    } else {
      bytesWrittenAtLastCheck = transfer.bytesWritten
      deadline = worker.time.nanoseconds &+ worker.snapshot.idleTimeout
    }
  }

  /// The moment to linger begins when the last answer is taken: until then the client has as long as with any answer.
  func startLingerTimer() {
    transfer.isDrainAwaited = unsentByteCount > 0
    let wait = transfer.isDrainAwaited ? worker.snapshot.bodyTimeout : Self.lingerNanoseconds
    deadline = worker.time.nanoseconds &+ wait
  }

  func endLinger() {
    if !transfer.isDrainAwaited || transfer.bytesWritten == bytesWrittenAtLastCheck { return abort() }
    bytesWrittenAtLastCheck = transfer.bytesWritten
    startLingerTimer()
  }
}
