// The body of a request in HTTP/1 (RFC 9112 §6, §7): cut out of the input and handed to the exchange, or thrown away.

import Bytes
import HTTPWire

extension HTTP1DownstreamConnection {
  /// The request's body is all that comes from now on.
  func switchToTunnel() {
    framing = .untilClose
    responseFraming = .untilClose
    isPersistent = false
    state = .body
  }

  func consumeBody(_ bytes: Span<UInt8>, _ offset: inout Int) {
    lastBodyReadAt = worker.time.nanoseconds
    if framing == .untilClose {
      let range = offset..<bytes.count
      offset = bytes.count
      bodyData(bytes.extracting(range))
      return
    }
    if framing == .chunked {
      consumeChunk(bytes, &offset)
      return
    }
    let count = Int(clamping: min(bodyLeft, UInt64(bytes.count - offset)))
    let range = offset..<(offset + count)
    offset += count
    bodyLeft -= UInt64(count)
    bodyData(bytes.extracting(range))
    if bodyLeft == 0 { bodyEnded() }
  }

  /// Whether the next bytes are the body's, with no framing between them and nothing behind.
  func isBodyAlone(_ byteCount: Int) -> Bool {
    guard let knownBodyLeft else { return false }
    return UInt64(byteCount) <= knownBodyLeft
  }

  func consumeBody(moving bytes: inout ByteQueue, _ exchange: Exchange) {
    lastBodyReadAt = worker.time.nanoseconds
    bodyLeft -= UInt64(bytes.count)
    exchange.receivedBody(moving: &bytes)
    if bodyLeft == 0 { bodyEnded() }
  }

  private func consumeChunk(_ bytes: Span<UInt8>, _ offset: inout Int) {
    // Only a rest of known length is thrown away: behind an exchange no chunk is read.
    guard let exchange else {
      offset = bytes.count
      return linger()
    }
    let event = exchange.request.body.nextChunk(bytes, offset: &offset, limits: exchange.snapshot.headLimits)
    switch event {
    case .data(let range): bodyData(bytes.extracting(range))
    case .needMore: offset = bytes.count
    case .end: bodyEnded()
    case .malformed:
      offset = bytes.count
      isPersistent = false
      exchange.refuse(.gateway(.bodyMalformed))
    }
  }

  private func bodyData(_ bytes: Span<UInt8>) {
    if state == .discarding {
      discardedByteCount += bytes.count
      if discardedByteCount > Self.discardByteCountMax { linger() }
    } else if bytes.count > 0 {
      exchange?.receivedBody(bytes)
    }
  }

  func bodyEnded() {
    if state == .discarding {
      becomeIdle()
    } else if let exchange, state == .body {
      state = .waiting
      exchange.receivedBodyEnd()
    }
  }
}
