// What the gateway answers for reasons of its own, and what to do about them.

extension GatewayRefusal {
  package var record: RefusalRecord {
    switch self {
    case .routeNotFound:
      .init(
        404, .unimplemented, "No route takes the request.",
        advice: "Correct the host or the path, or add a route for them.")
    case .methodNotAllowed:
      .init(
        405, .unimplemented, with: .allow, "The routes of the path take other methods. `Allow` lists them.",
        advice: "Use one of these methods, or add this one to the route's `methods`.")
    case .pathNotNormal:
      .init(
        400, .internal,
        """
        The path has `.`, `..` or empty segments (`/a//b`, `/a/../b`). GET and HEAD are answered with 308: `Location` \
        is the path without them, with the query. On a route with `merge_slashes: false`, where an empty segment is \
        in front of what `/*` matched or beside `..`. Also where `rewrite` or `redirect` needs a value that the request \
        does not have, or that is not one segment.
        """, advice: "Send the normal form of the path, and the values that the route's templates name.")
    case .bodyTooLarge:
      .init(
        413, .resourceExhausted, "The body is larger than `body_size`.",
        advice: "Send less at once, or raise `body_size` of the route.")
    case .bodyMalformed:
      .init(400, .internal, "The body's framing broke off or is wrong.", advice: "Look at the client's log.")
    case .headerTimeout:
      .init(
        408, .unknown, "The head did not arrive within `header_timeout`.",
        advice: "Send the whole head at once. For slow networks raise `limits.header_timeout`.")
    case .bodyTimeout:
      .init(
        408, .deadlineExceeded,
        "Nothing of the body arrived within `body_timeout`, or it came slower than `body_rate`.",
        advice: "Retry on a better network, or raise `limits.body_timeout`.")
    case .rateLimited:
      .init(
        429, .resourceExhausted, "A `rate_limit` of the route has nothing left for this caller. With `Retry-After`.",
        advice: "Wait as long as `Retry-After` says. If callers are right, raise the limit's `requests` or `burst`.")
    case .limitStoreUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "The store of a rate limit with `on_failure: refuse` does not answer. With `Retry-After`.",
        advice: "Look for the store in the gateway's log and in `/status`. Or write another `on_failure`.")
    case .clientNotAllowed:
      .init(
        403, .permissionDenied,
        "The route's `clients` do not list the client's address, or deny it, or the address cannot be known.",
        advice: "Add the address to `clients`. Behind a proxy, list the proxy in `trusted_proxies`.")
    case .originNotAllowed:
      .init(
        403, .permissionDenied,
        """
        A preflight or a WebSocket handshake from an origin that the route's `cors` does not list. Without `cors`, a \
        handshake from another host's page where a cookie may hold the token. With a session, also every other method \
        than GET, HEAD and OPTIONS without `Origin` or `Sec-Fetch-Site` of this host.
        """, advice: "Add the page's origin to `cors.origins` of the route.")
    case .authorizeRefused:
      .init(
        403, .permissionDenied,
        """
        The service of the route's `authorize` said no. The client gets its status, 401 or 403, its `WWW-Authenticate` \
        and its body. Where the file has an error page for that status, the page is in the body's place.
        """, advice: "Look in the service's log for its reason.")
    case .authorizeUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        The service of the route's `authorize` did not answer in time, or with something other than 2xx, 401 or 403. \
        With `Retry-After`. After five failures in a row a worker asks it once a second only.
        """,
        advice: "Look for the service in the gateway's log. A redirect counts as a failure: have it answer 401.")
    case .loginUnknown:
      .init(
        400, .internal,
        """
        The provider's answer belongs to no login of this browser: more than ten minutes have passed, the browser keeps \
        no cookies, the page was opened a second time, or somebody else made the link.
        """, advice: "Sign in again. Look whether the browser keeps cookies, and whether it comes by https.")
    case .loginAnswerMalformed:
      .init(
        400, .internal, "The query at the callback is not the answer of a provider: parts are missing or there twice.",
        advice: "Sign in again, and look at what the provider sends.")
    case .loginIssuerMismatch:
      .init(
        400, .internal, "The answer names another issuer than the provider that was asked (RFC 9207), or none.",
        advice: "Look at `issuer` in the file and at `iss` in the answer. Somebody may mix up two providers.")
    case .loginRefused:
      .init(
        403, .permissionDenied,
        "The person or the provider said no, or the provider does not take the client, its secret or the code.",
        advice: "The gateway's log has the provider's word. Check `client_id`, `client_secret` and the redirect URI.")
    case .loginTokenInvalid:
      .init(
        502, .unavailable,
        "The provider's tokens are not what they must be. The gateway's log says which check failed.",
        advice: "Check `issuer` and `client_id`, and the clocks of both.")
    case .logoutTokenInvalid:
      .init(
        400, .internal,
        """
        What was posted to the back channel is not a logout token of the provider, or was shown before. The gateway's \
        log says which check failed.
        """, advice: "Check `issuer` and `client_id`, and the clocks of both.")
    case .loginProviderUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "The provider did not answer in time, or with something else. The gateway's log says what.",
        advice: "Look whether the gateway reaches the provider's discovery document and token end point.")
    case .assertionUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "The gateway could not sign what the upstream, or the page of a session, must have (`assertions`).",
        advice: "Look in the gateway's log, and check the files of `keys`.")
    case .destinationNotAllowed:
      .init(
        403, .permissionDenied,
        """
        `Destination` is not one address of the route, which has `rewrite.destination`: another host, a path of another \
        route, or one that is not in normal form.
        """, advice: "Move and copy within the paths of one route.")
    case .graphQLMediaType, .graphQLMethodNotAllowed, .graphQLMutationByGet, .graphQLRequestInvalid,
      .graphQLBatchTooLarge, .graphQLDocumentInvalid, .graphQLOperationUnknown, .graphQLTooDeep,
      .graphQLTooManyAliases, .graphQLTooManyRootFields, .graphQLTooManyTokens, .graphQLIntrospectionRefused,
      .graphQLPersistedUnknown, .graphQLNotPersisted:
      graphQLRecord
    case .maintenance:
      .init(
        503, .unavailable, with: .retryAfterMaintenance, "The route is closed by `maintenance`. With `Retry-After`.",
        advice: "Wait. The operator opens the route by removing `maintenance`.")
    case .memoryExhausted:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        All connections together hold nearly as much as `limits.memory` allows. With `Retry-After`. Over HTTP/2 the \
        stream is refused (`REFUSED_STREAM`).
        """, advice: "Find clients and servers that read slowly, or raise `limits.memory`.")
    case .routeTimeout:
      .init(
        504, .deadlineExceeded, "The route's `timeout` has passed.",
        advice: "Find out why the server takes so long, or raise the route's `timeout`.")
    case .grpcTimeoutInvalid:
      .init(
        400, .internal,
        "`grpc-timeout` is not one to eight digits and one of `H`, `M`, `S`, `m`, `u`, `n`, or there are two.",
        advice: "Have the gRPC library set the deadline.")
    case .grpcDeadlineExceeded:
      .init(
        504, .deadlineExceeded, "The call's own `grpc-timeout` has passed.",
        advice: "Give the call a longer deadline, or find out why the server takes so long.")
    case .upstreamConnectFailed:
      .init(
        502, .unavailable, "No server of the upstream accepts a connection.",
        advice: "Start the server. Check its address, its port and, with `tls`, its certificate.")
    case .upstreamConnectTimeout:
      .init(
        504, .unavailable, "No server of the upstream accepted a connection within `connect_timeout`.",
        advice: "Look for a firewall in between that drops packets, and check the server's address.")
    case .upstreamUnresolved:
      .init(
        503, .unavailable, "The names of the upstream's servers were never resolved.",
        advice: "Check the names in `servers` and the machine's DNS resolver.")
    case .upstreamTimeout:
      .init(
        504, .deadlineExceeded,
        "The server did not answer within `response_timeout`, or was silent within its answer for `read_timeout`.",
        advice: "Find out why the server takes so long, or raise the upstream's `response_timeout` or `read_timeout`.")
    case .upstreamClosed:
      .init(
        502, .unavailable, "The server closed the connection before it answered.",
        advice: "Look in the server's log for a crash or a limit. `retry` can try another server.")
    case .upstreamMalformed:
      .init(
        502, .unavailable, "What the server sent is not HTTP, or is ambiguous.",
        advice: "Check the upstream's `protocol` and `tls`, and the headers that the server sends.")
    case .upstreamHeadTooLarge:
      .init(
        502, .unavailable, "The head of the server's answer exceeds `header_size` or `headers` of the upstream.",
        advice: "Look for many or large cookies in the answer, or raise the limit that the gateway's log names.")
    case .upstreamOverloaded:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        The upstream or each of its servers has as many requests as its limits permit, and the queue is full or there \
        is none. With `Retry-After`.
        """, advice: "Add servers, or raise the upstream's limits if the servers can take more.")
    case .upstreamQueueTimeout:
      .init(
        503, .unavailable, with: .retrySoon,
        "The request waited in the upstream's `queue` for its `timeout`. With `Retry-After`.",
        advice: "Add servers, or raise the upstream's limits if the servers can take more.")
    case .upstreamUnavailable:
      .init(
        503, .unavailable, with: .retrySoon,
        "No server is healthy, and `panic_threshold` is 0%. With `Retry-After`.",
        advice: "Look at `/status` of the admin listener for why the checks fail.")
    case .resourcesExhausted:
      .init(
        503, .unavailable, with: .retrySoon,
        """
        The gateway itself has no descriptor, memory or port left for a connection to a server. With `Retry-After`. \
        Neither checks nor `eject` count it against the server.
        """, advice: "Raise the process's limit of open files (`ulimit -n`), or add machines.")
    case .upstreamTruncated:
      .init(
        502, .unavailable,
        "The server's answer broke off: the client's connection is closed before its end. In the log only.",
        advice: "Look in the server's log for a crash or a limit.")
    case .compressionFailed:
      .init(
        500, .unknown,
        "The answer could not be compressed to its end: the client's connection is closed before it. In the log only.",
        advice: "Report it to the project, with the route's `compress`.")
    case .webSocketHandshakeInvalid:
      .init(
        400, .internal, "`Upgrade: websocket` without the rest of a handshake (RFC 6455 §4.2.1).",
        advice: "Look for a proxy in between that removes `Connection` or `Sec-WebSocket-Key`.")
    case .webSocketVersionUnsupported:
      .init(
        400, .internal, with: .webSocketVersion, "A version other than 13. With `Sec-WebSocket-Version: 13`.",
        advice: "Use a WebSocket library that follows RFC 6455.")
    case .webSocketFrameInvalid:
      .init(
        101, .unknown,
        "An open WebSocket was ended for a frame that RFC 6455 forbids (1002). In the log only, as the next three.",
        advice: "Correct the WebSocket library of the side that sent the frame.")
    case .webSocketIdle:
      .init(
        101, .unknown, "Nothing moved in an open WebSocket for `idle_timeout` (1001).",
        advice: "Send pings, or raise `idle_timeout` of the route's `websocket`.")
    case .routeWithdrawn:
      .init(
        101, .unknown, "A reload took the route of an open WebSocket, or the caller's right to it, away (1001).",
        advice: "Connect again.")
    case .gatewayStopping:
      .init(
        503, .unavailable,
        "A WebSocket (1001, the log has 101) or stream was open when `drain_timeout` had passed.",
        advice: "Connect again, or raise `limits.drain_timeout`.")
    case .clientClosed:
      .init(
        499, .cancelled, "The client went away, or ended its side (`half_close`). In the log only.",
        advice: "Compare the client's timeout with the server's time.")
    case .clientStalled:
      .init(499, .cancelled, "The client stopped reading. In the log only.", advice: "Look at the client.")
    case .tlsRequired:
      .init(
        400, .internal,
        """
        Plain HTTP on a listener with `tls`. Not in the access log: `catraca_tls_handshakes_total` counts it as \
        `plain_http`.
        """, advice: "Write `https://` in front of the address.")
    }
  }
}
