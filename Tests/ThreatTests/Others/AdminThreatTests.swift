// What a web page in the operator's browser, and a peer that holds connections, can do at the admin listener (T81).

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct AdminThreatTests {
  private static let route = "routes: [{ path: /a, auth: public, respond: { status: 200 } }]"

  @Test("T81 A page elsewhere can neither reload the gateway nor read of it through a name of its own")
  func webPage() async throws {
    let gateway = try await GatewayProcess.start(
      "admin: { address: \"127.0.0.1:0\", hosts: [ops.example] }\n" + Self.route)
    let own = "127.0.0.1:\(gateway.adminPort)"
    for (host, fields) in [
      (own, ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"]), (own, ["Origin: null"]),
      (own, ["Sec-Fetch-Site: cross-site"]), (own, ["Sec-Fetch-Site: same-site"]),
    ] {
      let answer = try await gateway.admin("/reload", method: "POST", host: host, fields)
      #expect(answer.status == 403 && answer["X-Error-Code"] == "origin_not_allowed", "\(fields)")
    }
    for path in ["/status", "/metrics", "/readyz", "/healthz", "/none"] {
      let answer = try await gateway.admin(path, host: "rebind.evil.example:\(gateway.adminPort)")
      #expect(answer.status == 403 && answer["X-Error-Code"] == "host_not_allowed", "\(path)")
      #expect(!answer.text.contains("catraca"))
    }
    let rebound = try await gateway.admin("/reload", method: "POST", host: "rebind.evil.example")
    #expect(rebound.status == 403)
    #expect(try await gateway.metrics().sum("catraca_config_reloads_total") == 0)
    for (host, fields) in [
      (own, []), ("ops.example", []), ("localhost", ["Sec-Fetch-Site: none"]),
      (own, ["Origin: http://\(own)", "Sec-Fetch-Site: same-origin"]),
    ] {
      #expect(try await gateway.admin("/reload", method: "POST", host: host, fields).status == 200, "\(host) \(fields)")
    }
    #expect(try await gateway.metrics().sum("catraca_config_reloads_total") == 4)
  }

  @Test("The metrics address has three pages, by any name, and no way to change anything")
  func metricsDoor() async throws {
    let gateway = try await GatewayProcess.start(
      "admin: { address: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\", token: \"file:secret\" }\n" + Self.route,
      files: ["secret": "a token of the admin's".replacing(" ", with: "-") + "\n"])
    let port = try #require(gateway.metricsPort)
    for path in ["/metrics", "/healthz", "/readyz"] {
      #expect(try await gateway.admin(path, host: "catraca.monitoring.svc", port: port).status == 200, "\(path)")
      #expect(try await gateway.admin(path, method: "POST", port: port).status == 405, "\(path)")
    }
    for path in ["/status", "/reload", "/", "/metrics/"] {
      for method in ["GET", "POST"] {
        #expect(try await gateway.admin(path, method: method, port: port).status == 404, "\(method) \(path)")
      }
    }
    // A reload without it closes it.
    try gateway.write(configuration: "admin: { address: \"127.0.0.1:0\" }\n" + Self.route)
    let bearer = ["Authorization: Bearer a-token-of-the-admin's"]
    #expect(try await gateway.admin("/reload", method: "POST", bearer).status == 200)
    try await gateway.waitUntil("the metrics listener to be closed") {
      do { return try await gateway.admin("/healthz", port: port).status != 200 } catch { return true }
    }
    #expect(try await gateway.admin("/metrics").status == 200)
  }

  @Test("With a token nothing but the health pages answers without it. A reload takes another one")
  func token() async throws {
    let gateway = try await GatewayProcess.start(
      "admin: { address: \"127.0.0.1:0\", token: \"${ADMIN_TOKEN}\" }\n" + Self.route,
      environment: ["ADMIN_TOKEN": "first-secret-of-the-admin"])
    let first = ["Authorization: Bearer first-secret-of-the-admin"]
    for path in ["/healthz", "/readyz"] { #expect(try await gateway.admin(path).status == 200) }
    for (path, method) in [("/status", "GET"), ("/metrics", "GET"), ("/reload", "POST"), ("/none", "GET")] {
      let answer = try await gateway.admin(path, method: method)
      #expect(answer.status == 401 && answer["X-Error-Code"] == "token_missing", "\(path)")
      let wrong = try await gateway.admin(path, method: method, ["Authorization: Bearer first-secret-of-the-admim"])
      #expect(wrong.status == 401 && wrong["X-Error-Code"] == "token_invalid", "\(path)")
    }
    #expect(try await gateway.admin("/metrics", first).status == 200)
    // As a browser sends it: any name, and the token as the password.
    let pair = "Authorization: Basic OmZpcnN0LXNlY3JldC1vZi10aGUtYWRtaW4="
    let page = try await gateway.admin("/status", [pair, "Accept: text/html"])
    #expect(page.status == 200 && page.text.hasPrefix("<!DOCTYPE html>"))
    #expect(try await gateway.admin("/status", [pair]).status == 200)
    try gateway.write(
      configuration: "admin: { address: \"127.0.0.1:0\", token: second-secret-of-the-admin }\n" + Self.route)
    #expect(try await gateway.admin("/reload", method: "POST", first).status == 200)
    #expect(try await gateway.admin("/status", first).status == 401)
    #expect(try await gateway.admin("/status", ["Authorization: Bearer second-secret-of-the-admin"]).status == 200)
    for line in gateway.standardError + gateway.accessLog { #expect(!line.contains("secret-of-the-admin")) }
  }

  @Test("T81 Silent connections, as many as there may be and more, do not shut the health pages out")
  func silentConnections() async throws {
    let gateway = try await GatewayProcess.start(Self.route)
    var silent: [RawClient] = []
    for _ in 0..<600 { silent.append(try await RawClient.connect(port: gateway.adminPort)) }
    #expect(try await gateway.admin("/healthz").status == 200)
    // Those that were silent for longest have gone, the newest have not.
    try await silent[0].expectClosed()
    let answer = try await silent[599].exchange("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(answer.status == 200)
  }
}
