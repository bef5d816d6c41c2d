// HTTP/2 by prior knowledge (RFC 9113 §3.3): its preface was chosen so that no request of HTTP/1 begins like it.

import Bytes

extension HTTP1DownstreamConnection {
  private static let preface: [UInt8] = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// Looks at a connection's first bytes. False when they are HTTP/1 and nothing was taken of them.
  func mayBecomeHTTP2(_ bytes: Span<UInt8>) -> Bool {
    if input.isEmpty, bytes.count > 0, bytes[0] != Self.preface[0] {
      isProtocolOpen = false
      return false
    }
    input.append(bytes)
    let count = min(input.count, Self.preface.count)
    if !input.span.extracting(0..<count).equals(Self.preface.span.extracting(0..<count)) {
      settleForHTTP1()
    } else if count == Self.preface.count {
      becomeHTTP2()
    }
    return true
  }

  /// What came so far, if anything, is HTTP/1.
  func settleForHTTP1() {
    if !isProtocolOpen { return }
    isProtocolOpen = false
    consumeInput()
  }

  private func becomeHTTP2() {
    isProtocolOpen = false
    guard let successor = HTTP2DownstreamConnection.open(worker: worker, client: client) else { return abort() }
    moveCounted(to: nil)
    isClosed = true
    worker.replace(self, by: successor)
    successor.opened()
    var taken = ByteQueue()
    swap(&taken, &input)
    successor.received(taken.span)
  }
}
