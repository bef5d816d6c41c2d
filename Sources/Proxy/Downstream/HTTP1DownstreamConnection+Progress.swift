// What a passed deadline means for a client that is slow: it is told apart from one that stands still by the bytes that it
// has taken or sent since the last look.

import Bytes
import HTTPWire

extension HTTP1DownstreamConnection {
  /// A client that still takes its last answers is given more time; one that does not cannot hold the connection open.
  func closeIdle() {
    if output.isEmpty, bytesInTransport == 0 {
      close()
    } else if bytesWritten == bytesWrittenAtLastCheck {
      abort()
    } else {
      bytesWrittenAtLastCheck = bytesWritten
      deadline = worker.time.nanoseconds &+ worker.snapshot.idleTimeout
    }
  }

  /// The moment to linger begins when the last answer is taken: until then the client has as long as with any answer.
  func startLingerTimer() {
    isDrainAwaited = !output.isEmpty || bytesInTransport > 0
    let wait = isDrainAwaited ? worker.snapshot.bodyTimeout : Self.lingerNanoseconds
    deadline = worker.time.nanoseconds &+ wait
  }

  func endLinger() {
    if !isDrainAwaited || bytesWritten == bytesWrittenAtLastCheck { return abort() }
    bytesWrittenAtLastCheck = bytesWritten
    startLingerTimer()
  }

  /// The deadline of an exchange passed: whoever still moves gets more time.
  func checkProgress(of exchange: Exchange) {
    let now = worker.time.nanoseconds
    if exchange.stage == .authentication { return exchange.keysTimedOut() }
    if now >= exchange.routeDeadline { return exchange.refuse(.gateway(.routeTimeout)) }
    var next = now &+ exchange.snapshot.bodyTimeout
    if state == .body, !isReadingPaused, exchange.isAcceptingBody {
      let due = lastBodyReadAt &+ exchange.snapshot.bodyTimeout
      if now >= due {
        isPersistent = false
        return exchange.refuse(.gateway(.bodyTimeout))
      }
      next = due
    }
    if !output.isEmpty || bytesInTransport > 0 {
      if bytesWritten == bytesWrittenAtLastCheck { return exchange.abandon(.clientStalled) }
      bytesWrittenAtLastCheck = bytesWritten
    }
    deadline = min(next, exchange.routeDeadline)
  }
}
