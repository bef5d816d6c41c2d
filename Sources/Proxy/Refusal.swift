// Why the gateway itself answered, or ended an exchange. The codes are the public contract: bodies, log and metrics carry
// them; none is ever built from parts.

package import HTTPWire
package import Tokens

/// Reasons that are neither the head's syntax nor the token's.
package enum GatewayRefusal: String, Sendable, CaseIterable {
  case routeNotFound = "route_not_found"
  case methodNotAllowed = "method_not_allowed"
  /// The path has dot segments or empty ones.
  case pathNotNormal = "path_not_normal"
  case rateLimited = "rate_limited"
  case originNotAllowed = "origin_not_allowed"
  case bodyTooLarge = "body_too_large"
  case bodyMalformed = "body_malformed"
  case headerTimeout = "header_timeout"
  case bodyTimeout = "body_timeout"
  case upstreamConnectFailed = "upstream_connect_failed"
  /// The gateway itself has no descriptor, memory or port left for a connection to a server.
  case resourcesExhausted = "resources_exhausted"
  /// No name of its servers was ever resolved.
  case upstreamUnresolved = "upstream_unresolved"
  case upstreamConnectTimeout = "upstream_connect_timeout"
  case upstreamTimeout = "upstream_timeout"
  case upstreamClosed = "upstream_closed"
  case upstreamMalformed = "upstream_malformed"
  /// The upstream has as many requests as it may have, and no line to wait in, or a full one.
  case upstreamOverloaded = "upstream_overloaded"
  case upstreamQueueTimeout = "upstream_queue_timeout"
  /// No server is healthy.
  case upstreamUnavailable = "upstream_unavailable"
  case routeTimeout = "route_timeout"
  case grpcTimeoutInvalid = "grpc_timeout_invalid"
  /// The call's own deadline, by its `grpc-timeout`.
  case grpcDeadlineExceeded = "grpc_deadline_exceeded"
  case webSocketHandshakeInvalid = "websocket_handshake_invalid"
  case webSocketVersionUnsupported = "websocket_version_unsupported"
  // Why an open WebSocket was ended; 101 was said before.
  case webSocketFrameInvalid = "websocket_frame_invalid"
  case webSocketIdle = "websocket_idle"
  case routeWithdrawn = "route_withdrawn"
  case gatewayStopping = "gateway_stopping"
  case maintenance
  /// All connections together hold as much as `limits.memory` allows.
  case memoryExhausted = "memory_exhausted"
  /// The answer had begun, and the compressor could not go on with it.
  case compressionFailed = "compression_failed"
  /// The answer had begun and could not be completed: the client's connection is closed before its end (T61).
  case upstreamTruncated = "upstream_truncated"
  /// The client went away or stopped reading before the answer was complete; 499 in the log only.
  case clientClosed = "client_closed"
  case clientStalled = "client_stalled"

  var status: Int {
    switch self {
    case .routeNotFound: 404
    case .methodNotAllowed: 405
    case .rateLimited: 429
    case .originNotAllowed: 403
    case .bodyTooLarge: 413
    case .pathNotNormal, .bodyMalformed, .webSocketHandshakeInvalid, .webSocketVersionUnsupported,
      .webSocketFrameInvalid,
      .grpcTimeoutInvalid:
      400
    case .headerTimeout, .bodyTimeout, .webSocketIdle: 408
    case .routeWithdrawn, .gatewayStopping, .upstreamOverloaded, .upstreamQueueTimeout, .upstreamUnavailable,
      .upstreamUnresolved, .resourcesExhausted, .maintenance, .memoryExhausted:
      503
    case .compressionFailed: 500
    case .upstreamConnectFailed, .upstreamClosed, .upstreamMalformed, .upstreamTruncated: 502
    case .upstreamConnectTimeout, .upstreamTimeout, .routeTimeout, .grpcDeadlineExceeded: 504
    case .clientClosed, .clientStalled: 499
    }
  }
}

/// A reason with its status and stable code.
package enum Refusal: Sendable, Equatable {
  case head(HeadError)
  case target(TargetError)
  case token(TokenRefusal)
  case gateway(GatewayRefusal)

  package var code: String {
    switch self {
    case .head(let error): error.rawValue
    case .target(let error): error.rawValue
    case .token(let refusal): refusal.rawValue
    case .gateway(let refusal): refusal.rawValue
    }
  }

  package var status: Int {
    switch self {
    case .head(let error): error.status
    case .target: 400
    case .token(let refusal): refusal.status
    case .gateway(let refusal): refusal.status
    }
  }
}

extension TokenRefusal {
  /// RFC 6750 §3.1: 401 for a bad token, 403 for a good one that may not pass here; 503 while there are no keys.
  var status: Int {
    switch self {
    case .scopeMissing, .claimMismatch: 403
    case .keysUnavailable: 503
    default: 401
    }
  }

  /// The `error` of the challenge; nil where RFC 6750 wants none.
  var challengeError: StaticString? {
    switch self {
    case .tokenMissing, .keysUnavailable: nil
    case .scopeMissing: "insufficient_scope"
    case .claimMismatch: "insufficient_scope"
    default: "invalid_token"
    }
  }
}
