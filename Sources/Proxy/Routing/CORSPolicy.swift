// `cors:` of a route, prepared: which origins it accepts, and the fields that say so to browsers.

import Bytes
import Configuration

/// Immutable, shared by all workers.
final class CORSPolicy: Sendable {
  private let exactOrigins: [[UInt8]]
  private let patterns: [CompiledOriginPattern]
  /// `*`: the answer is the same for every origin.
  let isOpen: Bool
  /// Whether its origins' pages may call with cookies.
  let takesCredentials: Bool
  /// What answers carry: behind the origin's line. For `*` with it.
  let answerLines: [UInt8]
  /// What answers to preflights carry besides.
  let preflightLines: [UInt8]
  /// nil allows what is asked for.
  let areHeadersEchoed: Bool
  let isPrivateNetworkAllowed: Bool

  /// The fields of an upstream that speak of other origins: on a route with `cors` only the gateway does.
  static let fieldNames = [
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
    "access-control-allow-methods", "access-control-allow-headers", "access-control-max-age",
    "access-control-allow-private-network",
  ]

  /// LIMIT: longer than any scheme, host and port. A longer Origin is of none.
  private static let originByteCountMax = 512

  /// - Parameters:
  ///   - methods: those that the route takes. Empty for all.
  ///   - more: names of fields that pages have to read beside those of the file.
  init(_ cors: CORS, methods routeMethods: [String], exposing more: [String] = []) {
    isOpen = cors.origins.contains(.any)
    takesCredentials = cors.hasCredentials
    exactOrigins = cors.origins.compactMap { if case .exact(let text) = $0 { Array(text.utf8) } else { nil } }
    patterns = cors.origins.compactMap {
      if case .pattern(let pattern) = $0 { CompiledOriginPattern(pattern) } else { nil }
    }
    var lines = isOpen ? "Access-Control-Allow-Origin: *\r\n" : ""
    if cors.hasCredentials { lines += "Access-Control-Allow-Credentials: true\r\n" }
    let names = cors.exposeHeaders
    let all = names + more.filter { name in !names.contains { $0.lowercased() == name.lowercased() } }
    let exposed = all.isEmpty ? "" : "Access-Control-Expose-Headers: \(all.joined(separator: ", "))\r\n"
    answerLines = Array((lines + exposed).utf8)
    let named = cors.methods.isEmpty ? routeMethods : cors.methods
    let methods = named.isEmpty ? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] : named
    lines += "Access-Control-Allow-Methods: \(methods.joined(separator: ", "))\r\n"
    if let headers = cors.headers, !headers.isEmpty {
      lines += "Access-Control-Allow-Headers: \(headers.joined(separator: ", "))\r\n"
    }
    preflightLines = Array("\(lines)Access-Control-Max-Age: \(cors.maxAge.components.seconds)\r\n".utf8)
    areHeadersEchoed = cors.headers == nil
    isPrivateNetworkAllowed = cors.isPrivateNetworkAllowed
  }

  /// Whether pages of an origin may call. Scheme and host are compared without regard to case (RFC 6454 §4).
  func allows(_ origin: Span<UInt8>) -> Bool {
    if isOpen { return true }
    if origin.count > Self.originByteCountMax { return false }
    for index in exactOrigins.indices where equalsLowered(origin, exactOrigins[index]) { return true }
    for index in patterns.indices where patterns[index].matches(origin) { return true }
    return false
  }
}

/// An origin with a `*` in it.
private struct CompiledOriginPattern: Sendable {
  let scheme: [UInt8]
  /// With the dot in front where subdomains are meant.
  let host: [UInt8]
  let isSubdomain: Bool
  let port: [UInt8]
  let takesAnyPort: Bool

  init(_ pattern: OriginPattern) {
    scheme = Array(pattern.scheme.utf8)
    host = Array(((pattern.isSubdomain ? "." : "") + pattern.host).utf8)
    isSubdomain = pattern.isSubdomain
    takesAnyPort = pattern.port == .any
    if case .exact(let text) = pattern.port { port = Array(text.utf8) } else { port = [] }
  }

  func matches(_ origin: Span<UInt8>) -> Bool {
    guard origin.count > scheme.count, equalsLowered(origin.extracting(0..<scheme.count), scheme) else {
      return false
    }
    var hostEnd = origin.count
    var index = origin.count
    while index > scheme.count, origin[index - 1] &- 0x30 < 10 { index -= 1 }
    if index < origin.count, index > scheme.count, origin[index - 1] == 0x3A {
      hostEnd = index - 1
      if !takesAnyPort, !origin.extracting(index..<origin.count).equals(port) { return false }
    } else if !takesAnyPort, !port.isEmpty {
      return false
    }
    return matchesHost(origin.extracting(scheme.count..<hostEnd))
  }

  private func matchesHost(_ name: Span<UInt8>) -> Bool {
    if !isSubdomain { return equalsLowered(name, host) }
    let labelCount = name.count - host.count
    guard labelCount > 0, equalsLowered(name.extracting(labelCount..<name.count), host) else { return false }
    // Only what names are made of: nothing in front may make another host of it.
    for index in 0..<labelCount {
      let byte = name[index]
      let isLabel = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2D || byte == 0x5F
      if !isLabel, byte != 0x2E || index == 0 { return false }
    }
    return true
  }
}

/// Whether the bytes, with A–Z lowered, are `lowercase`.
private func equalsLowered(_ bytes: Span<UInt8>, _ lowercase: [UInt8]) -> Bool {
  if bytes.count != lowercase.count { return false }
  for index in bytes.indices {
    let byte = bytes[index]
    if (byte &- 65 < 26 ? byte | 0x20 : byte) != lowercase[index] { return false }
  }
  return true
}
