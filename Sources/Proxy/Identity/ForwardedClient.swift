// Who the client is by the word of trusted proxies: in X-Forwarded-For or Forwarded (RFC 7239) the last address that is
// not a trusted proxy's own. Somebody whose address cannot be read is nobody: no `allow` holds for him, and no rate
// limit by address counts him together with those whose address is known (T79).

import Bytes
import HTTPWire

/// Whom a trusted peer names as its client.
enum ForwardedClient: Equatable {
  /// Nobody: the peer itself is the client.
  case peer
  case address(PeerAddress)
  /// A client without an address that can be read. What is written in its place, in the head. Empty where that is
  /// unknown.
  case unknown(Range<Int>)
}

/// The client's side of the request's connection, as far as its forwarding fields are concerned.
struct Peer {
  /// Whether they are believed.
  var isTrusted = false
  /// Whom a trusted peer names as its client.
  var namedClient = ForwardedClient.peer

  /// The client's address: the one that a trusted peer names, or its own. Nil where it cannot be known.
  /// - Parameter client: at the other end of the connection.
  func address(of client: Client?) -> PeerAddress? {
    switch namedClient {
    case .peer: client?.address
    case .address(let address): address
    case .unknown: nil
    }
  }
}

extension ForwardedClient {
  /// - Parameter head: of a trusted peer.
  init(in head: borrowing RequestHead, _ snapshot: Snapshot) {
    self = Self.named(in: head, snapshot)
  }

  private static func named(in head: borrowing RequestHead, _ snapshot: Snapshot) -> ForwardedClient {
    let isListed = snapshot.trust.readsXForwardedFor && head.count(of: .xForwardedFor) > 0
    let isForwarded = snapshot.trust.readsForwarded && head.count(of: .forwarded) > 0
    let listed = isListed ? lastListed(in: head, snapshot) : .peer
    if !isForwarded { return listed }
    let named = lastNamed(in: head, snapshot)
    // A proxy writes one of the two and passes the client's own other one on: which is which, nobody says here.
    return isListed && listed != named ? .unknown(0..<0) : named
  }

  private static func lastListed(in head: borrowing RequestHead, _ snapshot: Snapshot) -> ForwardedClient {
    let bytes = head.bytes.span
    var found = ForwardedClient.unknown(0..<0)
    for index in head.fields.indices.reversed() where head.fields[index].known == .xForwardedFor {
      var rest = head.fields[index].value
      while !rest.isEmpty {
        var start = rest.upperBound
        while start > rest.lowerBound, bytes[start - 1] != 0x2C { start -= 1 }
        let element = trimmed(start..<rest.upperBound, in: bytes)
        rest = rest.lowerBound..<max(rest.lowerBound, start - 1)
        // Empty ones do not count (RFC 9110 §5.6.1).
        if element.isEmpty { continue }
        guard let address = PeerAddress(node: bytes.extracting(element)) else { return .unknown(element) }
        found = .address(address)
        if !snapshot.isTrusted(address) { return found }
      }
    }
    return found
  }

  private static func lastNamed(in head: borrowing RequestHead, _ snapshot: Snapshot) -> ForwardedClient {
    let bytes = head.bytes.span
    var found = ForwardedClient.unknown(0..<0)
    for index in head.fields.indices.reversed() where head.fields[index].known == .forwarded {
      // Where the quotes of one proxy and of the one before it cannot be distinguished, anything could be read.
      guard let nodes = forwardedNodes(in: bytes, head.fields[index].value) else { return .unknown(0..<0) }
      for node in nodes.reversed() {
        guard let address = PeerAddress(node: bytes.extracting(node)) else { return .unknown(node) }
        found = .address(address)
        if !snapshot.isTrusted(address) { return found }
      }
    }
    return found
  }
}

