// What a passed deadline means: a wait is over, or the client is slow. The bytes that it has taken or sent since the
// last look distinguish a slow client from a stalled one.

import HTTPWire
import Tokens

extension Exchange {
  /// The deadline of an exchange passed: a side that still moves gets more time.
  func checkProgress() {
    guard let downstream else { return }
    if tunnel != nil { return checkTunnel() }
    let now = worker.time.nanoseconds
    if now >= times.routeDeadline { return refuse(.gateway(times.deadlineRefusal)) }
    if let wait, now >= wait.end { return waitEnded(wait) }
    var next = now &+ snapshot.bodyTimeout
    if downstream.isBodyAwaited {
      // Where the server speaks already, as in a call with streams both ways, the client may well be silent.
      let due = max(downstream.lastBodyReadAt, times.upstreamReceivedAt) &+ bodyPatience
      if now >= due {
        downstream.endAfterResponse()
        // Behind the head of an answer the client owes nothing yet: the stream was silent on both sides.
        return refuse(.gateway(answer.hasBegun ? .upstreamTimeout : .bodyTimeout))
      }
      next = due
      if snapshot.bodyRate > 0, !answer.hasBegun, !request.head.isGRPC {
        let begin = max(times.upstreamConnectedAt, times.startedAt)
        guard let end = request.body.checkRate(at: now, since: begin, snapshot) else {
          downstream.endAfterResponse()
          return refuse(.gateway(.bodyTimeout))
        }
        next = min(next, end)
      }
    }
    if downstream.unsentByteCount > 0 {
      if downstream.sentByteCount == times.sentByteCountAtLastCheck { return abandon(.clientStalled) }
      times.sentByteCountAtLastCheck = downstream.sentByteCount
    }
    downstream.deadline = min(next, times.routeDeadline, wait?.end ?? .max)
  }

  /// How long both sides may be silent while the request's body is not complete. Once there is an answer, and in calls
  /// of gRPC from the beginning, it is a stream both ways, which lives as long as the server may be silent.
  private var bodyPatience: Int64 {
    answer.hasBegun || request.head.isGRPC ? max(snapshot.bodyTimeout, times.readTimeout) : snapshot.bodyTimeout
  }

  // MARK: Waits

  /// The wait's end has come, and what was waited for has not.
  func waitEnded(_ wait: Wait) {
    switch wait {
    case .question(let question, _, _): questionUnanswered(question)
    case .authorization(let call, let position):
      call.remove(at: position)
      authorizationEnded(call, .failed)
    case .permit: permitTimedOut()
    case .sessionChange: refuse(.token(.sessionStoreUnavailable))
    case .store(let wait): storeFailed(wait.ticket, .late)
    case .proof(let wait): storeFailed(wait.ticket, .late)
    case .login: refuse(.gateway(.loginProviderUnavailable))
    case .body: refuse(.gateway(.bodyTimeout))
    case .retry: retryNow()
    }
  }

  /// The exchange is over: nobody has to look for it any more.
  func leaveWait() {
    switch wait {
    case .question: worker.questions.remove(self)
    case .permit: delivery.pool?.leaveQueue(self)
    case .authorization(let call, let position): call.remove(at: position)
    case .sessionChange(let id, _, _), .login(let id, _): worker.sessions.changes.remove(id)
    // What comes for it finds that it waits no more.
    case .body, .store, .proof, .retry, nil: break
    }
    wait = nil
  }
}
