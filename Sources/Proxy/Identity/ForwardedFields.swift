// Who the client is, for the upstream: X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239). What a peer says about
// those before it counts only if the peer is trusted. The peer's own address comes from the socket.

import Bytes
import HTTPWire

extension UpstreamHead {
  @inline(__always)
  mutating func writeForwardedFields(
    of request: borrowing ClientRequest, from client: Client, _ route: CompiledRoute, _ snapshot: Snapshot
  ) {
    let isTrusted = request.peer.isTrusted
    if !route.isRuled(.xForwardedFor), !client.address.isUnix || request.head.count(of: .xForwardedFor) > 0 {
      bytes.append("X-Forwarded-For: ")
      if isTrusted, snapshot.trust.readsXForwardedFor { writeList(of: request.head, .xForwardedFor) }
      writeAddress(of: client)
    }
    if !route.isRuled(.xForwardedProto), !request.isPassedOn(.xForwardedProto) {
      bytes.append(client.security == nil ? "X-Forwarded-Proto: http\r\n" : "X-Forwarded-Proto: https\r\n")
    }
    if !route.isRuled(.xForwardedHost), !request.isPassedOn(.xForwardedHost), let authority = request.head.authority {
      bytes.append("X-Forwarded-Host: ")
      bytes.append(request.head.bytes.span.extracting(authority))
      bytes.append("\r\n")
    }
    if !route.isRuled(.forwarded), isTrusted, snapshot.trust.readsForwarded, request.head.count(of: .forwarded) > 0 {
      bytes.append("Forwarded: ")
      writeList(of: request.head, .forwarded)
      writeNode(of: client)
    }
  }

  /// What the gateway took from the front of the path, behind what a trusted proxy took.
  mutating func writeForwardedPrefix(of request: borrowing ClientRequest, _ route: CompiledRoute, _ snapshot: Snapshot)
  {
    bytes.append("X-Forwarded-Prefix: ")
    if request.peer.isTrusted, snapshot.trust.readsPrefix { writePrefix(of: request.head) }
    bytes.append(route.rewrite.stripPrefix)
    bytes.append("\r\n")
  }

  private mutating func writePrefix(of head: borrowing RequestHead) {
    let sent = head.bytes.span
    for index in head.fields.indices {
      let field = head.fields[index]
      guard field.known == .other, sent.extracting(field.name).equalsIgnoringCase("x-forwarded-prefix") else {
        continue
      }
      bytes.append(sent.extracting(field.value))
      while bytes.span[bytes.count - 1] == 0x2F { bytes.truncate(to: bytes.count - 1) }
      return
    }
  }

  /// Behind a list that ends in a comma. A peer on a Unix socket has no address of its own to add.
  @inline(__always)
  private mutating func writeAddress(of client: Client) {
    if client.address.isUnix {
      bytes.truncate(to: bytes.count - 2)
    } else {
      bytes.append(text: client.addressText)
    }
    bytes.append("\r\n")
  }

  /// As Forwarded has the client.
  private mutating func writeNode(of client: Client) {
    if client.address.isUnix {
      // RFC 7239 §6.3: an identifier of our own making.
      bytes.append("for=_unix")
    } else {
      bytes.append(client.address.isIPv4 ? "for=" : "for=\"[")
      bytes.append(text: client.addressText)
      if !client.address.isIPv4 { bytes.append("]\"") }
    }
    bytes.append(client.security == nil ? ";proto=http\r\n" : ";proto=https\r\n")
  }

  /// The values of all lines of a field as one list, with a comma behind.
  private mutating func writeList(of head: borrowing RequestHead, _ known: KnownField) {
    if head.count(of: known) == 0 { return }
    for index in head.fields.indices where head.fields[index].known == known {
      bytes.append(head.bytes.span.extracting(head.fields[index].value))
      bytes.append(", ")
    }
  }
}

extension ClientRequest {
  /// Whether a field of a trusted peer goes on. One that Connection names was for this connection only.
  @inline(__always)
  fileprivate func isPassedOn(_ known: KnownField) -> Bool {
    guard peer.isTrusted, let field = head.first(known) else { return false }
    return !field.isHopByHop
  }
}
