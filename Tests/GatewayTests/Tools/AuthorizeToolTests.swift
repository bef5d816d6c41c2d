// Somebody else's programs that are asked whether requests may pass, and that ask this gateway.

import Foundation
import TestSupport
import Testing
import Tokens

/// A small policy service of another language: it knows paths, roles and cookies, and says where it was asked.
private struct PolicyServer {
  let process: ChildProcess
  let port: Int

  private static let script = """
    import http.server, json, socketserver

    class Policy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        count = 0

        def answer(self, status, body=b"", **fields):
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            Policy.count += 1
            uri = self.headers.get("X-Forwarded-Uri", "")
            role = self.headers.get("X-Role", "")
            if self.path == "/oauth2/auth":
                # As oauth2-proxy has it.
                if "_oauth2_proxy=good" in self.headers.get("Cookie", ""):
                    return self.answer(202, X_Auth_Request_User="ada", Set_Cookie="theirs=1")
                return self.answer(401, b"Unauthorized\\n", Content_Type="text/plain")
            if self.path == "/api/authz/forward-auth":
                # As Authelia has it: a redirect for pages, 401 for all else.
                if "text/html" in self.headers.get("Accept", ""):
                    return self.answer(302, Location="https://auth.example.com/")
                return self.answer(401, b"<a href=https://auth.example.com/>401</a>", Content_Type="text/html")
            allowed = role == "admin" or not uri.startswith("/admin")
            if not allowed:
                return self.answer(403, json.dumps({"reason": "not an admin"}).encode(), Content_Type="application/json")
            self.answer(200, b"{}", X_Decision=str(Policy.count))

        def log_message(self, *ignored):
            pass

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Policy)
    print("port", server.server_port, flush=True)
    server.serve_forever()
    """

  static func start() async throws -> PolicyServer {
    let process = try ChildProcess.start("/usr/bin/env", ["python3", "-u", "-c", script])
    let line = try await process.output.wait(for: "the policy service to start") { output in
      if let status = output.status {
        throw GatewayProcess.StartFailure(description: "status \(status): \(output.standardError)")
      }
      return output.standardOutput.first { $0.hasPrefix("port ") }
    }
    return PolicyServer(process: process, port: try #require(Int(line.dropFirst(5))))
  }
}

@Suite("Authorization by others' programs", .timeLimit(.minutes(10)))
struct AuthorizeToolTests {
  private static let issuer = "https://login.example.com/"

