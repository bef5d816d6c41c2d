// A token among the subprotocols that a WebSocket client offers, since a browser's page can set no other field of a
// handshake: `Sec-WebSocket-Protocol: bearer, TOKEN, chat`. The pair is taken out. The server sees the rest.

import Bytes
import HTTPWire

extension ClientRequest {
  var tokenInWebSocketProtocol: TokenSearch {
    if !handshake.isRequested || head.count(of: .secWebSocketProtocol) == 0 { return .missing }
    let bytes = head.bytes.span
    var found = TokenSearch.missing
    var isTokenNext = false
    for index in head.fields.indices where head.fields[index].known == .secWebSocketProtocol {
      var elements = ListElements(head.fields[index].value)
      while let element = elements.next(in: bytes) {
        if isTokenNext {
          found = .found(.field(element))
          isTokenNext = false
        } else if Self.isBearer(bytes.extracting(element)) {
          if found != .missing { return .ambiguous }
          isTokenNext = true
        }
      }
    }
    return isTokenNext ? .malformed : found
  }

  private static func isBearer(_ element: Span<UInt8>) -> Bool { element.equalsIgnoringCase("bearer") }

  /// Whether the token that was verified is among the subprotocols and goes on: then all lines do, as they are.
  func isProtocolForwarded(_ route: CompiledRoute) -> Bool {
    for index in head.fields.indices where head.fields[index].known == .secWebSocketProtocol {
      if isForwardedToken(head.fields[index], route) { return true }
    }
    return false
  }

  /// Writes what the client offers beside the token, if anything.
  mutating func writeOfferedProtocols(into output: inout ByteQueue) {
    if Self.writeOfferedProtocols(head, into: &output) { handshake.isBearerTaken = true }
  }

  /// - Returns: whether a token was left out.
  private static func writeOfferedProtocols(_ head: borrowing RequestHead, into output: inout ByteQueue) -> Bool {
    let bytes = head.bytes.span
    var isTokenNext = false
    var isTaken = false
    var hasWritten = false
    for index in head.fields.indices where head.fields[index].known == .secWebSocketProtocol {
      var elements = ListElements(head.fields[index].value)
      while let element = elements.next(in: bytes) {
        if isTokenNext {
          isTokenNext = false
        } else if isBearer(bytes.extracting(element)) {
          isTokenNext = true
          isTaken = true
        } else {
          output.append(hasWritten ? ", " : "Sec-WebSocket-Protocol: ")
          output.append(bytes.extracting(element))
          hasWritten = true
        }
      }
    }
    if hasWritten { output.append("\r\n") }
    return isTaken
  }

  /// Whether the client has to receive `bearer`: it offered that, with a token, and the server, which never saw it,
  /// chose nothing else. Browsers end a connection on which none of the offered subprotocols is chosen.
  func isBearerAnswered(by response: borrowing ResponseHead) -> Bool {
    handshake.isBearerTaken && response.count(of: .secWebSocketProtocol) == 0
  }
}
