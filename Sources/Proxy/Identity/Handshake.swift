// The handshake of a WebSocket as the upstream gets it. Over HTTP/1.1 the client's key goes on, and the client checks
// what the server makes of it. A client that speaks HTTP/2 sends no key (RFC 8441 §5), so one is made and checked here.

import Bytes
import Cryptography
import HTTPWire
import Tokens

extension ClientRequest {
  mutating func writeHandshake(
    _ route: CompiledRoute, _ identifiers: inout RandomIdentifiers, into output: inout ByteQueue
  ) {
    if route.token.isWebSocketProtocolSource, !isProtocolForwarded(route) { writeOfferedProtocols(into: &output) }
    if head.connectProtocol != nil { handshake.writeKey(&identifiers, into: &output) }
    output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
  }
}

extension WebSocketHandshake {
  fileprivate mutating func writeKey(_ identifiers: inout RandomIdentifiers, into output: inout ByteQueue) {
    let random = [identifiers.next(), identifiers.next()]
    let bytes = random.flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) } }
    let key = Base64.encode(bytes.span)
    output.append("Sec-WebSocket-Key: ")
    output.append(key)
    output.append("\r\n")
    let accepted = key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    accept = Base64.encode(SHA1.digest(accepted.span).span)
  }

  /// Whether a 101 agrees to what was asked for (RFC 6455 §4.1).
  func isAgreed(by response: borrowing ResponseHead) -> Bool {
    guard isRequested, response.isUpgrade, response.count(of: .upgrade) == 1, let field = response.first(.upgrade)
    else {
      return false
    }
    let bytes = response.bytes.span
    guard bytes.extracting(field.value).equalsIgnoringCase("websocket") else { return false }
    if accept.isEmpty { return true }
    guard response.count(of: .secWebSocketAccept) == 1, let field = response.first(.secWebSocketAccept) else {
      return false
    }
    return bytes.extracting(field.value).equals(accept)
  }
}
