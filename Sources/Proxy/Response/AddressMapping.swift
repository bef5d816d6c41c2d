// Addresses in a server's answer (RFC 9110 §10.2.2), as the client reaches them: the server knows itself by another
// scheme, host or path than its clients do. What is not the server's own stays as it is.

import Bytes
import HTTPWire

/// `rewrite.responses`.
enum AnswerRewriting: Sendable {
  /// Nothing is changed.
  case off
  /// Scheme and authority of Location, which would lead past the gateway.
  case ownAddresses
  /// Also the paths of Location, Content-Location, Refresh and Set-Cookie.
  case all
}

/// How both sides of one exchange call the same place.
struct AddressMapping {
  let isClientSecure: Bool
  /// As the client wrote it.
  let clientAuthority: [UInt8]
  private let clientName: [UInt8]
  let isServerSecure: Bool
  /// What the server may call itself, without a port that its scheme implies.
  let serverNames: [[UInt8]]
  let rewrite: CompiledRewrite

  init(
    isClientSecure: Bool, clientAuthority: [UInt8], isServerSecure: Bool, serverNames: [[UInt8]],
    rewrite: CompiledRewrite
  ) {
    self.isClientSecure = isClientSecure
    self.clientAuthority = clientAuthority
    clientName = AddressParts.withoutPort(isClientSecure ? ":443" : ":80", clientAuthority)
    self.isServerSecure = isServerSecure
    self.serverNames = serverNames
    self.rewrite = rewrite
  }

  var mapsPaths: Bool { rewrite.responses == .all }

  /// Writes a field's line for the client. False where it stays as it is.
  func write(_ field: FieldLine, of bytes: Span<UInt8>, into line: inout ByteQueue) -> Bool {
    let name = bytes.extracting(field.name)
    let value = bytes.extracting(field.value)
    line.append(name)
    line.append(": ")
    let isMapped: Bool
    if field.known == .location || mapsPaths && name.equalsIgnoringCase("content-location") {
      isMapped = append(address: value, to: &line)
    } else if !mapsPaths {
      isMapped = false
    } else if field.known == .setCookie {
      isMapped = append(cookie: value, to: &line)
    } else if name.equalsIgnoringCase("refresh") {
      isMapped = append(refresh: value, to: &line)
    } else {
      isMapped = false
    }
    line.append("\r\n")
    return isMapped
  }

  // MARK: Addresses

  private func append(address: Span<UInt8>, to line: inout ByteQueue) -> Bool {
    guard let parts = AddressParts(address) else { return false }
    let rest = address.extracting(parts.pathStart..<address.count)
    guard let authority = parts.authority else { return mapsPaths && append(path: rest, to: &line) }
    let start = line.count
    let name = address.extracting(parts.withoutDefaultPort(authority, of: address))
    if isClient(name) {
      // A redirect to HTTPS stays one. One to plain HTTP is the server's, which does not see the client's TLS.
      if parts.isSecure == false, isClientSecure {
        append(authorityOfClient: true, to: &line)
      } else {
        line.append(address.extracting(0..<parts.pathStart))
      }
    } else if isServer(name), parts.isSecure == nil || parts.isSecure == isServerSecure {
      append(authorityOfClient: parts.isSecure != nil, to: &line)
    } else {
      return false
    }
    if !mapsPaths || !append(path: rest, to: &line) { line.append(rest) }
    return !line.span.extracting(start..<line.count).equals(address)
  }

  private func append(authorityOfClient hasScheme: Bool, to line: inout ByteQueue) {
    if hasScheme { line.append(isClientSecure ? "https:" : "http:") }
    line.append("//")
    line.append(clientAuthority)
  }

  private func isClient(_ name: Span<UInt8>) -> Bool { Self.isEqual(name, clientName) }

  private func isServer(_ name: Span<UInt8>) -> Bool {
    for index in serverNames.indices where Self.isEqual(name, serverNames[index]) { return true }
    return false
  }

