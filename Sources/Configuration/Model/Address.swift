// Where to listen or to connect: an address of the network, or a socket in the file system.

package enum Address: Sendable, Hashable, CustomStringConvertible {
  /// The host is an IPv4 or IPv6 literal without brackets, or a name (upstream servers only). Port 0 asks the system
  /// for a free one (listeners and admin only).
  case network(host: String, port: UInt16)
  /// An absolute path of at most ``unixPathBytesMax`` bytes.
  case unix(path: String)

  /// What fits into a `sockaddr_un` with the zero behind it.
  static let unixPathBytesMax = 107
  static let unixPrefix = "unix:"

  package init(host: String, port: UInt16) { self = .network(host: host, port: port) }

  /// Empty for a Unix socket.
  package var host: String {
    switch self {
    case .network(let host, _): host
    case .unix: ""
    }
  }

  /// 0 for a Unix socket.
  package var port: UInt16 {
    switch self {
    case .network(_, let port): port
    case .unix: 0
    }
  }

  /// Whether those who speak on its port usually speak TLS.
  var isUsuallyTLS: Bool { port == 443 || port == 8443 }

  /// The same with the port that it really has, where the file asked for a free one. A Unix socket stays as it is.
  package func withPort(_ port: Int) -> Address {
    switch self {
    case .network(let host, _): .network(host: host, port: UInt16(clamping: port))
    case .unix: self
    }
  }

  /// The value of a Host field for it: a socket's path is not an authority.
  package var authority: String {
    switch self {
    case .network: description
    case .unix: "localhost"
    }
  }

  /// As written in the file: `host:port`, `[v6]:port` or `unix:/path`.
  package var description: String {
    switch self {
    case .network(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): Self.unixPrefix + path
    }
  }
}
