// The cookie that leads a client back to its server (`sticky`). Its value names the server and says nothing of it: a
// digest of the address, the same in every worker, every gateway of this configuration and after each restart.

import Bytes
import Configuration
import Cryptography
import HTTPWire

/// `sticky` of an upstream, prepared for its servers.
final class PreparedSticky {
  let name: [UInt8]
  /// What the cookies' values say, in ascending order, and whose they are.
  private let ids: [UInt64]
  private let owners: [UpstreamServer]

  init(_ cookie: StickyCookie, upstream: String, servers: [UpstreamServer]) {
    name = Array(cookie.name.utf8)
    let marks = servers.map { server in (id: Self.id(of: server, cookie, upstream), server: server) }
      .sorted { $0.id < $1.id }
    ids = marks.map(\.id)
    owners = marks.map(\.server)
    for (id, server) in marks {
      let age = cookie.maxAge.map { "; Max-Age=\($0.components.seconds)" } ?? ""
      let digits = String(id, radix: 16)
      let value = String(repeating: "0", count: 16 - digits.count) + digits
      let line = "Set-Cookie: \(cookie.name)=\(value); Path=/\(age); HttpOnly; SameSite=Lax"
      // No shared cache may hand one client's cookie to others (RFC 9111 §5.2.2.7).
      server.bindingLines = Array("\(line)\r\nCache-Control: private\r\n".utf8)
      server.secureBindingLines = Array("\(line); Secure\r\nCache-Control: private\r\n".utf8)
    }
  }

  private static func id(of server: UpstreamServer, _ cookie: StickyCookie, _ upstream: String) -> UInt64 {
    // Zero bytes are in none of the parts but the secret, which comes first and is hashed separately.
    let secret = Array(cookie.secret.utf8)
    let key = SHA256.digest(secret.span)
    let message = key + Array("\(upstream)\0".utf8) + server.addressText
    return SHA256.digest(message.span).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  func server(named value: Span<UInt8>) -> UpstreamServer? {
    if value.count != 16 { return nil }
    var id: UInt64 = 0
    for index in value.indices {
      guard let nibble = hexadecimalValue(value[index]) else { return nil }
      id = id << 4 | UInt64(truncatingIfNeeded: nibble)
    }
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < ids.count && ids[low] == id ? owners[low] : nil
  }
}

extension PreparedSticky {
  /// The server that the request's cookie names.
  fileprivate func server(in head: borrowing RequestHead) -> UpstreamServer? {
    let name = name
    guard let value = head.search(cookie: name.span).range else { return nil }
    return server(named: head.bytes.span.extracting(value))
  }
}

extension UpstreamPool {
  /// The server of the request's cookie, while it is in rotation and has not failed the request.
  func boundServer(for exchange: Exchange) -> UpstreamServer? {
    if exchange.delivery.attempts.triedServers.isEmpty { exchange.delivery.findBinding(in: exchange.request.head) }
    guard let server = exchange.delivery.attempts.boundServer, server.load.isInRotation,
      !exchange.delivery.attempts.hasTried(server)
    else {
      return nil
    }
    return server
  }
}

extension Delivery {
  fileprivate mutating func findBinding(in head: borrowing RequestHead) {
    guard let sticky = pool?.sticky else { return }
    attempts.boundServer = sticky.server(in: head)
  }

  /// The server that answers, if the client has to be bound to it: its cookie does not name it already.
  var serverToBind: UpstreamServer? {
    guard pool?.sticky != nil, server !== attempts.boundServer else { return nil }
    return server
  }
}

extension ClientRequest {
  /// Whether a trusted proxy says that its client speaks TLS.
  var isForwardedSecure: Bool { peer.isTrusted && head.saysHTTPS }
}

extension RequestHead {
  /// Whether the proxy in front says so. It counts from trusted ones only.
  var saysHTTPS: Bool {
    guard count(of: .xForwardedProto) == 1, let field = first(.xForwardedProto), !field.isHopByHop else { return false }
    return bytes.span.extracting(field.value).equalsIgnoringCase("https")
  }
}