  private static func isEqual(_ name: Span<UInt8>, _ known: [UInt8]) -> Bool { equalsIgnoringCase(name, known.span) }

  // MARK: Paths

  /// The server's path and what follows it, as the client's. False where no request of the client reaches it.
  private func append(path rest: Span<UInt8>, to line: inout ByteQueue) -> Bool {
    var end = 0
    while end < rest.count, rest[end] != 0x3F, rest[end] != 0x23 { end += 1 }
    let path = rest.extracting(0..<end)
    guard path.isWithin(rewrite.addPrefix.span) else { return false }
    let below = path.extracting(rewrite.addPrefix.count..<end)
    // Browsers read a host behind two slashes, whichever way they lean, and leave tabs out: it stays below the prefix.
    if rewrite.stripPrefix.isEmpty, below.count > 1, below[1] == 0x2F || below[1] == 0x5C || below[1] == 0x09 {
      return false
    }
    line.append(rewrite.stripPrefix)
    line.append(below)
    if rewrite.stripPrefix.isEmpty, below.isEmpty { line.append("/") }
    line.append(rest.extracting(end..<rest.count))
    return true
  }

  /// A cookie's path is where it is sent to: one that covers all of the server covers all that the client reaches.
  private func append(cookiePath path: Span<UInt8>, to line: inout ByteQueue) -> Bool {
    if append(path: path, to: &line) { return true }
    var base = path
    if base.count > 0, base[base.count - 1] == 0x2F { base = base.extracting(0..<base.count - 1) }
    guard rewrite.addPrefix.span.isWithin(base) else { return false }
    line.append(rewrite.stripPrefix)
    line.append("/")
    return true
  }

  private func append(cookie: Span<UInt8>, to line: inout ByteQueue) -> Bool {
    // Browsers refuse such a cookie with another path.
    if cookie.count >= 7, cookie.extracting(0..<7).equalsIgnoringCase("__host-") { return false }
    var isMapped = false
    var start = 0
    while start <= cookie.count {
      let end = cookie.firstIndex(of: 0x3B, from: start) ?? cookie.count
      let attribute = start..<end
      if start > 0, let path = Self.path(of: attribute, in: cookie) {
        line.append(cookie.extracting(start..<path.lowerBound))
        if append(cookiePath: cookie.extracting(path), to: &line) {
          isMapped = true
        } else {
          line.append(cookie.extracting(path))
        }
        line.append(cookie.extracting(path.upperBound..<end))
      } else {
        line.append(cookie.extracting(attribute))
      }
      if end < cookie.count { line.append(";") }
      start = end + 1
    }
    return isMapped
  }

  /// The value of a cookie's Path (RFC 6265 §5.2.4).
  private static func path(of attribute: Range<Int>, in cookie: Span<UInt8>) -> Range<Int>? {
    var start = attribute.lowerBound
    while start < attribute.upperBound, cookie[start] == 0x20 || cookie[start] == 0x09 { start += 1 }
    guard attribute.upperBound - start > 5, cookie.extracting(start..<start + 5).equalsIgnoringCase("path=") else {
      return nil
    }
    start += 5
    var end = attribute.upperBound
    while end > start, cookie[end - 1] == 0x20 || cookie[end - 1] == 0x09 { end -= 1 }
    return end > start && cookie[start] == 0x2F ? start..<end : nil
  }

  /// `5; url=/login`, with quotes or without.
  private func append(refresh value: Span<UInt8>, to line: inout ByteQueue) -> Bool {
    guard let separator = value.firstIndex(of: 0x3B) ?? value.firstIndex(of: 0x2C) else { return false }
    var start = separator + 1
    while start < value.count, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
    if start + 4 <= value.count, value.extracting(start..<start + 4).equalsIgnoringCase("url=") { start += 4 }
    var end = value.count
    if start < end, value[start] == 0x22 || value[start] == 0x27 {
      let quote = value[start]
      start += 1
      end = value.firstIndex(of: quote, from: start) ?? end
    }
    line.append(value.extracting(0..<start))
    guard append(address: value.extracting(start..<end), to: &line) else { return false }
    line.append(value.extracting(end..<value.count))
    return true
  }
}

