// The fields that the gateway itself reads or writes. Heads are indexed by them, so that a question such as "is there
// an Authorization field?" costs one bit test.

/// A field name of interest, recognised on the exact name in any case. At most 63 of them: heads keep a bit for each.
public enum KnownField: UInt8, Sendable, CaseIterable {
  /// Any name that is not listed here.
  case other
  case host
  case connection
  case contentLength
  case transferEncoding
  case te
  case trailer
  case upgrade
  case keepAlive
  case proxyConnection
  case proxyAuthorization
  case proxyAuthenticate
  case expect
  case authorization
  case cookie
  case xForwardedFor
  case xForwardedProto
  case xForwardedHost
  case xForwardedPort
  case xRealIP
  case forwarded
  case via
  case xRequestID
  case traceparent
  case tracestate
  case date
  case server
  case userAgent
  case referer
  case origin
  case accept
  case acceptEncoding
  case acceptLanguage
  case contentType
  case contentEncoding
  case contentRange
  case acceptRanges
  case cacheControl
  case location
  case setCookie
  case wwwAuthenticate
  case retryAfter
  case vary
  case etag
  case age
  case ifNoneMatch
  case xOriginalURL
  case xForwardedURI
  case http2Settings
  case secWebSocketKey
  case secWebSocketAccept
  case secWebSocketVersion
  case secWebSocketProtocol
  case grpcTimeout
  case grpcStatus
  case dpop

  /// The name in lower case. Empty for ``other``.
  package var name: StaticString {
    switch self {
    case .other: ""
    case .host: "host"
    case .connection: "connection"
    case .contentLength: "content-length"
    case .transferEncoding: "transfer-encoding"
    case .te: "te"
    case .trailer: "trailer"
    case .upgrade: "upgrade"
    case .keepAlive: "keep-alive"
    case .proxyConnection: "proxy-connection"
    case .proxyAuthorization: "proxy-authorization"
    case .proxyAuthenticate: "proxy-authenticate"
    case .expect: "expect"
    case .authorization: "authorization"
    case .cookie: "cookie"
    case .xForwardedFor: "x-forwarded-for"
    case .xForwardedProto: "x-forwarded-proto"
    case .xForwardedHost: "x-forwarded-host"
    case .xForwardedPort: "x-forwarded-port"
    case .xRealIP: "x-real-ip"
    case .forwarded: "forwarded"
    case .via: "via"
    case .xRequestID: "x-request-id"
    case .traceparent: "traceparent"
    case .tracestate: "tracestate"
    case .date: "date"
    case .server: "server"
    case .userAgent: "user-agent"
    case .referer: "referer"
    case .origin: "origin"
    case .accept: "accept"
    case .acceptEncoding: "accept-encoding"
    case .acceptLanguage: "accept-language"
    case .contentType: "content-type"
    case .contentEncoding: "content-encoding"
    case .contentRange: "content-range"
    case .acceptRanges: "accept-ranges"
    case .cacheControl: "cache-control"
    case .location: "location"
    case .setCookie: "set-cookie"
    case .wwwAuthenticate: "www-authenticate"
    case .retryAfter: "retry-after"
    case .vary: "vary"
    case .etag: "etag"
    case .age: "age"
    case .ifNoneMatch: "if-none-match"
    case .xOriginalURL: "x-original-url"
    case .xForwardedURI: "x-forwarded-uri"
    case .http2Settings: "http2-settings"
    case .secWebSocketKey: "sec-websocket-key"
    case .secWebSocketAccept: "sec-websocket-accept"
    case .secWebSocketVersion: "sec-websocket-version"
    case .secWebSocketProtocol: "sec-websocket-protocol"
    case .grpcTimeout: "grpc-timeout"
    case .grpcStatus: "grpc-status"
    case .dpop: "dpop"
    }
  }

  /// The field's bit in a set of fields.
  @inlinable
  public var bit: UInt64 { 1 << UInt64(rawValue) }

  /// Whether the field belongs to one connection only and is never passed on (RFC 9110 §7.6.1), nominated or not.
  @inlinable
  public var isHopByHop: Bool { Self.hopByHopBits & bit != 0 }

  /// Whether a field says where a message ends or whom it is for. Such a field cannot come in a trailer section (RFC
  /// 9110 §6.5.1) and cannot be nominated by Connection.
  @inlinable
  public var isFramingOrRouting: Bool { Self.framingBits & bit != 0 }

  /// Whether proxies may use the field to describe their peers. Fields without a name here may be such.
  @inlinable
  public var mayTellOfPeers: Bool { Self.peerBits & bit != 0 }

  @inlinable static var peerBits: UInt64 {
    other.bit | xForwardedFor.bit | xForwardedProto.bit | xForwardedHost.bit | xForwardedPort.bit | xRealIP.bit
      | forwarded.bit | xOriginalURL.bit | xForwardedURI.bit
  }

  @inlinable public static var hopByHopBits: UInt64 {
    connection.bit | keepAlive.bit | proxyConnection.bit | proxyAuthorization.bit | proxyAuthenticate.bit | te.bit
      | trailer.bit | transferEncoding.bit | upgrade.bit | http2Settings.bit
  }

  @inlinable static var framingBits: UInt64 { host.bit | contentLength.bit | transferEncoding.bit }
}
