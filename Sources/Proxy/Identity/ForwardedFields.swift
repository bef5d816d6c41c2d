// Who the client is, for the upstream: X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239). What a peer says about
// those before it counts only if the peer is trusted. The peer's own address comes from the socket.

import Bytes
import HTTPWire

extension Exchange {
  func writeForwardedFields(_ route: CompiledRoute) {
    guard let client = downstream?.client else { return }
    if !route.isRuled(.xForwardedFor), !client.address.isUnix || request.head.count(of: .xForwardedFor) > 0 {
      upstreamHead.bytes.append("X-Forwarded-For: ")
      if request.peer.isTrusted, snapshot.trust.readsXForwardedFor {
        writeTrustedList(request.head.bytes.span, .xForwardedFor)
      }
      writeAddress(of: client)
    }
    if !route.isRuled(.xForwardedProto), !isPassedOn(.xForwardedProto) {
      upstreamHead.bytes.append(client.security == nil ? "X-Forwarded-Proto: http\r\n" : "X-Forwarded-Proto: https\r\n")
    }
    if !route.isRuled(.xForwardedHost), !isPassedOn(.xForwardedHost),
      let authority = request.head.authority
    {
      upstreamHead.bytes.append("X-Forwarded-Host: ")
      upstreamHead.bytes.append(request.head.bytes.span.extracting(authority))
      upstreamHead.bytes.append("\r\n")
    }
    if !route.isRuled(.forwarded), request.peer.isTrusted, snapshot.trust.readsForwarded,
      request.head.count(of: .forwarded) > 0
    {
      upstreamHead.bytes.append("Forwarded: ")
      writeTrustedList(request.head.bytes.span, .forwarded)
      if client.address.isUnix {
        // RFC 7239 §6.3: an identifier of our own making.
        upstreamHead.bytes.append("for=_unix")
      } else {
        upstreamHead.bytes.append(client.address.isIPv4 ? "for=" : "for=\"[")
        upstreamHead.bytes.append(text: client.addressText)
        if !client.address.isIPv4 { upstreamHead.bytes.append("]\"") }
      }
      upstreamHead.bytes.append(client.security == nil ? ";proto=http\r\n" : ";proto=https\r\n")
    }
  }

  /// Behind a list that ends in a comma. A peer on a Unix socket has no address of its own to add.
  private func writeAddress(of client: Client) {
    if client.address.isUnix {
      upstreamHead.bytes.truncate(to: upstreamHead.bytes.count - 2)
    } else {
      upstreamHead.bytes.append(text: client.addressText)
    }
    upstreamHead.bytes.append("\r\n")
  }

  /// Whether a trusted peer's own word goes on. One that Connection names was for this connection only.
  private func isPassedOn(_ known: KnownField) -> Bool {
    guard request.peer.isTrusted, let field = request.head.first(known) else { return false }
    return !field.isHopByHop
  }

  /// The values of all lines of a field as one list, with a comma behind.
  private func writeTrustedList(_ bytes: Span<UInt8>, _ known: KnownField) {
    if request.head.count(of: known) == 0 { return }
    for index in request.head.fields.indices where request.head.fields[index].known == known {
      upstreamHead.bytes.append(bytes.extracting(request.head.fields[index].value))
      upstreamHead.bytes.append(", ")
    }
  }
}
