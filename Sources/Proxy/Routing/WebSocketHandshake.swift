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

extension ClientRequest {
  /// On a route that lets WebSockets through, a handshake becomes the wish for a tunnel. Ordinary requests pass as
  /// ever.
  /// - Returns: what is wrong with a handshake.
  mutating func checkHandshake(_ route: CompiledRoute) -> Refusal? {
    if let protocolName = head.connectProtocol {
      guard route.webSocket != nil, protocolName == .webSocket else { return .head(.methodUnsupported) }
      // What is announced as content would be the server's to wait for, and the tunnel's bytes the wrong ones.
      if head.count(of: .contentLength) > 0, head.framing != .length(0) {
        return .gateway(.webSocketHandshakeInvalid)
      }
    } else {
      guard route.webSocket != nil, head.asksForWebSocket else { return nil }
      // Java's client says that there is no content: `Content-Length: 0`.
      guard head.count(of: .upgrade) == 1, head.method == .get, head.framing == .none || head.framing == .length(0),
        head.hasWebSocketKey
      else { return .gateway(.webSocketHandshakeInvalid) }
    }
    if !head.namesWebSocketVersion { return .gateway(.webSocketVersionUnsupported) }
    if !head.mayOpenTunnel(on: route) { return .gateway(.originNotAllowed) }
    handshake.isRequested = true
    // Its content begins when the tunnel does.
    body.isComplete = true
    return nil
  }
}

extension RequestHead {
  fileprivate var asksForWebSocket: Bool {
    guard asksForUpgrade, let field = first(.upgrade) else { return false }
    return bytes.span.extracting(field.value).equalsIgnoringCase("websocket")
  }

  fileprivate var namesWebSocketVersion: Bool {
    guard count(of: .secWebSocketVersion) == 1, let field = first(.secWebSocketVersion) else { return false }
    return bytes.span.extracting(field.value).equalsIgnoringCase("13")
  }

  /// 16 bytes in base64, once.
  fileprivate var hasWebSocketKey: Bool {
    guard count(of: .secWebSocketKey) == 1, let field = first(.secWebSocketKey), field.value.count == 24 else {
      return false
    }
    let key = bytes.span.extracting(field.value)
    for index in 0..<22 where !Self.isBase64(key[index]) { return false }
    return key[22] == 0x3D && key[23] == 0x3D
  }

  private static func isBase64(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2B || byte == 0x2F
  }
}
