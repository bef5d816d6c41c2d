// What the demo shows: the configuration that it runs, and lines for another terminal with what each of them will
// answer.

/// The demo's text, made from the ports of the moment.
struct DemoScript {
  static let audience = "demo-api"

  var issuerURL: String
  var upstreamPort: Int
  var gatewayPort: Int
  var adminPort: Int
  var tlsPort: Int
  /// Folder of a certificate for localhost and its key, made for this run.
  var certificates: String
  /// What seals the logins of this run.
  var secret: String
  var tokens = DemoTokens()

  /// The gateway's configuration, as a file would hold it.
  var configuration: String {
    """
    workers: 1
    listeners:
      - address: 127.0.0.1:\(gatewayPort)
      - address: 127.0.0.1:\(tlsPort)
        tls: { certificates: [{ certificate: "\(certificates)/localhost.crt", key: "\(certificates)/localhost.key" }] }
    admin: { address: "127.0.0.1:\(adminPort)" }
    limits: { connections: 200 }
    log: { level: warning }
    access_log: { format: "{time} {method} {path} -> {status} {reason} {subject}" }
    issuers:
      demo:
        issuer: \(issuerURL)
        audiences: [\(Self.audience)]
    upstreams:
      echo: { servers: ["127.0.0.1:\(upstreamPort)"] }
      provider: { servers: ["\(issuerURL.replacing("http://", with: ""))"] }
    secrets: ["\(secret)"]
    sessions:
      page:
        store: memory
        login:
          issuer: demo
          client_id: demo-page
          scopes: [openid, profile, offline_access]
          refresh: true
        me: [sub, email]
    routes:
      - path: /
        auth: public
        respond: { status: 200, body: "file:\(DemoPage.path(in: certificates))", content_type: text/html }
      - path: /me/*
        auth: { issuers: [demo], sessions: [page] }
        identity: { headers: { X-User-Id: sub, X-User-Email: email } }
        upstream: echo
      - path: /provider/*
        auth: { sessions: [page], challenge: 401 }
        rewrite: { strip_prefix: /provider }
        upstream: provider
      - path: /hello/*
        auth: demo
        identity: { headers: { X-User-Id: sub, X-User-Email: email } }
        upstream: echo
      - path: /admin/*
        auth: { issuers: [demo], scopes: ["demo:admin"] }
        identity: { headers: { X-User-Id: sub } }
        upstream: echo
      - path: /public/*
        auth: public
        upstream: echo

    """
  }

  /// Lines for a shell that name the tokens.
  var assignments: String {
    [("GOOD", tokens.good), ("EXPIRED", tokens.expired), ("FORGED", tokens.forged), ("ADMIN", tokens.administrator)]
      .map { "export \($0)='\($1)'\n" }.joined()
  }

  /// A line for a shell, with the status that it gets and what it shows.
  struct Line {
    var status: Int
    var meaning: String
    var command: String
  }

  var lines: [Line] {
    let gateway = "http://127.0.0.1:\(gatewayPort)"
    func get(_ path: String, _ token: String) -> String {
      "curl -i \(gateway)\(path) -H \"Authorization: Bearer $\(token)\""
    }
    return [
      Line(
        status: 200, meaning: "a good token: the upstream gets X-User-Id and X-User-Email, and no token",
        command: get("/hello", "GOOD")),
      Line(status: 401, meaning: "no token: token_missing", command: "curl -i \(gateway)/hello"),
      Line(status: 401, meaning: "an expired token: token_expired", command: get("/hello", "EXPIRED")),
      Line(
        status: 401, meaning: "a forged token, signed with another key: signature_invalid",
        command: get("/hello", "FORGED")),
      Line(
        status: 403, meaning: "the good token where the scope demo:admin is required: scope_missing",
        command: get("/admin", "GOOD")),
      Line(status: 200, meaning: "a token with that scope", command: get("/admin", "ADMIN")),
      Line(
        status: 200, meaning: "no token is needed here, and a header that claims an identity is removed",
        command: "curl -i \(gateway)/public -H 'X-User-Id: root'"),
      Line(
        status: 200,
        meaning: "the good token over TLS, with a certificate made for this run, and HTTP/2 if curl supports it",
        command: "curl -i --cacert \(certificates)/localhost.crt https://localhost:\(tlsPort)/hello "
          + "-H \"Authorization: Bearer $GOOD\""),
      Line(status: 404, meaning: "no route, no entry", command: "curl -i \(gateway)/other"),
      Line(
        status: 200, meaning: "the issuer changes its keys ...",
        command: "curl -i -X POST \(issuerURL)/rotate"),
      Line(
        status: 200, meaning: "... and a token of a new key passes: the gateway fetches keys that it has not seen",
        command: "curl -i \(gateway)/hello -H \"Authorization: Bearer $(curl -s '\(issuerURL)/token?sub=grace')\""),
    ]
  }

  /// Everything, for the terminal.
  var text: String {
    let lines = self.lines.map { "# \($0.status)  \($0.meaning)\n\($0.command)\n" }.joined(separator: "\n")
    return """
      Catraca \(Catraca.version): a gateway, an issuer of tokens and an upstream, all in this process.

      The gateway's configuration:

      \(configuration.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n"))

      Paste these tokens into another terminal:

      \(assignments)
      Then these lines. The number is the status that you will get:

      \(lines)
      More tokens:  curl -s '\(issuerURL)/token?sub=ada&scope=demo:admin&expires_in=60'
      Sign in:      https://localhost:\(tlsPort)/ in a browser, which does not know the certificate
      Status page:  http://127.0.0.1:\(adminPort)/status
      Metrics:      curl -s http://127.0.0.1:\(adminPort)/metrics
      Stop:         Ctrl-C

      One line per request follows.

      """
  }
}
