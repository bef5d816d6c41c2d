// Writing a response in HTTP/1 (RFC 9112 §4, §6): its framing is made again for this client, whatever the upstream
// used.

import Bytes
import HTTPWire

extension HTTP1DownstreamConnection {
  /// Writes an upstream's final head. Decides the framing, and whether the connection lives on.
  func writeHead(_ response: borrowing ResponseHead, framing upstreamFraming: BodyFraming, of exchange: Exchange) {
    switch upstreamFraming {
    case .none: responseFraming = .none
    case .length(let count): responseFraming = .length(count)
    case .chunked, .untilClose:
      if exchange.request.head.version == .http11 {
        responseFraming = .chunked
      } else {
        // An HTTP/1.0 client knows the end by the close.
        responseFraming = .untilClose
        isPersistent = false
        // Whatever ends it early, a client must not take it for complete (T61).
        isResetWanted = true
      }
    }
    settlePersistence(of: exchange)
    prepareOutput()
    output.reserve(response.bytes.count + 256)
    writeStatusLine(response.status, reason: response)
    exchange.writeLines(of: response, framing: upstreamFraming, to: &output)
    if case .chunked = responseFraming { output.append("Transfer-Encoding: chunked\r\n") }
    writeConnectionField(of: exchange)
    output.append("\r\n")
    flush()
  }

  /// Writes an interim head (RFC 9110 §15.2), for clients that understand it.
  func writeInformational(_ response: borrowing ResponseHead, of exchange: Exchange) {
    if exchange.request.head.version == .http10 { return }
    if response.status == 100, !exchange.request.head.expectsContinue { return }
    writeStatusLine(response.status, reason: response)
    exchange.writeInterimLines(of: response, to: &output)
    output.append("\r\n")
    flush()
  }

  func openTunnel(_ response: borrowing ResponseHead, of exchange: Exchange) {
    switchToTunnel()
    output.append("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    exchange.writeTunnelLines(of: response, to: &output)
    output.append("\r\n")
    flush()
  }

  func writeBody(_ bytes: Span<UInt8>) {
    switch responseFraming {
    case .none: return
    case .length, .untilClose:
      output.append(bytes)
    case .chunked:
      output.reserve(bytes.count + 20)
      output.append(hexadecimal: UInt64(bytes.count))
      output.append("\r\n")
      output.append(bytes)
      output.append("\r\n")
    }
    flush()
  }

  func writeBody(moving bytes: inout ByteQueue) {
    if !takesBodyAsIs { return writeBody(bytes.span) }
    output.append(moving: &bytes)
    flush()
  }

  /// Whether a body's bytes are written with nothing between them.
  var takesBodyAsIs: Bool {
    switch responseFraming {
    case .length, .untilClose: true
    case .none, .chunked: false
    }
  }

  func writeEnd(trailers: borrowing FieldSection) {
    guard case .chunked = responseFraming else { return }
    output.append("0\r\n")
    exchange?.writeKept(trailers, to: &output)
    output.append("\r\n")
    flush()
  }

  /// Writes a whole answer of the gateway's own.
  func write(_ answer: GatewayAnswer, of exchange: Exchange) {
    settlePersistence(of: exchange)
    prepareOutput()
    output.append("HTTP/1.1 ")
    output.append(decimal: UInt64(answer.status))
    output.append(" ")
    output.append(text: answer.reason)
    output.append("\r\n")
    exchange.writeLines(of: answer, to: &output)
    writeConnectionField(of: exchange)
    output.append("\r\n")
    if answer.hasContent(for: exchange.request.head.method) { output.append(answer.body) }
    flush()
  }

  /// The connection can live on only if the rest of the request is sure to come and small enough to be thrown away.
  private func settlePersistence(of exchange: Exchange) {
    if worker.isDraining || isRetiring { isPersistent = false }
    // What came behind a handshake that was not agreed to is a tunnel's bytes, and no request.
    if exchange.request.handshake.isRequested { isPersistent = false }
    if exchange.request.body.isComplete { return }
    // A client that waits for 100 (Continue) may send its body or not: nobody knows what comes next.
    if exchange.request.head.expectsContinue || !isRestDiscardable { isPersistent = false }
  }

  private func writeStatusLine(_ status: Int, reason response: borrowing ResponseHead) {
    output.append("HTTP/1.1 ")
    output.append(decimal: UInt64(truncatingIfNeeded: status))
    output.append(" ")
    output.append(response.bytes.span.extracting(response.reasonRange))
    output.append("\r\n")
  }

  private func writeConnectionField(of exchange: Exchange) {
    if !isPersistent {
      output.append("Connection: close\r\n")
    } else if exchange.request.head.version == .http10 {
      output.append("Connection: keep-alive\r\n")
    }
  }
}

extension ByteQueue: HeadSink {
  @inline(__always)
  mutating func append(_ fields: Range<Int>, of response: borrowing ResponseHead) {
    let start = response.fields[fields.lowerBound].line.lowerBound
    let end = response.fields[fields.upperBound - 1].line.upperBound
    append(response.bytes.span.extracting(start..<end))
  }

  @inline(__always)
  mutating func append(lines: Span<UInt8>) { append(lines) }

  @inline(__always)
  mutating func append(_ date: DateField) { append(date.line) }

  mutating func append(contentLength: Int) {
    append("Content-Length: ")
    append(decimal: UInt64(contentLength))
    append("\r\n")
  }
}
