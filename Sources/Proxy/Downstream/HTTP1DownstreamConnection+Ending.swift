// How long a connection that is idle, or has given its last answer, is kept for a client that is slow to take it.

extension HTTP1DownstreamConnection {
  /// A client that still takes its last answers is given more time; one that does not cannot hold the connection open.
  func closeIdle() {
    if unsentByteCount == 0 {
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
    isDrainAwaited = unsentByteCount > 0
    let wait = isDrainAwaited ? worker.snapshot.bodyTimeout : Self.lingerNanoseconds
    deadline = worker.time.nanoseconds &+ wait
  }

  func endLinger() {
    if !isDrainAwaited || bytesWritten == bytesWrittenAtLastCheck { return abort() }
    bytesWrittenAtLastCheck = bytesWritten
    startLingerTimer()
  }
}
