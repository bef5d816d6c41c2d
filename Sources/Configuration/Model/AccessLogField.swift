// What an access log line can say: one table of all fields. The names are public.

/// A field of the access log. The cases are in the order of a json line, each has its record below, and
/// `AccessLogStage` sets it.
package enum AccessLogField: UInt8, Sendable, CaseIterable {
  case time, clientIP, method, host, path, matchedPath, `protocol`, tlsVersion, tlsCipher, tlsResumed, alpn
  case status, requestBytes, responseBytes, duration
  case route, upstream, server, upstreamStatus, attempts, upstreamConnect, upstreamResponse, grpcStatus
  case graphQLOperation
  case authKind, issuer, subject, refusedSubject, authorize, reason, shadowReason
  case requestID, traceID, userAgent, referer

  /// How a value is kept and written.
  package enum Kind: Sendable {
    /// Bytes as they came, hostile or not.
    case text
    /// Text that is cut at `?` and `#`, as tokens may follow there.
    case path
    /// Text of which the host is written, without its port.
    case host
    /// Text of which what follows the first digit is written: `1.1` of `HTTP/1.1`.
    case version
    case number
    /// Nanoseconds, written as they are.
    case nanoseconds
    /// Nanoseconds, written as milliseconds.
    case milliseconds
    /// Nanoseconds, written as seconds.
    case seconds
    /// 0 or 1.
    case boolean
    /// Milliseconds since 1970.
    case time

    package var isText: Bool {
      switch self {
      case .text, .path, .host, .version: true
      case .number, .nanoseconds, .milliseconds, .seconds, .boolean, .time: false
      }
    }
  }

  /// What a member of a line is called, and how its value is written.
  package struct Member: Sendable, ExpressibleByStringLiteral {
    package let name: StaticString
    /// nil where it is written as it is kept.
    package let kind: Kind?

    init(_ name: StaticString, _ kind: Kind? = nil) {
      self.name = name
      self.kind = kind
    }

    package init(stringLiteral name: StaticString) { self.init(name) }
  }

  package struct Record: Sendable {
    /// In json lines and in templates.
    package let name: StaticString
    package let kind: Kind
    /// By the Elastic Common Schema.
    package let ecs: Member
    /// By the semantic conventions of OpenTelemetry.
    package let otel: Member
    /// 0 where it was not set. Other fields are absent then.
    package let isAlwaysPresent: Bool
    /// Json leaves it out when it is 1.
    package let countsFromTwo: Bool

    init(
      _ name: StaticString, _ kind: Kind, ecs: Member, otel: Member, isAlwaysPresent: Bool = false,
      countsFromTwo: Bool = false
    ) {
      self.name = name
      self.kind = kind
      self.ecs = ecs
      self.otel = otel
      self.isAlwaysPresent = isAlwaysPresent
      self.countsFromTwo = countsFromTwo
    }
  }

  package var record: Record {
    switch self {
    case .time: Record("time", .time, ecs: "@timestamp", otel: "timestamp", isAlwaysPresent: true)
    case .clientIP: Record("client_ip", .text, ecs: "client.address", otel: "client.address")
    case .method: Record("method", .text, ecs: "http.request.method", otel: "http.request.method")
    case .host: Record("host", .text, ecs: Member("url.domain", .host), otel: Member("server.address", .host))
    case .path: Record("path", .path, ecs: "url.path", otel: "url.path")
    case .matchedPath: Record("matched_path", .path, ecs: "catraca.matched_path", otel: "catraca.matched_path")
    case .protocol:
      Record(
        "protocol", .text, ecs: Member("http.version", .version), otel: Member("network.protocol.version", .version))
    case .tlsVersion:
      Record(
        "tls_version", .text, ecs: Member("tls.version", .version), otel: Member("tls.protocol.version", .version))
    case .tlsCipher: Record("tls_cipher", .text, ecs: "tls.cipher", otel: "tls.cipher")
    case .tlsResumed: Record("tls_resumed", .boolean, ecs: "tls.resumed", otel: "tls.resumed")
    case .alpn: Record("alpn", .text, ecs: "tls.next_protocol", otel: "tls.next_protocol")
    case .status: Record("status", .number, ecs: "http.response.status_code", otel: "http.response.status_code")
    case .requestBytes:
      Record(
        "request_bytes", .number, ecs: "http.request.body.bytes", otel: "http.request.body.size",
        isAlwaysPresent: true)
    case .responseBytes:
      Record(
        "response_bytes", .number, ecs: "http.response.body.bytes", otel: "http.response.body.size",
        isAlwaysPresent: true)
    case .duration:
      Record(
        "duration_ms", .milliseconds, ecs: Member("event.duration", .nanoseconds),
        otel: Member("http.server.request.duration", .seconds), isAlwaysPresent: true)
    case .route: Record("route", .text, ecs: "catraca.route", otel: "catraca.route")
    case .upstream: Record("upstream", .text, ecs: "catraca.upstream", otel: "catraca.upstream")
    case .server: Record("server", .text, ecs: "catraca.server", otel: "catraca.server")
    case .upstreamStatus:
      Record("upstream_status", .number, ecs: "catraca.upstream_status", otel: "catraca.upstream_status")
    case .attempts:
      Record("attempts", .number, ecs: "catraca.attempts", otel: "catraca.attempts", countsFromTwo: true)
    case .upstreamConnect:
      Record(
        "upstream_connect_ms", .milliseconds, ecs: "catraca.upstream_connect_ms", otel: "catraca.upstream_connect_ms")
    case .upstreamResponse:
      Record(
        "upstream_response_ms", .milliseconds, ecs: "catraca.upstream_response_ms",
        otel: "catraca.upstream_response_ms")
    case .grpcStatus: Record("grpc_status", .number, ecs: "catraca.grpc_status", otel: "rpc.grpc.status_code")
    case .graphQLOperation:
      Record(
        "graphql_operation", .text, ecs: "catraca.graphql_operation", otel: "graphql.operation.name")
    case .authKind: Record("auth_kind", .text, ecs: "catraca.auth_kind", otel: "catraca.auth_kind")
    case .issuer: Record("issuer", .text, ecs: "catraca.issuer", otel: "catraca.issuer")
    case .subject: Record("subject", .text, ecs: "user.id", otel: "user.id")
    case .refusedSubject:
      Record("refused_subject", .text, ecs: "catraca.refused_subject", otel: "catraca.refused_subject")
    case .authorize: Record("authorize", .text, ecs: "catraca.authorize", otel: "catraca.authorize")
    case .reason: Record("reason", .text, ecs: "event.reason", otel: "error.type")
    case .shadowReason:
      Record("shadow_reason", .text, ecs: "catraca.shadow_reason", otel: "catraca.shadow_reason")
    case .requestID: Record("request_id", .text, ecs: "http.request.id", otel: "catraca.request_id")
    case .traceID: Record("trace_id", .text, ecs: "trace.id", otel: "trace_id")
    case .userAgent: Record("user_agent", .text, ecs: "user_agent.original", otel: "user_agent.original")
    case .referer: Record("referer", .path, ecs: "http.request.referrer", otel: "catraca.referer")
    }
  }

  package static let count = allCases.count

  package var name: String { "\(record.name)" }

  /// The field that the file names.
  package static func named(_ name: String) -> AccessLogField? { allCases.first { $0.name == name } }
}
