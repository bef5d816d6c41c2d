// The upstream's response on its way to the client, with back-pressure: a client that does not read holds the upstream back.

import Bytes
import HTTPWire

extension Exchange {
  func receivedInformational(_ response: borrowing ResponseHead) {
    guard let downstream else { return }
    downstream.writeInformational(response, of: self)
    holdUpstreamBack(for: downstream)
  }

  private func holdUpstreamBack(for downstream: any DownstreamStream) {
    if downstream.isOutputFull {
      downstream.awaitDrain()
      upstream?.pauseReading()
    }
  }

  func receivedResponseHead(_ response: borrowing ResponseHead, framing: BodyFraming) {
    hasResponseBegun = true
    upstreamRespondedAt = worker.time.nanoseconds
    upstreamStatus = response.status
    responseStatus = response.status
    downstream?.writeHead(response, framing: framing, of: self)
  }

  func receivedResponseBody(_ bytes: Span<UInt8>) {
    responseByteCount &+= UInt64(bytes.count)
    guard let downstream else { return }
    downstream.writeBody(bytes)
    holdUpstreamBack(for: downstream)
  }

  func receivedTrailers(_ trailers: borrowing FieldSection) { downstream?.writeEnd(trailers: trailers) }

  func completeResponse() {
    isResponseComplete = true
    finish(.complete)
  }

  func downstreamDrained() { upstream?.resumeReading() }
}