/// What `for=` says in each element of one Forwarded field (RFC 7239 §4), without quotes, empty where an element has
/// none. Nil for a malformed field.
func forwardedNodes(in bytes: Span<UInt8>, _ value: Range<Int>) -> [Range<Int>]? {
  var nodes: [Range<Int>] = []
  var node: Range<Int>?
  var hasPairs = false
  var index = value.lowerBound
  while true {
    while index < value.upperBound, bytes[index] == 0x20 || bytes[index] == 0x09 || bytes[index] == 0x3B { index += 1 }
    if index == value.upperBound || bytes[index] == 0x2C {
      if hasPairs { nodes.append(node ?? 0..<0) }
      if index == value.upperBound { return nodes }
      (node, hasPairs) = (nil, false)
      index += 1
      continue
    }
    guard let pair = forwardedPair(in: bytes, from: index, to: value.upperBound) else { return nil }
    if bytes.extracting(pair.name).equalsIgnoringCase("for") {
      if node != nil { return nil }
      node = pair.value
    }
    hasPairs = true
    index = pair.end
  }
}

/// The parameter that begins at an index, and where it ends. Unquoted values may hold the brackets and colons that many
/// write.
private func forwardedPair(
  in bytes: Span<UInt8>, from start: Int, to end: Int
) -> (name: Range<Int>, value: Range<Int>, end: Int)? {
  var index = start
  while index < end, bytes[index] != 0x3D {
    if !isForwardedText(bytes[index]) { return nil }
    index += 1
  }
  guard index > start, index < end else { return nil }
  let name = start..<index
  index += 1
  let valueStart = index
  if index < end, bytes[index] == 0x22 {
    index += 1
    while index < end, bytes[index] != 0x22 { index += bytes[index] == 0x5C ? 2 : 1 }
    guard index < end else { return nil }
    index += 1
  } else {
    while index < end, isForwardedText(bytes[index]) { index += 1 }
  }
  let valueEnd = index
  while index < end, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
  guard index == end || bytes[index] == 0x2C || bytes[index] == 0x3B else { return nil }
  let isQuoted = valueEnd - valueStart >= 2 && bytes[valueStart] == 0x22
  return (name, isQuoted ? valueStart + 1..<valueEnd - 1 : valueStart..<valueEnd, index)
}

/// Whether a byte can be outside of quotes and separators.
private func isForwardedText(_ byte: UInt8) -> Bool {
  byte > 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x2C && byte != 0x3B && byte != 0x5C
}

extension PeerAddress {
  /// Reads what proxies write for a node (RFC 7239 §6): an address, perhaps with a port, an IPv6 one perhaps in
  /// brackets, all of it perhaps in quotes. Nil for `unknown`, for names of their own making such as `_hidden`, and for
  /// anything else.
  init?(node text: Span<UInt8>) {
    let isQuoted = text.count >= 2 && text[0] == 0x22 && text[text.count - 1] == 0x22
    let node = isQuoted ? text.extracting(1..<text.count - 1) : text
    guard let host = Self.hostRange(ofNode: node), let address = PeerAddress(node.extracting(host)),
      // All zero means a peer without an address.
      !address.isUnix
    else { return nil }
    self = address
  }

  private static func hostRange(ofNode node: Span<UInt8>) -> Range<Int>? {
    if node.isEmpty { return nil }
    if node[0] == 0x5B {
      guard let close = node.firstIndex(of: 0x5D), let colon = node.firstIndex(of: 0x3A), colon < close,
        isPort(node.extracting(close + 1..<node.count))
      else { return nil }
      return 1..<close
    }
    guard let colon = node.firstIndex(of: 0x3A) else { return 0..<node.count }
    // More than one colon is an IPv6 address, which has a port in brackets only.
    if node.firstIndex(of: 0x3A, from: colon + 1) != nil { return 0..<node.count }
    return isPort(node.extracting(colon..<node.count)) ? 0..<colon : nil
  }

  /// Nothing, or a colon and a port, which may be a name of the proxy's own making.
  private static func isPort(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty { return true }
    guard text[0] == 0x3A, text.count > 1 else { return false }
    if text[1] == 0x5F { return text.count > 2 }
    if text.count > 6 { return false }
    var port = 0
    for index in 1..<text.count {
      guard text[index] &- 0x30 < 10 else { return false }
      port = port * 10 + Int(text[index] & 15)
    }
    return port <= 65_535
  }
}
