// What the machine says of names: /etc/hosts, and /etc/resolv.conf with the servers to ask and the domains to search.
// Lines that make no sense are passed over, as everybody does.

import Configuration
import Proxy

struct ResolverFiles {
  /// By name, in lower case.
  var hosts: [String: [String]] = [:]
  var servers: [Address] = []
  var search: [String] = []
  /// A name with fewer dots is searched for in the domains first.
  var dotCountMin = 1

  // LIMIT: as glibc has them, but for the domains, of which it takes any number.
  private static let serverCountMax = 3
  private static let searchCountMax = 16
  private static let dotCountMax = 15

  init() {}

  init(hosts: String, configuration: String) {
    for fields in Self.lines(hosts) {
      guard let address = fields.first, PeerAddress(address.utf8.span) != nil else { continue }
      for name in fields.dropFirst() { self.hosts[name.lowercased(), default: []].append(address) }
    }
    for fields in Self.lines(configuration) {
      switch fields.first {
      case "nameserver":
        // A server with a zone (fe80::1%eth0) cannot be asked from here.
        guard let address = fields.dropFirst().first, PeerAddress(address.utf8.span) != nil else { continue }
        if servers.count < Self.serverCountMax { servers.append(Address(host: address, port: 53)) }
      case "search", "domain": search = Array(fields.dropFirst().prefix(Self.searchCountMax))
      case "options":
        for option in fields.dropFirst() where option.hasPrefix("ndots:") {
          dotCountMin = min(max(Int(option.dropFirst(6)) ?? 1, 0), Self.dotCountMax)
        }
      default: break
      }
    }
    // As without the file.
    if servers.isEmpty { servers = [Address(host: "127.0.0.1", port: 53)] }
  }

  private static func lines(_ text: String) -> [[String]] {
    text.split(whereSeparator: \.isNewline).map { line in
      line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace).map(String.init)
    }
  }

  /// The addresses that are in the file. `localhost` never goes to a server (RFC 6761 §6.3).
  func known(_ name: String) -> [String]? {
    let name = name.lowercased()
    if let addresses = hosts[name] { return addresses }
    return name == "localhost" || name.hasSuffix(".localhost") ? ["127.0.0.1", "::1"] : nil
  }

  /// What is asked for, in order.
  func candidates(for name: String) -> [String] {
    let searched = search.map { "\(name).\($0)" }
    return name.count(where: { $0 == "." }) >= dotCountMin ? [name] + searched : searched + [name]
  }
}
