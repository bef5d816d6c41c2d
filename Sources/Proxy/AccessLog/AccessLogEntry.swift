// What is known of one finished exchange, gathered for its line in the access log. One entry is kept per worker and used
// again, so that filling it allocates nothing once warm.
//
// Invariant: no token and no query ever gets in here (T59): paths and referers are cut at `?` and `#`, as tokens may stand
// behind it, and there is no field for a credential.

import Bytes
package import Configuration

/// The content of an access log line. Texts are copied; what was not set, or is empty, is absent from the line.
package struct AccessLogEntry: ~Copyable {
  /// When the request began, in milliseconds since 1970.
  package var unixMilliseconds: Int64 = 0
  /// As sent to the client; 499 when it was gone before. 0 is absent.
  package var status = 0
  package var requestByteCount: UInt64 = 0
  package var responseByteCount: UInt64 = 0
  /// From the request's head to the response's end.
  package var nanoseconds: UInt64 = 0
  /// Of the upstream's response; 0 is absent.
  package var upstreamStatus = 0
  /// How often the request was sent to a server; 0 where it was to none.
  package var attemptCount = 0
  /// How long the connect took; nil when none was needed.
  package var connectNanoseconds: UInt64?
  /// From the request's first byte sent upstream to the response's head.
  package var responseNanoseconds: UInt64?
  /// How a gRPC call ended; nil for all other requests.
  package var grpcStatus: Int?
  /// Whether the TLS session of the client's connection was resumed; nil without TLS.
  package var isTLSResumed: Bool?

  private var texts = ByteQueue()
  /// Where each text lies in `texts`, by its ``slot(of:)``.
  private var starts = InlineArray<18, Int32>(repeating: 0)
  private var ends = InlineArray<18, Int32>(repeating: 0)

  // LIMIT: a text is cut at this length, so that no request makes a line of more than some 200 KiB.
  static var textByteCountMax: Int { 8192 }

  package init() {}

  /// Forgets everything and keeps the memory.
  package mutating func reset() {
    unixMilliseconds = 0
    status = 0
    requestByteCount = 0
    responseByteCount = 0
    nanoseconds = 0
    upstreamStatus = 0
    attemptCount = 0
    connectNanoseconds = nil
    responseNanoseconds = nil
    grpcStatus = nil
    isTLSResumed = nil
    texts.removeAll()
    starts = InlineArray(repeating: 0)
    ends = InlineArray(repeating: 0)
  }

  /// Sets a text as it came, hostile or not: escaping is the formatter's. Fields that are numbers are set above and
  /// ignored here.
  package mutating func set(_ field: AccessLogField, _ text: Span<UInt8>) {
    let slot = Self.slot(of: field)
    if slot < 0 { return }
    var count = min(text.count, Self.textByteCountMax)
    if slot == Self.pathSlot || slot == Self.refererSlot {
      if let query = text.firstIndex(of: UInt8(ascii: "?")) { count = min(count, query) }
      if let fragment = text.firstIndex(of: UInt8(ascii: "#")) { count = min(count, fragment) }
    }
    starts[slot] = Int32(truncatingIfNeeded: texts.count)
    texts.append(text.extracting(0..<count))
    ends[slot] = Int32(truncatingIfNeeded: texts.count)
  }

  package mutating func set(_ field: AccessLogField, _ text: String) {
    set(field, text.utf8.span)
  }

  /// A text field's bytes; empty when absent or a number.
  // Inlined, so that the slot of a field named in the code is a constant.
  @inline(__always)
  @_lifetime(borrow self)
  func text(_ field: AccessLogField) -> Span<UInt8> {
    let slot = Self.slot(of: field)
    return slot < 0 ? texts.span.extracting(0..<0) : texts.span.extracting(Int(starts[slot])..<Int(ends[slot]))
  }

  /// Whether no text needs escaping in any format: looked at once for all of them, which costs less than one by one.
  var isPlain: Bool { texts.span.isPlain }

  private static var pathSlot: Int { 3 }
  private static var refererSlot: Int { 14 }

  @inline(__always)
  private static func slot(of field: AccessLogField) -> Int {
    switch field {
    case .clientIP: 0
    case .method: 1
    case .host: 2
    case .path: pathSlot
    case .protocol: 4
    case .route: 5
    case .upstream: 6
    case .server: 7
    case .issuer: 8
    case .subject: 9
    case .reason: 10
    case .requestID: 11
    case .traceID: 12
    case .userAgent: 13
    case .referer: refererSlot
    case .tlsVersion: 15
    case .tlsCipher: 16
    case .alpn: 17
    case .time, .status, .requestBytes, .responseBytes, .duration, .upstreamStatus, .attempts, .upstreamConnect,
      .upstreamResponse,
      .grpcStatus, .tlsResumed:
      -1
    }
  }
}
