// The listener for the operator's tools, and who is answered there.

/// `admin:`.
package struct Admin: Sendable, Hashable, CustomStringConvertible {
  /// Where /metrics, /healthz, /readyz, /status and /reload are served. Never a Unix socket.
  package var address = Address(host: "127.0.0.1", port: 9901)
  /// Where /metrics, /healthz and /readyz are served besides, and nothing else.
  package var metrics: Address?
  /// Names that the admin listener may be asked by, beside `localhost` and IP addresses. In small letters.
  package var hosts: [String] = []
  /// The secret that requests must show, except for the two health pages. Nil asks for nothing.
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

extension Admin {
  static let settings = Settings<Admin>(
    "admin", title: "'admin'", example: "admin: { address: 127.0.0.1:9901 }, or admin: off", blank: Admin(),
    finish: { admin, section in section.reading.warnOfOpenAdmin(admin, section) },
    [
      Setting(
        "address", \.address, .adminAddress,
        "Serves `/metrics`, `/healthz`, `/readyz`, `/status`, `/sessions`, `POST /revoke`, `POST /explain` and "
          + "`POST /reload`."),
      Setting(
        "metrics", \.metrics, .adminAddress,
        "A second address that serves `/metrics`, `/healthz` and `/readyz` and nothing else, for Prometheus and probes."
      ),
      Setting(
        "hosts", \.hosts, .adminHosts,
        "Names, without a port, by which `address` may be asked, besides IP addresses and `localhost`."),
      Setting(
        "token", \.token, .adminToken,
        "A secret that requests at `address` must show, except for `/healthz` and `/readyz`. Write `file:/path`."),
    ])
}
