// How the control plane's loops are told that there is something to do.

/// One waits, others ring. However often it rang meanwhile, the wait ends once for all of it.
struct WakeUp: Sendable {
  let calls: AsyncStream<Void>
  private let call: AsyncStream<Void>.Continuation

  init() { (calls, call) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  func ring() { call.yield() }
}
