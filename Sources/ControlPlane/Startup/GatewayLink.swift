// From the key sets and sessions to the workers. Both exist before the gateway does, so they meet here.

import NIOConcurrencyHelpers
import Proxy
import Tokens
import Transport

/// Hands key sets over with the generation of the configuration that their issuer indices belong to.
final class GatewayLink: Sendable {
  private struct State {
    var gateway: Gateway?
    var generation: UInt64 = 0
  }

  private let state = NIOLockedValueBox(State())

  func connect(_ gateway: Gateway, generation: UInt64) {
    state.withLockedValue { $0 = State(gateway: gateway, generation: generation) }
  }

  /// Issuer indices are those of this configuration from now on.
  func announce(generation: UInt64) { state.withLockedValue { $0.generation = generation } }

  /// Every worker forgets a session.
  /// - Parameter isOver: whether what is under way of it ends.
  func forgetSession(_ digest: [UInt8], isOver: Bool) {
    state.withLockedValue { $0.gateway }?.forgetSession(digest, isOver: isOver)
  }

  /// Returns when every worker has forgotten what it was told to forget before.
  func settle() async { _ = await state.withLockedValue { $0.gateway }?.isAlive() }

  /// See ``Gateway/ask(_:_:at:changed:)``.
  func ask(
    _ store: String, _ parts: [[UInt8]], at place: StorePlace, changed: (@Sendable () -> Void)? = nil
  ) async -> StoreReply? {
    await state.withLockedValue { $0.gateway }?.ask(store, parts, at: place, changed: changed) ?? nil
  }

  var publishRevocations: RevocationRegistry.Publish {
    { [self] issuer, revocations in
      let (gateway, generation) = state.withLockedValue { ($0.gateway, $0.generation) }
      gateway?.install(revocations, issuer: issuer, generation: generation)
    }
  }

  var publish: KeySetRegistry.Publish {
    { [self] issuer, keySet in
      let (gateway, generation) = state.withLockedValue { ($0.gateway, $0.generation) }
      gateway?.install(keySet, issuer: issuer, generation: generation)
    }
  }
}
