// The file that `catraca init` writes: as short as it can be, with what comes next as comments.

import Tokens

struct StarterFile {
  var issuer: String
  /// Empty takes tokens for anyone.
  var audiences: [String]
  /// What the issuer's keys sign with. Empty where it was not asked.
  var algorithms: [SignatureAlgorithm]
  /// `host:port`.
  var server: String
  /// The name in the server's certificate. Nil for a server without TLS.
  var serverName: String?
  /// Whether the issuer's URL is plain http elsewhere than on this machine.
  var isInsecure: Bool

  var text: String {
    """
    # Written by `catraca init`. `catraca check` reports what is wrong, and `catraca schema` helps editors.

    listeners:
      - address: "127.0.0.1:8080"   # "0.0.0.0:8080" serves others than this machine

    issuers:
      login:
        issuer: \(quoted(issuer))   # exactly as in the claim `iss` of a token
        audiences: [\(audiences.map(quoted).joined(separator: ", "))]   # \(audienceNote)
    \(issuerLines)
    upstreams:
      service:
        servers: [\(quoted(server))]
    \(upstreamLines)
    routes:
      # Every request needs a token. The service gets the caller's name as a header, and no token.
      - path: /*
        auth: login
        identity: { headers: { X-User-Id: sub } }
        upstream: service

      # What anybody may see:
      # - { path: /health, methods: [GET, HEAD], auth: public, upstream: service }

      # What needs a scope too:
      # - path: /admin/*
      #   auth: { issuers: [login], scopes: [admin] }
      #   identity: { headers: { X-User-Id: sub } }
      #   upstream: service

    """
  }

  private var audienceNote: String {
    audiences.isEmpty
      ? "none: a token that the issuer made for another service passes too"
      : "a token that is for none of these is refused"
  }

  private var issuerLines: String {
    var lines = ""
    if !algorithms.isEmpty {
      lines += "    algorithms: [\(algorithms.map(\.rawValue).joined(separator: ", "))]   # what its keys sign with\n"
    }
    if isInsecure { lines += "    insecure: true   # plain http: anyone in the network can forge its keys\n" }
    return lines
  }

  private var upstreamLines: String {
    serverName.map { "    tls: { server_name: \(quoted($0)) }\n" } ?? ""
  }

  /// As a value in double quotes, in which `${` inserts nothing.
  private func quoted(_ text: String) -> String {
    let inner = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("${", with: "$${")
    return "\"\(inner)\""
  }
}
