// Reasons that are neither the head's syntax nor the token's. Their records are beside this file.

/// The raw values are the codes.
package enum GatewayRefusal: String, Sendable, CaseIterable {
  case routeNotFound = "route_not_found"
  case methodNotAllowed = "method_not_allowed"
  case pathNotNormal = "path_not_normal"
  case bodyTooLarge = "body_too_large"
  case bodyMalformed = "body_malformed"
  case headerTimeout = "header_timeout"
  case bodyTimeout = "body_timeout"
  case rateLimited = "rate_limited"
  case limitStoreUnavailable = "limit_store_unavailable"
  case clientNotAllowed = "client_not_allowed"
  case originNotAllowed = "origin_not_allowed"
  case destinationNotAllowed = "destination_not_allowed"
  case maintenance
  case memoryExhausted = "memory_exhausted"
  case routeTimeout = "route_timeout"
  case grpcTimeoutInvalid = "grpc_timeout_invalid"
  case grpcDeadlineExceeded = "grpc_deadline_exceeded"
  case upstreamConnectFailed = "upstream_connect_failed"
  case upstreamConnectTimeout = "upstream_connect_timeout"
  case upstreamUnresolved = "upstream_unresolved"
  case upstreamTimeout = "upstream_timeout"
  case upstreamClosed = "upstream_closed"
  case upstreamMalformed = "upstream_malformed"
  case upstreamHeadTooLarge = "upstream_head_too_large"
  case upstreamOverloaded = "upstream_overloaded"
  case upstreamQueueTimeout = "upstream_queue_timeout"
  case upstreamUnavailable = "upstream_unavailable"
  case resourcesExhausted = "resources_exhausted"
  // The answer had begun and could not be completed: the client's connection is closed before its end (T61).
  case upstreamTruncated = "upstream_truncated"
  case compressionFailed = "compression_failed"
  case webSocketHandshakeInvalid = "websocket_handshake_invalid"
  case webSocketVersionUnsupported = "websocket_version_unsupported"
  // Why an open WebSocket was ended: the log has the 101 that was sent before.
  case webSocketFrameInvalid = "websocket_frame_invalid"
  case webSocketIdle = "websocket_idle"
  case routeWithdrawn = "route_withdrawn"
  case gatewayStopping = "gateway_stopping"
  // The client went away or stopped reading before the answer was complete.
  case clientClosed = "client_closed"
  case clientStalled = "client_stalled"
  case tlsRequired = "tls_required"
}
