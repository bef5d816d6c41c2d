// The upstream's response on its way to the client, with back-pressure: a client that does not read holds the upstream
// back.

import Bytes
import HTTPWire

extension Exchange {
  func receivedInformational(_ response: borrowing ResponseHead) {
    guard let downstream else { return }
    answer.isInterimSent = true
    downstream.writeInformational(response, of: self)
    holdUpstreamBack(for: downstream)
  }

  private func holdUpstreamBack(for downstream: any DownstreamStream) {
    if downstream.isOutputFull {
      downstream.awaitDrain()
      delivery.stream?.pauseReading()
    }
  }

  /// - Parameter isEnd: nothing follows the head, not even trailers, whatever its framing says.
  func receivedResponseHead(_ response: borrowing ResponseHead, framing: BodyFraming, isEnd: Bool = false) {
    answer.hasBegun = true
    switch framing {
    case .none, .length: break
    case .chunked, .untilClose: answer.isOpenEnded = !isEnd
    }
    answer.isHeadOnly = isEnd
    times.upstreamRespondedAt = worker.time.nanoseconds
    times.upstreamReceivedAt = times.upstreamRespondedAt
    if let field = response.first(.grpcStatus) { noteGRPCStatus(field, response.bytes.span.extracting(field.value)) }
    answer.upstreamStatus = response.status
    answer.status = response.status
    var framing = framing
    if let route {
      if let plan = route.compression { framing = framingOfCompressed(response, framing, plan) }
      if !route.responseTemplates.isEmpty { fill(route.responseTemplates, route, into: &answer.addedLines) }
    }
    downstream?.writeHead(response, framing: framing, of: self)
  }

  func receivedResponseBody(_ bytes: Span<UInt8>) {
    times.upstreamReceivedAt = worker.time.nanoseconds
    if tunnel != nil { passToClient(bytes) } else { writeDownstream(bytes) }
  }

  func receivedResponseBody(moving bytes: inout ByteQueue) {
    guard tunnel == nil, answer.compression.compressor == nil, let downstream else {
      return receivedResponseBody(bytes.span)
    }
    passedResponseBody(bytes.count)
    downstream.writeBody(moving: &bytes)
    holdUpstreamBack(for: downstream)
  }

  /// So much of the answer's body goes to the client as it came.
  func passedResponseBody(_ byteCount: Int) {
    times.upstreamReceivedAt = worker.time.nanoseconds
    answer.byteCount &+= UInt64(byteCount)
  }

  func writeDownstream(_ bytes: Span<UInt8>) {
    if let compressor = answer.compression.compressor { writeCompressed(bytes, compressor) } else { writePlain(bytes) }
  }

  func writePlain(_ bytes: Span<UInt8>) {
    answer.byteCount &+= UInt64(bytes.count)
    guard let downstream else { return }
    downstream.writeBody(bytes)
    holdUpstreamBack(for: downstream)
  }

  func receivedTrailers(_ trailers: borrowing FieldSection) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if field.known == .grpcStatus { noteGRPCStatus(field, bytes.extracting(field.value)) }
    }
    if endCompressed() { downstream?.writeEnd(trailers: trailers) }
  }

  func completeResponse() {
    // Cut short just now.
    if downstream == nil { return }
    answer.isComplete = true
    finish(.complete)
  }

  func downstreamDrained() { delivery.stream?.resumeReading() }
}
