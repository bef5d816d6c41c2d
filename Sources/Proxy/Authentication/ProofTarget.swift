// Whether a URL is the one that the client used (RFC 9449 §4.3): as trusted proxies say, where there are some, after
// the normalisations of RFC 3986 §6.2.2 and §6.2.3, and without query and fragment.

import Bytes
import HTTPWire

extension ClientRequest {
  /// - Parameters:
  ///   - url: `htu` of a proof.
  ///   - isSecure: whether the connection is.
  ///   - normal: memory to write in.
  func isTarget(_ url: [UInt8], isSecure: Bool, _ snapshot: Snapshot, _ normal: inout NormalTarget) -> Bool {
    let url = url.span
    guard head.targetForm != .asterisk, let place = PlaceOfURL(url) else { return false }
    let isSecure = isClientSecure(isSecure)
    // A browser's page that opens a WebSocket knows it under the other name.
    guard place.isSecure == isSecure, !place.isOfWebSocket || handshake.isRequested else { return false }
    return isHost(url.extracting(place.authority), isSecure: isSecure, snapshot)
      && isPath(url.extracting(place.path), behind: forwardedPrefix(snapshot), &normal)
  }

  /// What the gateway takes for the URL that the client used, without its query.
  func clientURL(isSecure: Bool, _ snapshot: Snapshot) -> String {
    var url = ByteQueue()
    url.append(isClientSecure(isSecure) ? "https://" : "http://")
    if let range = clientAuthority {
      let authority = head.bytes.span.extracting(range)
      url.append(isAuthority(authority) ? authority : authority.extracting(0..<0))
      if let port = forwardedPort, hostAndPort(of: authority).port == nil {
        url.append(":")
        url.append(decimal: UInt64(port))
      }
    }
    if let prefix = forwardedPrefix(snapshot) { url.append(head.bytes.span.extracting(prefix)) }
    url.append(target.bytes.span.extracting(0..<target.pathCount))
    return url.text()
  }

  private func isClientSecure(_ isSecure: Bool) -> Bool {
    guard peer.isTrusted, head.count(of: .xForwardedProto) > 0 else { return isSecure }
    return isForwardedSecure
  }

  private func isHost(_ authority: Span<UInt8>, isSecure: Bool, _ snapshot: Snapshot) -> Bool {
    guard isAuthority(authority), let range = clientAuthority else { return false }
    let own = head.bytes.span.extracting(range)
    guard isAuthority(own) else { return false }
    let (ours, theirs) = (hostAndPort(of: own), hostAndPort(of: authority))
    let standardPort = isSecure ? 443 : 80
    return (ours.port ?? forwardedPort ?? standardPort) == (theirs.port ?? standardPort)
      && equalsIgnoringCase(own.extracting(ours.host), authority.extracting(theirs.host))
  }

  /// Where in the head the host is that the client named.
  private var clientAuthority: Range<Int>? {
    if peer.isTrusted, head.count(of: .xForwardedHost) > 0 {
      guard head.count(of: .xForwardedHost) == 1, let field = head.first(.xForwardedHost), !field.isHopByHop else {
        return nil
      }
      return field.value
    }
    return head.authority
  }

  /// For a proxy that writes the host without it.
  private var forwardedPort: Int? {
    guard peer.isTrusted, head.count(of: .xForwardedPort) == 1, let field = head.first(.xForwardedPort),
      !field.isHopByHop, !field.value.isEmpty, field.value.count <= 5
    else { return nil }
    let bytes = head.bytes.span
    var port = 0
    for index in field.value {
      guard bytes[index] &- 0x30 < 10 else { return nil }
      port = port * 10 + Int(bytes[index] & 15)
    }
    return port
  }

  /// What a trusted proxy has taken away in front of the path, without the slash at its end. Empty where it took
  /// nothing, or is not said to write the field: then it is its client's. Nil where nobody knows.
  private func forwardedPrefix(_ snapshot: Snapshot) -> Range<Int>? {
    guard peer.isTrusted, snapshot.trust.readsPrefix else { return 0..<0 }
    switch head.search(header: Self.prefixName.span) {
    case .missing, .empty: return 0..<0
    case .ambiguous: return nil
    case .found(let range):
      let bytes = head.bytes.span
      return bytes[range.upperBound - 1] == 0x2F ? range.lowerBound..<range.upperBound - 1 : range
    }
  }

  private static let prefixName = Array("x-forwarded-prefix".utf8)

  /// Both in their normal form, of which the request's is known.
  private func isPath(_ path: Span<UInt8>, behind prefix: Range<Int>?, _ normal: inout NormalTarget) -> Bool {
    guard normal.normalize(path) == nil, let prefix else { return false }
    let theirs = normal.bytes.span.extracting(0..<normal.pathCount)
    let before = head.bytes.span.extracting(prefix)
    // Of the prefix alone, most proxies make a slash.
    if !before.isEmpty, target.pathCount == 1, theirs.equals(before) { return true }
    guard theirs.count == before.count + target.pathCount, theirs.extracting(0..<before.count).equals(before) else {
      return false
    }
    return theirs.extracting(before.count..<theirs.count)
      .equals(target.bytes.span.extracting(0..<target.pathCount))
  }
}

/// The parts of an http, https, ws or wss URL that say where it leads.
private struct PlaceOfURL {
  let isSecure: Bool
  let isOfWebSocket: Bool
  let authority: Range<Int>
  /// Empty for the root.
  let path: Range<Int>

  /// LIMIT: longer than any target that a head has room for is none of them.
  private static let byteCountMax = 8192

  /// Nil for what is none.
  init?(_ url: Span<UInt8>) {
    if url.count > Self.byteCountMax { return nil }
    guard let colon = url.firstIndex(of: 0x3A), colon + 2 < url.count, url[colon + 1] == 0x2F, url[colon + 2] == 0x2F
    else { return nil }
    let scheme = url.extracting(0..<colon)
    isOfWebSocket = scheme.equalsIgnoringCase("ws") || scheme.equalsIgnoringCase("wss")
    isSecure = scheme.equalsIgnoringCase("https") || scheme.equalsIgnoringCase("wss")
    guard isOfWebSocket || isSecure || scheme.equalsIgnoringCase("http") else { return nil }
    var end = colon + 3
    while end < url.count, url[end] != 0x2F, url[end] != 0x3F, url[end] != 0x23 { end += 1 }
    authority = colon + 3..<end
    let start = end
    while end < url.count, url[end] != 0x3F, url[end] != 0x23 { end += 1 }
    path = start..<end
  }
}