  private func start(
    _ policy: PolicyServer, _ upstream: TestUpstream, key: TestKey, service: String, route: String
  ) async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      issuers:
        login: { issuer: "\(Self.issuer)", audiences: [api], jwks: keys.json }
      upstreams:
        echo: { servers: ["\(upstream.address)"] }
        policy: { servers: ["127.0.0.1:\(policy.port)"] }
      services:
        policy: { upstream: policy, \(service) }
      routes:
        - { path: /*, authorize: { service: policy }, upstream: echo, \(route) }
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    return gateway
  }

  @Test(
    "A policy service in Python decides by path and role, its answer is remembered, and the log and metrics say so",
    .needs("python3"))
  func policy() async throws {
    let key = try TestKey(.es256)
    let policy = try await PolicyServer.start()
    let upstream = try await TestUpstream.echo()
    let gateway = try await start(
      policy, upstream, key: key,
      service:
        "path: /v1/check, timeout: 20s, cache: { for: 1h, by: [\"claim:sub\", method, path] }, "
        + "answer_headers: [X-Decision]",
      route: "auth: login, identity: { headers: { X-Role: role } }")
    func bearer(_ role: String) -> String {
      let claims: [String: JSONValue] = ["aud": "api", "sub": .string(role), "role": .string(role)]
      return "Authorization: Bearer \(makeToken(issuer: Self.issuer, claims, key: key))"
    }
    let client = try await gateway.connect()
    let first = try await client.get("/orders", [bearer("user"), "X-Decision: forged", "X-Role: admin"])
    #expect(first.text.contains("X-Decision: 1\r\n") && first.text.contains("X-Role: user\r\n"))
    #expect(!first.text.contains("forged"))
    // One connection is one worker.
    for _ in 0..<20 { #expect(try await client.get("/orders", [bearer("user")]).text.contains("X-Decision: 1\r\n")) }
    let refused = try await client.get("/admin/users", [bearer("user")])
    #expect(refused.status == 403 && refused.text == "{\"reason\": \"not an admin\"}")
    #expect(refused["Content-Type"] == "application/json")
    #expect(try await client.get("/admin/users", [bearer("admin")]).status == 200)
    let line = try await gateway.waitForAccessLog(containing: "authorize_refused")
    #expect(line.contains("\"authorize\":\"refused\"") && line.contains("\"status\":403"))
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_authorize_total", ["service": "policy", "result": "remembered"]) == 20)
    #expect(metrics.sum("catraca_authorize_total", ["result": "passed"]) == 2)
    #expect(metrics.sum("catraca_authorize_total", ["result": "refused"]) == 1)
    #expect(metrics.sum("catraca_authorize_duration_seconds_count", ["service": "policy"]) == 3)
    #expect(metrics.sum("catraca_errors_total", ["reason": "authorize_refused"]) == 1)
  }

  @Test(
    "A login proxy that answers 202 and 401 by its cookie lets pages through, and its cookie stays with it",
    .needs("python3"))
  func loginProxy() async throws {
    let policy = try await PolicyServer.start()
    let upstream = try await TestUpstream.echo()
    let gateway = try await start(
      policy, upstream, key: try TestKey(.es256),
      service: "path: /oauth2/auth, timeout: 20s, headers: [Cookie], answer_headers: [X-Auth-Request-User]",
      route: "auth: public, error_pages: { 401: { body: \"<a href=/oauth2/start>Sign in</a>\", "
        + "content_type: text/html } }")
    let inside = try await gateway.get("/", ["Cookie: _oauth2_proxy=good", "X-Auth-Request-User: root"])
    #expect(inside.status == 200 && inside.text.contains("X-Auth-Request-User: ada\r\n"))
    #expect(inside["Set-Cookie"] == nil && !inside.text.contains("root"))
    let outside = try await gateway.get("/", ["Cookie: _oauth2_proxy=bad", "Accept: text/html"])
    #expect(outside.status == 401 && outside.text == "<a href=/oauth2/start>Sign in</a>")
    let program = try await gateway.get("/", ["Accept: application/json"])
    #expect(program.status == 401 && program.text == "Unauthorized\n")
  }

  @Test("A portal that redirects pages answers 401 to the gateway, which never hands Accept on", .needs("python3"))
  func portal() async throws {
    let policy = try await PolicyServer.start()
    let upstream = try await TestUpstream.echo()
    let key = try TestKey(.es256)
    let gateway = try await start(
      policy, upstream, key: key, service: "path: /api/authz/forward-auth, timeout: 20s, headers: [Cookie]",
      route: "auth: public")
    let page = try await gateway.get("/", ["Accept: text/html"])
    #expect(page.status == 401 && page.text.contains("https://auth.example.com/"))
    let other = try await start(
      policy, upstream, key: key, service: "path: /api/authz/forward-auth, timeout: 20s, headers: [Accept]",
      route: "auth: public")
    let redirected = try await other.get("/", ["Accept: text/html"])
    #expect(redirected.code == "authorize_unavailable" && redirected["Location"] == nil)
  }

  @Test("nginx asks this gateway by auth_request, and passes on the identity that it answers with", .needs("nginx"))
  func nginx() async throws {
    let key = try TestKey(.es256)
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
        login: { issuer: "\(Self.issuer)", audiences: [api], jwks: keys.json }
      routes:
        - path: /auth
          auth: { issuers: [login], claims: { team: red } }
          identity: { headers: { X-User-Id: sub, X-Team: team } }
          respond: { status: 204, identity: true }
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    let nginx = try await ForeignServer.nginx { _, port in
      """
      server {
        listen 127.0.0.1:\(port);
        location / {
          auth_request /auth;
          auth_request_set $user $upstream_http_x_user_id;
          proxy_set_header X-User-Id $user;
          proxy_pass http://\(upstream.address);
        }
        location = /auth {
          internal;
          proxy_pass http://127.0.0.1:\(gateway.ports[0])/auth;
          proxy_pass_request_body off;
          proxy_set_header Content-Length "";
          proxy_set_header X-Forwarded-Method $request_method;
          proxy_set_header X-Forwarded-Uri $request_uri;
        }
      }
      """
    }
    func ask(_ team: String?) async throws -> RawResponse {
      let client = try await RawClient.connect(port: nginx.port)
      let token = team.map {
        makeToken(issuer: Self.issuer, ["aud": "api", "sub": "ada", "team": .string($0)], key: key)
      }
      return try await client.exchange(
        "POST /orders HTTP/1.1\r\nHost: shop\r\nX-User-Id: root\r\nContent-Length: 4\r\nConnection: close\r\n"
          + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\r\nbody")
    }
    let good = try await ask("red")
    #expect(good.status == 200 && good.text.contains("X-User-Id: ada\r\n") && !good.text.contains("root"))
    #expect(try await ask("blue").status == 403)
    #expect(try await ask(nil).status == 401)
  }
}
