// X-Request-Id, kept or made, and traceparent (W3C Trace Context), passed on or made.

import Bytes
import HTTPWire

extension Exchange {
  /// LIMIT: a client's request id is kept up to this length, if it is plain: it goes into logs, bodies and other
  /// services.
  private static let requestIDByteCountMax = 128

  func ensureRequestID() {
    if !requestID.isEmpty { return }
    if head.count(of: .xRequestID) == 1, let field = head.first(.xRequestID) {
      keepRequestID(head.bytes.span, field.value)
      if !requestID.isEmpty { return }
    }
    requestID.append(hexadecimal: worker.randomIdentifiers.next(), width: 16)
    requestID.append(hexadecimal: worker.randomIdentifiers.next(), width: 16)
  }

  private func keepRequestID(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    let value = bytes.extracting(range)
    if value.count <= Self.requestIDByteCountMax, isPlain(value) { requestID.append(value) }
  }

  func writeTracing(_ route: CompiledRoute) {
    if !route.isRuled(.xRequestID) {
      upstreamHead.append("X-Request-Id: ")
      upstreamHead.append(requestID.span)
      upstreamHead.append("\r\n")
    }
    if !route.isRuled(.traceparent) { writeTraceParent() }
  }

  private func writeTraceParent() {
    upstreamHead.append("traceparent: ")
    if isTraceKept, let field = head.first(.traceparent) {
      let bytes = head.bytes.span
      upstreamHead.append(bytes.extracting(field.value))
      let start = field.value.lowerBound
      traceID.append(bytes.extracting((start + 3)..<(start + 35)))
    } else {
      upstreamHead.append("00-")
      traceID.append(hexadecimal: worker.randomIdentifiers.next() | 1, width: 16)
      traceID.append(hexadecimal: worker.randomIdentifiers.next(), width: 16)
      upstreamHead.append(traceID.span)
      upstreamHead.append("-")
      upstreamHead.append(hexadecimal: worker.randomIdentifiers.next() | 1, width: 16)
      // Not sampled: the gateway records no span of its own, and leaves the decision to the services.
      upstreamHead.append("-00")
    }
    upstreamHead.append("\r\n")
  }

  /// One well-formed traceparent of version 00 whose ids are not all zero. Anything else starts a new trace.
  // Not inlined: most requests have no trace.
  var isTraceKept: Bool { @inline(never) get { Self.isTraceKept(of: head) } }

  private static func isTraceKept(of head: borrowing RequestHead) -> Bool {
    guard head.count(of: .traceparent) == 1, let field = head.first(.traceparent), field.value.count == 55 else {
      return false
    }
    return isTraceParent(head.bytes.span, field.value)
  }

  private static func isTraceParent(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let value = bytes.extracting(range)
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

  /// Letters, digits and `-_.+/=:@`: nothing that needs quotes anywhere.
  private func isPlain(_ value: Span<UInt8>) -> Bool {
    for index in value.indices {
      switch value[index] {
      case 0x30...0x3A, 0x40...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x3D, 0x5F: continue
      default: return false
      }
    }
    return true
  }
}
