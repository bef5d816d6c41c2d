// What other threads ask of a worker. Its loop is bound to its thread: it never leaves it, and work for it is sent
// there.

import Synchronization

/// A queue of work for one worker. Empty for good once the worker has ended.
final class Mailbox: Sendable {
  typealias Job = @Sendable (WorkerLoop) -> Void

  private struct State {
    var jobs: [Job] = []
    var isClosed = false
  }

  let bell: Bell
  private let state = Mutex(State())

  init() throws(SystemError) { bell = try Bell() }

  /// - Returns: false when the worker has ended, and the job with it.
  @discardableResult
  func post(_ job: @escaping Job) -> Bool {
    let (isTaken, isFirst) = state.withLock { state in
      if state.isClosed { return (false, false) }
      state.jobs.append(job)
      return (true, state.jobs.count == 1)
    }
    if isFirst { bell.ring() }
    return isTaken
  }

  /// What the job gives, once the worker has run it. Nil when the worker has ended.
  func submit<Result: Sendable>(_ job: @escaping @Sendable (WorkerLoop) -> Result) async -> Result? {
    await withCheckedContinuation { continuation in
      let isTaken = post { loop in continuation.resume(returning: job(loop)) }
      if !isTaken { continuation.resume(returning: nil) }
    }
  }

  /// All that waits, in its order.
  func take() -> [Job] {
    bell.silence()
    return state.withLock { state in
      let jobs = state.jobs
      state.jobs = []
      return jobs
    }
  }

  /// Nothing is taken any more.
  /// - Returns: what was never run.
  func close() -> [Job] {
    state.withLock { state in
      state.isClosed = true
      let jobs = state.jobs
      state.jobs = []
      return jobs
    }
  }
}
