// WebSocket handshakes and frames by hand, for tests that say exactly what goes over the wire.

import Cryptography
import Foundation
import TestSupport

/// As a browser's, without an Origin.
func webSocketHandshake(_ path: String = "/", _ fields: [String] = []) -> String {
  let lines =
    [
      "GET \(path) HTTP/1.1", "Host: test", "Connection: Upgrade", "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ] + fields
  return lines.joined(separator: "\r\n") + "\r\n\r\n"
}

/// The 101 to a handshake.
func webSocketAgreement(to request: RawRequest) -> String {
  let key = request.values(of: "Sec-WebSocket-Key").first ?? ""
  let digest = SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8).span)
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Accept: \(Data(digest).base64EncodedString())\r\n\r\n"
}

/// A client's frame: masked, with the key 1, 2, 3, 4.
func maskedFrame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
  let key: [UInt8] = [1, 2, 3, 4]
  return [first, 0x80 | UInt8(payload.count)] + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
}
