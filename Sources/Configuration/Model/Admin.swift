// The listener for the operator's tools, and who is answered there.

/// `admin:`.
package struct Admin: Sendable, Hashable, CustomStringConvertible {
  /// Where /metrics, /healthz, /readyz, /status and /reload are served. Never a Unix socket.
  package var address = Address(host: "127.0.0.1", port: 9901)
  /// Where /metrics, /healthz and /readyz are served besides, and nothing else.
  package var metrics: Address?
  /// Names that the admin listener may be asked by, beside `localhost` and IP addresses; in small letters.
  package var hosts: [String] = []
  /// What whoever asks must show, but for the two health pages; nil asks for nothing.
  package var token: String?

  package init() {}

  /// Without the token.
  package var description: String {
    var parts = [address.description]
    if let metrics { parts.append("metrics \(metrics)") }
    if !hosts.isEmpty { parts.append("hosts \(hosts.joined(separator: " "))") }
    if token != nil { parts.append("with a token") }
    return parts.joined(separator: ", ")
  }
}