/// An address of HTTP cut into its parts (RFC 3986 §3, §4.2).
struct AddressParts {
  /// Nil without a scheme.
  var isSecure: Bool?
  /// Nil for a path alone.
  var authority: Range<Int>?
  /// Where path, query and fragment begin.
  var pathStart = 0

  /// Nil for what has neither an authority nor a path that begins with a slash.
  init?(_ address: Span<UInt8>) {
    var start = 0
    if address.count > 7, address.extracting(0..<7).equalsIgnoringCase("http://") {
      isSecure = false
      start = 5
    } else if address.count > 8, address.extracting(0..<8).equalsIgnoringCase("https://") {
      isSecure = true
      start = 6
    }
    if address.count >= start + 2, address[start] == 0x2F, address[start + 1] == 0x2F {
      var end = start + 2
      while end < address.count, address[end] != 0x2F, address[end] != 0x3F, address[end] != 0x23 { end += 1 }
      authority = start + 2..<end
      pathStart = end
    } else if address.count == 0 || address[0] != 0x2F {
      return nil
    }
  }

  /// Without the port that its scheme implies.
  func withoutDefaultPort(_ authority: Range<Int>, of address: Span<UInt8>) -> Range<Int> {
    let port: StaticString = isSecure == true ? ":443" : ":80"
    if isSecure == nil { return authority }
    let count = Self.withoutPort(port, address.extracting(authority)).count
    return authority.lowerBound..<authority.lowerBound + count
  }

  static func withoutPort(_ port: StaticString, _ authority: Span<UInt8>) -> Range<Int> {
    let start = authority.count - port.utf8CodeUnitCount
    guard start > 0, authority.extracting(start..<authority.count).equalsIgnoringCase(port) else {
      return 0..<authority.count
    }
    return 0..<start
  }
}

extension AddressParts {
  fileprivate static func withoutPort(_ port: StaticString, _ authority: [UInt8]) -> [UInt8] {
    Array(authority[withoutPort(port, authority.span)])
  }
}

extension Span where Element == UInt8 {
  /// Whether a path is a prefix without a slash at its end, or below it.
  fileprivate func isWithin(_ prefix: Span<UInt8>) -> Bool {
    count >= prefix.count && extracting(0..<prefix.count).equals(prefix)
      && (count == prefix.count || self[prefix.count] == 0x2F)
  }
}

extension Exchange {
  /// Whether addresses in an answer may have to be mapped. Nil where there is nothing to map them with, as in an answer
  /// to an HTTP/1.0 client that says no host.
  func addressMapping(of response: borrowing ResponseHead) -> AddressMapping? {
    guard let route, route.rewrite.responses == .all || route.rewrite.responses != .off && response.has(.location),
      let pool = delivery.pool, let server = delivery.server,
      let authority = request.head.authorityText
    else { return nil }
    var own = [server.authority]
    if !pool.host.isEmpty { own.append(AddressParts.withoutPort(pool.isSecure ? ":443" : ":80", pool.host)) }
    if route.rewrite.responses == .all {
      // Servers may add the port that they listen on to the host that they are asked for.
      var host = ByteQueue()
      request.head.appendHost(to: &host)
      own.append(host.copied() + AddressMapping.port(of: server))
    }
    return AddressMapping(
      isClientSecure: isClientSecure, clientAuthority: authority,
      isServerSecure: pool.isSecure, serverNames: own, rewrite: route.rewrite)
  }
}

extension AddressMapping {
  /// With its colon. Empty where the scheme implies it.
  fileprivate static func port(of server: UpstreamServer) -> [UInt8] {
    guard let colon = server.authority.lastIndex(of: 0x3A), server.authority.last != 0x5D else { return [] }
    return Array(server.authority[colon...])
  }
}

extension RequestHead {
  fileprivate var authorityText: [UInt8]? { authority.map { bytes.span.extracting($0).copied() } }
}
