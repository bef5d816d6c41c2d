// The handshake of a WebSocket as the upstream gets it. Over HTTP/1.1 the client's key goes on, and the client checks
// what the server makes of it. A client that speaks HTTP/2 sends no key (RFC 8441 §5), so one is made and checked here.

import Bytes
import Cryptography
import HTTPWire
import Tokens

extension Exchange {
  func writeHandshake() {
    if let route, route.isWebSocketProtocolSource, !request.isProtocolForwarded(route) {
      request.writeOfferedProtocols(into: &upstreamHead.bytes)
    }
    if request.head.connectProtocol != nil { writeOwnKey() }
    upstreamHead.bytes.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
  }

  private func writeOwnKey() {
    let random = [worker.randomIdentifiers.next(), worker.randomIdentifiers.next()]
    let bytes = random.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    let key = base64(bytes)
    upstreamHead.bytes.append("Sec-WebSocket-Key: ")
    upstreamHead.bytes.append(key)
    upstreamHead.bytes.append("\r\n")
    let accepted = key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    request.handshake.accept = base64(SHA1.digest(accepted.span))
  }

  /// RFC 4648 §4.
  private func base64(_ bytes: [UInt8]) -> [UInt8] {
    var text = Base64URL.encode(bytes.span).map { $0 == 0x2D ? 0x2B : $0 == 0x5F ? 0x2F : $0 }
    while text.count % 4 != 0 { text.append(0x3D) }
    return text
  }

  /// Whether a 101 agrees to what was asked for (RFC 6455 §4.1).
  func isAgreed(_ response: borrowing ResponseHead) -> Bool {
    guard response.isUpgrade, response.count(of: .upgrade) == 1, let field = response.first(.upgrade) else {
      return false
    }
    let bytes = response.bytes.span
    guard bytes.extracting(field.value).equalsIgnoringCase("websocket") else { return false }
    if request.handshake.accept.isEmpty { return true }
    guard response.count(of: .secWebSocketAccept) == 1, let accept = response.first(.secWebSocketAccept) else {
      return false
    }
    return bytes.extracting(accept.value).equals(request.handshake.accept)
  }
}
