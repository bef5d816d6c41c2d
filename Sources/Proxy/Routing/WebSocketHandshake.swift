// Whether a request asks for a WebSocket, and asks in the right way: RFC 6455 §4.2.1 over HTTP/1.1, RFC 8441 §5 over
// HTTP/2. Half a handshake is refused, as the server behind might take it for a whole one.

import Bytes
import HTTPWire

/// What is known of a request that asks for a WebSocket.
struct WebSocketHandshake {
  /// The handshake was checked: the server is asked to switch.
  var isRequested = false
  /// `bearer` and a token were taken out of the subprotocols that the client offers.
  var isBearerTaken = false
  /// What the server must answer to the key of a handshake that was made here. Empty where the client checks.
  var accept: [UInt8] = []

  mutating func reset() { self = WebSocketHandshake() }
}

extension Exchange {
  /// On a route that lets WebSockets through, a handshake becomes the wish for a tunnel. Ordinary requests pass as
  /// ever.
  func checkHandshake(_ route: CompiledRoute) -> StageOutcome {
    if let wanted = request.head.connectProtocol {
      guard route.webSocket != nil, wanted == .webSocket else { return .refuse(.head(.methodUnsupported)) }
      // What is announced as content would be the server's to wait for, and the tunnel's bytes the wrong ones.
      if request.head.count(of: .contentLength) > 0, request.head.framing != .length(0) {
        return .refuse(.gateway(.webSocketHandshakeInvalid))
      }
    } else {
      guard route.webSocket != nil, request.head.wantsUpgrade, let field = request.head.first(.upgrade),
        request.head.bytes.span.extracting(field.value).equalsIgnoringCase("websocket")
      else { return .next }
      // Java's client says that there is no content: `Content-Length: 0`.
      guard request.head.count(of: .upgrade) == 1, request.head.method == .get,
        request.head.framing == .none || request.head.framing == .length(0),
        hasKey(request.head.bytes.span)
      else { return .refuse(.gateway(.webSocketHandshakeInvalid)) }
    }
    guard request.head.count(of: .secWebSocketVersion) == 1, let version = request.head.first(.secWebSocketVersion),
      request.head.bytes.span.extracting(version.value).equalsIgnoringCase("13")
    else { return .refuse(.gateway(.webSocketVersionUnsupported)) }
    if !mayOpenTunnel(route) { return .refuse(.gateway(.originNotAllowed)) }
    request.handshake.isRequested = true
    // Its content begins when the tunnel does.
    request.body.isComplete = true
    return .next
  }

  private static func isBase64(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2B || byte == 0x2F
  }

  /// 16 bytes in base64, once.
  private func hasKey(_ bytes: Span<UInt8>) -> Bool {
    guard request.head.count(of: .secWebSocketKey) == 1, let field = request.head.first(.secWebSocketKey),
      field.value.count == 24
    else {
      return false
    }
    let key = bytes.extracting(field.value)
    for index in 0..<22 where !Self.isBase64(key[index]) { return false }
    return key[22] == 0x3D && key[23] == 0x3D
  }
}
