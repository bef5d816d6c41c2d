// Whether a request asks for a WebSocket, and asks in the right way: RFC 6455 §4.2.1 over HTTP/1.1, RFC 8441 §5 over HTTP/2.
// Half a handshake is refused, as the server behind might take it for a whole one.

import Bytes
import HTTPWire

extension Exchange {
  /// On a route that lets WebSockets through, a handshake becomes the wish for a tunnel; ordinary requests pass as ever.
  func checkHandshake(_ route: CompiledRoute) -> StageOutcome {
    if let wanted = head.connectProtocol {
      guard route.webSocket != nil, wanted == .webSocket else { return .refuse(.head(.methodUnsupported)) }
    } else {
      guard route.webSocket != nil, head.wantsUpgrade, let field = head.first(.upgrade),
        head.bytes.span.extracting(field.value).equalsIgnoringCase("websocket")
      else { return .next }
      guard head.count(of: .upgrade) == 1, head.method == .get, head.framing == .none, hasKey(head.bytes.span) else {
        return .refuse(.gateway(.webSocketHandshakeInvalid))
      }
    }
    guard head.count(of: .secWebSocketVersion) == 1, let version = head.first(.secWebSocketVersion),
      head.bytes.span.extracting(version.value).equalsIgnoringCase("13")
    else { return .refuse(.gateway(.webSocketVersionUnsupported)) }
    isTunnelWanted = true
    // Its content begins when the tunnel does.
    isRequestComplete = true
    return .next
  }

  /// 16 bytes in base64, once.
  private func hasKey(_ bytes: Span<UInt8>) -> Bool {
    guard head.count(of: .secWebSocketKey) == 1, let field = head.first(.secWebSocketKey), field.value.count == 24
    else {
      return false
    }
    let key = bytes.extracting(field.value)
    return key[22] == 0x3D && key[23] == 0x3D
  }
}
