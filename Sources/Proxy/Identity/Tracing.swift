// X-Request-Id, kept or made, and traceparent (W3C Trace Context), passed on or made.

import Bytes
import Configuration
import HTTPWire

/// `request_id`, prepared.
struct RequestIDFields: Sendable {
  /// The header's name in lower case. Empty for X-Request-Id, of which heads keep a bit.
  let name: [UInt8]
  /// The line's beginning.
  let prefix: [UInt8]
  let trust: RequestIDRules.Trust
  /// Whether X-Request-Id is the header, and anyone's is kept.
  let isUsual: Bool
  /// Otherwise only refusals have the id.
  let isInEveryAnswer: Bool

  init(_ rules: RequestIDRules?) {
    let known = rules ?? RequestIDRules()
    let isStandard = known.header == RequestIDRules.standardHeader
    name = isStandard ? [] : Array(known.header.lowercased().utf8)
    prefix = Array("\(known.header): ".utf8)
    trust = known.trust
    isUsual = isStandard && known.trust == .anyone
    isInEveryAnswer = rules != nil
  }
}

extension ClientRequest {
  /// LIMIT: a client's request id is kept up to this length, if it is plain: it goes into logs, bodies and other
  /// services.
  private static var idByteCountMax: Int { 128 }

  mutating func ensureID(by snapshot: Snapshot, from identifiers: inout RandomIdentifiers) {
    if !id.isEmpty { return }
    if snapshot.requestID.isUsual {
      if head.count(of: .xRequestID) == 1, let field = head.first(.xRequestID) {
        Self.keepID(of: head, at: field.value, in: &id)
      }
    } else {
      keepID(by: snapshot.requestID)
    }
    if !id.isEmpty { return }
    id.append(hexadecimal: identifiers.next(), width: 16)
    id.append(hexadecimal: identifiers.next(), width: 16)
  }

  private mutating func keepID(by rules: RequestIDFields) {
    switch rules.trust {
    case .anyone: break
    case .trustedProxies: if !peer.isTrusted { return }
    case .nobody: return
    }
    if rules.name.isEmpty {
      if head.count(of: .xRequestID) == 1, let field = head.first(.xRequestID) {
        Self.keepID(of: head, at: field.value, in: &id)
      }
    } else if case .found(let value) = head.search(header: rules.name.span) {
      Self.keepID(of: head, at: value, in: &id)
    }
  }

  private static func keepID(of head: borrowing RequestHead, at range: Range<Int>, in id: inout ByteQueue) {
    let value = head.bytes.span.extracting(range)
    if value.count <= idByteCountMax, isPlain(value) { id.append(value) }
  }

  func appendIDLine(of snapshot: Snapshot, to output: inout ByteQueue) {
    output.append(snapshot.requestID.prefix)
    output.append(id.span)
    output.append("\r\n")
  }

  @inline(__always)
  func writeID(_ route: CompiledRoute, _ snapshot: Snapshot, into output: inout ByteQueue) {
    if route.isRuled(.xRequestID) { return }
    if snapshot.requestID.isUsual {
      output.append("X-Request-Id: ")
    } else {
      output.append(snapshot.requestID.prefix)
    }
    output.append(id.span)
    output.append("\r\n")
  }

  /// The line of a request that the gateway does not trace itself.
  /// - Parameter isTraceKept: whether the client's trace goes on. See ``RequestHead/hasTrace``.
  @inline(__always)
  mutating func writeTraceParent(
    _ isTraceKept: Bool, _ identifiers: inout RandomIdentifiers, into output: inout ByteQueue
  ) {
    output.append("traceparent: ")
    if isTraceKept, let field = head.first(.traceparent) {
      output.append(head.bytes.span.extracting(field.value))
      let start = field.value.lowerBound
      Self.copy((start + 3)..<(start + 35), of: head, to: &traceID)
    } else {
      output.append("00-")
      traceID.append(hexadecimal: identifiers.next() | 1, width: 16)
      traceID.append(hexadecimal: identifiers.next(), width: 16)
      output.append(traceID.span)
      output.append("-")
      output.append(hexadecimal: identifiers.next() | 1, width: 16)
      // Not sampled: the gateway has no span of its own here, and leaves the decision to the services.
      output.append("-00")
    }
    output.append("\r\n")
  }

  private static func copy(_ range: Range<Int>, of head: borrowing RequestHead, to output: inout ByteQueue) {
    output.append(head.bytes.span.extracting(range))
  }

  /// Letters, digits and `-_.+/=:@`: nothing that needs quotes anywhere.
  private static func isPlain(_ value: Span<UInt8>) -> Bool {
    for index in value.indices {
      switch value[index] {
      case 0x30...0x3A, 0x40...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x3D, 0x5F: continue
      default: return false
      }
    }
    return true
  }
}

extension RequestHead {
  /// Whether there is one well-formed traceparent of version 00 whose ids are not all zero. Anything else starts a new
  /// trace.
  @inline(__always)
  var hasTrace: Bool { has(.traceparent) && hasValidTrace }

  // Not inlined: most requests have no trace.
  private var hasValidTrace: Bool {
    @inline(never) get {
      guard count(of: .traceparent) == 1, let field = first(.traceparent), field.value.count == 55 else { return false }
      return Self.isTraceParent(bytes.span.extracting(field.value))
    }
  }

  private static func isTraceParent(_ value: Span<UInt8>) -> Bool {
    var traceBits: UInt8 = 0
    var spanBits: UInt8 = 0
    for index in value.indices {
      let byte = value[index]
      if index == 2 || index == 35 || index == 52 {
        if byte != 0x2D { return false }
        continue
      }
      guard let nibble = hexadecimalValue(byte), byte < 0x41 || byte > 0x46 else { return false }
      if index < 2, nibble != 0 { return false }
      if index > 2, index < 35 { traceBits |= UInt8(nibble) }
      if index > 35, index < 52 { spanBits |= UInt8(nibble) }
    }
    return traceBits != 0 && spanBits != 0
  }
}
