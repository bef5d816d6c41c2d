// From a name to its addresses: the hosts file first, then the servers, with the domains of resolv.conf. Not asked is
// what nsswitch.conf may name besides.

package import Configuration
import NIOCore
import NIOPosix

/// What one look-up found.
package struct Resolution: Sendable, Equatable {
  package enum Family: Sendable, Equatable {
    /// Empty where the name has none.
    case known([String])
    /// Nobody could say.
    case failed
  }

  package var ipv4: Family
  package var ipv6: Family
  /// For how many seconds that holds.
  package var seconds: UInt32

  package init(ipv4: Family, ipv6: Family, seconds: UInt32) {
    self.ipv4 = ipv4
    self.ipv6 = ipv6
    self.seconds = seconds
  }
}

package struct NameResolver: Sendable {
  private let exchange: DNSExchange
  /// `dns.servers`. Empty asks those of the machine.
  private let servers: [Address]

  /// How often all servers are asked.
  private static let roundCount = 2
  /// How long a line of the hosts file holds, as nobody says so.
  private static let fileSeconds: UInt32 = 5

  /// - Parameter timeout: for one answer of one server.
  package init(servers: [Address], timeout: Duration = .seconds(2)) {
    self.servers = servers
    exchange = DNSExchange(group: MultiThreadedEventLoopGroup.singleton, timeout: TimeAmount(timeout))
  }

  package func resolve(_ name: String) async -> Resolution {
    var files = Self.files()
    if !servers.isEmpty { files.servers = servers }
    if let known = files.known(name) {
      return await usable(
        Resolution(
          ipv4: .known(known.filter { !$0.contains(":") }), ipv6: .known(known.filter { $0.contains(":") }),
          seconds: Self.fileSeconds))
    }
    for candidate in files.candidates(for: name) {
      guard let wire = DNSName(candidate) else { continue }
      async let ipv4 = ask(wire, .ipv4, files.servers)
      async let ipv6 = ask(wire, .ipv6, files.servers)
      let found = await merge(ipv4, ipv6)
      // A name that could not be looked up is not looked for elsewhere: another one would be found.
      if found.ipv4 != .known([]) || found.ipv6 != .known([]) { return await usable(found) }
    }
    return Resolution(ipv4: .known([]), ipv6: .known([]), seconds: 0)
  }

  private static func files() -> ResolverFiles {
    // LIMIT: of each file. One that is longer counts as empty.
    func text(_ path: String) -> String {
      let bytes = (try? SystemFiles().read(path, byteCountMax: 1 << 20)) ?? []
      return String(decoding: bytes, as: UTF8.self)
    }
    return ResolverFiles(hosts: text("/etc/hosts"), configuration: text("/etc/resolv.conf"))
  }

  private func merge(_ ipv4: DNSReply, _ ipv6: DNSReply) -> Resolution {
    var result = Resolution(ipv4: .failed, ipv6: .failed, seconds: .max)
    func family(_ reply: DNSReply) -> Resolution.Family {
      switch reply {
      case .addresses(let addresses, let seconds):
        result.seconds = min(result.seconds, seconds)
        return .known(addresses)
      case .none: return .known([])
      case .failed, .truncated: return .failed
      }
    }
    result.ipv4 = family(ipv4)
    result.ipv6 = family(ipv6)
    return result
  }

  /// The first server that says something, in at most two rounds.
  private func ask(_ name: DNSName, _ family: AddressFamily, _ servers: [Address]) async -> DNSReply {
    for _ in 0..<Self.roundCount {
      for server in servers {
        if Task.isCancelled { return .failed }
        let question = DNSQuestion(id: .random(in: 0 ... .max), name: name, family: family)
        var bytes = await exchange.askByDatagram(question.query, server) { DNSReader.read($0, to: question) != nil }
        if bytes.flatMap({ DNSReader.read($0, to: question) }) == .truncated {
          bytes = await exchange.askByStream(question.query, server)
        }
        let reply = bytes.flatMap { DNSReader.read($0, to: question) } ?? .failed
        if reply != .failed, reply != .truncated { return reply }
      }
    }
    return .failed
  }

  /// Without IPv6 addresses that this machine has no way to, where there is another: most have none to any.
  private func usable(_ resolution: Resolution) async -> Resolution {
    guard case .known(let all) = resolution.ipv6, !all.isEmpty, case .known(let others) = resolution.ipv4,
      !others.isEmpty
    else { return resolution }
    var result = resolution
    var kept: [String] = []
    for address in all where await exchange.isReachable(address) { kept.append(address) }
    result.ipv6 = .known(kept)
    return result
  }
}
