// What an access log line can say: one table of all fields. The names are public.

/// A field of the access log. The cases are in the order of a json line, each has its record below, and
/// `AccessLogStage` sets it.
package enum AccessLogField: UInt8, Sendable, CaseIterable {
  case time, clientIP, method, host, path, `protocol`, tlsVersion, tlsCipher, tlsResumed, alpn
  case status, requestBytes, responseBytes, duration
  case route, upstream, server, upstreamStatus, attempts, upstreamConnect, upstreamResponse, grpcStatus
  case issuer, subject, reason, requestID, traceID, userAgent, referer

  /// How a value is kept and written.
  package enum Kind: Sendable {
    /// Bytes as they came, hostile or not.
    case text
    /// Text that is cut at `?` and `#`, as tokens may follow there.
    case path
    case number
    /// Nanoseconds, written as milliseconds.
    case milliseconds
    /// 0 or 1.
    case boolean
    /// Milliseconds since 1970.
    case time
  }

  package struct Record: Sendable {
    /// In json lines and in templates.
    package let name: StaticString
    package let kind: Kind
    /// 0 where it was not set. Other fields are absent then.
    package let isAlwaysPresent: Bool
    /// Json leaves it out when it is 1.
    package let countsFromTwo: Bool

    init(_ name: StaticString, _ kind: Kind, isAlwaysPresent: Bool = false, countsFromTwo: Bool = false) {
      self.name = name
      self.kind = kind
      self.isAlwaysPresent = isAlwaysPresent
      self.countsFromTwo = countsFromTwo
    }
  }

  package var record: Record {
    switch self {
    case .time: Record("time", .time, isAlwaysPresent: true)
    case .clientIP: Record("client_ip", .text)
    case .method: Record("method", .text)
    case .host: Record("host", .text)
    case .path: Record("path", .path)
    case .protocol: Record("protocol", .text)
    case .tlsVersion: Record("tls_version", .text)
    case .tlsCipher: Record("tls_cipher", .text)
    case .tlsResumed: Record("tls_resumed", .boolean)
    case .alpn: Record("alpn", .text)
    case .status: Record("status", .number)
    case .requestBytes: Record("request_bytes", .number, isAlwaysPresent: true)
    case .responseBytes: Record("response_bytes", .number, isAlwaysPresent: true)
    case .duration: Record("duration_ms", .milliseconds, isAlwaysPresent: true)
    case .route: Record("route", .text)
    case .upstream: Record("upstream", .text)
    case .server: Record("server", .text)
    case .upstreamStatus: Record("upstream_status", .number)
    case .attempts: Record("attempts", .number, countsFromTwo: true)
    case .upstreamConnect: Record("upstream_connect_ms", .milliseconds)
    case .upstreamResponse: Record("upstream_response_ms", .milliseconds)
    case .grpcStatus: Record("grpc_status", .number)
    case .issuer: Record("issuer", .text)
    case .subject: Record("subject", .text)
    case .reason: Record("reason", .text)
    case .requestID: Record("request_id", .text)
    case .traceID: Record("trace_id", .text)
    case .userAgent: Record("user_agent", .text)
    case .referer: Record("referer", .path)
    }
  }

  package var name: String { "\(record.name)" }

  /// The field that a template names.
  package static func named(_ name: String) -> AccessLogField? { allCases.first { $0.name == name } }
}
