// The stages of a request, in the order in which they happen. The cases are the folders of this target, the headings of
// "Life of a request" in docs/ARCHITECTURE.md, and the `stage` of a refusal.

/// Which step an exchange is at. Accepting and TLS come before, in the transport.
package enum Stage: UInt8, Sendable, CaseIterable {
  case downstream, routing, limits, authentication, operation, authorization, identity, balancing, upstream, response
  case accessLog

  /// The one after this one. The last is its own successor.
  var next: Stage {
    switch self {
    case .downstream: .routing
    case .routing: .limits
    case .limits: .authentication
    case .authentication: .operation
    case .operation: .authorization
    case .authorization: .identity
    case .identity: .balancing
    case .balancing: .upstream
    case .upstream: .response
    case .response, .accessLog: .accessLog
    }
  }
}

/// What a stage says when it is done.
enum StageOutcome {
  /// The request goes on to the next stage.
  case next
  /// The gateway answers itself, with a reason.
  case refuse(Refusal)
  /// The gateway answers itself, as configured.
  case answer(GatewayAnswer)
  /// The exchange stays where it is until an event moves it on.
  case wait
}
