// Pages in a real browser that call a gateway of another origin: what they may read, and what the browser keeps from
// them.

import Foundation
import TestSupport
import Testing

@Suite("Pages of other origins")
struct CORSBrowserTests {
  /// Calls the gateway in several ways, and reports how each went by its next request to `/seen/`, which every page may
  /// call.
  static let page = """
    <!doctype html><title>page</title><script>
    const gateway = "http://127.0.0.1:PORT", token = "TOKEN", name = "NAME";
    async function call(path, options) {
      try {
        const answer = await fetch(gateway + path, options);
        return answer.status + "." + (answer.headers.get("X-Total") || "none");
      } catch (error) { return error.name; }
    }
    function socket(path) {
      return new Promise(resolve => {
        const ws = new WebSocket(gateway.replace("http", "ws") + path);
        ws.onopen = () => { resolve("open"); ws.close(); };
        ws.onerror = () => resolve("error");
      });
    }
    (async () => {
      const bearer = { headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" }, method: "PUT" };
      const seen = [
        await call("/open"), await call("/api", bearer), await call("/api"), await call("/api", { ...bearer, method: "PATCH" }),
        await call("/api", { ...bearer, credentials: "include" }), await call("/cookies", { credentials: "include" }),
        await socket("/live")];
      await fetch(gateway + "/seen/" + name + "/" + seen.join("-"), { mode: "no-cors" });
    })();
    </script>
    """

  private struct Scene {
    let upstream: TestUpstream
    let issuer: TestIssuer
    let gateway: GatewayProcess
    let folder: TemporaryFolder
  }

  /// A gateway for the pages of one origin, and the server of these pages.
  private func start(origins: String, name: String) async throws -> Scene {
    let issuer = try await TestIssuer.start()
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer("ok", fields: ["X-Total: 5", "Access-Control-Allow-Origin: *"], to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes:
        - path: /open
          auth: public
          cors: { origins: \(origins) }
          upstream: service
        - path: /api
          auth: login
          methods: [GET, PUT]
          cors: { origins: \(origins), expose_headers: [X-Total] }
          upstream: service
        - path: /cookies
          auth: public
          cors: { origins: \(origins), credentials: true, expose_headers: [X-Total] }
          upstream: service
        - path: /live
          auth: public
          websocket: true
          cors: { origins: \(origins) }
          upstream: service
        - { path: "/seen/*", auth: public, respond: { status: 204 } }
      """)
    try await gateway.waitUntilReady()
    let folder = try TemporaryFolder()
    let page = Self.page.replacing("PORT", with: "\(gateway.port)").replacing("TOKEN", with: issuer.token())
      .replacing("NAME", with: name)
    try folder.write("page.html", Data(page.utf8))
    return Scene(upstream: upstream, issuer: issuer, gateway: gateway, folder: folder)
  }

  /// Opens an address and waits for what its page reports.
  private func report(_ address: String, _ scene: Scene, name: String) async throws -> [String] {
    let browser = try ChildProcess.start(
      "/usr/bin/env",
      [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-port=0", "--user-data-dir=\(scene.folder.url.path)/profile", address,
      ])
    defer { browser.kill(SIGTERM) }
    let line = try await scene.gateway.waitForAccessLog(containing: "/seen/\(name)/")
    let path = try #require(line.firstMatch(of: /"path":"\/seen\/[a-z]+\/([^"]*)"/)?.1)
    return path.split(separator: "-").map(String.init)
  }

  /// Serves the scene's folder on an origin of its own.
  private func serve(_ scene: Scene) async throws -> (server: ChildProcess, port: String) {
    let server = try ChildProcess.start(
      "/usr/bin/env", ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], in: scene.folder.url)
    let line = try await server.output.wait(for: "http.server to start") { output in
      output.standardOutput.first { $0.contains(" port ") }
    }
    let words = line.split(separator: " ").map(String.init)
    return (server, try #require(words.firstIndex(of: "port").map { words[$0 + 1] }))
  }

  @Test(
    "Chromium lets a page of an allowed origin call, with a preflight, a token and cookies, and read 401. The rest is kept from it",
    .needs("chromium"), .needs("python3"), .tags(.slow))
  func allowed() async throws {
    let scene = try await start(origins: "[\"http://127.0.0.1:*\"]", name: "allowed")
    let (server, port) = try await serve(scene)
    defer { server.kill(SIGTERM) }
    let seen = try await report("http://127.0.0.1:\(port)/page.html", scene, name: "allowed")
    // Open: not exposed. With a token: whole. Without: the gateway's own 401. PATCH is not offered, nor cookies on
    // /api.
    #expect(seen == ["200.none", "200.5", "401.none", "TypeError", "TypeError", "200.5", "error"])
    let requests = scene.upstream.requests.map { $0.method + " " + $0.target }
    #expect(Set(requests) == ["GET /open", "PUT /api", "GET /cookies", "GET /live"])
    let log = scene.gateway.accessLog
    #expect(log.contains { $0.contains("\"method\":\"OPTIONS\"") && $0.contains("\"status\":204") })
  }

  @Test(
    "Chromium keeps every answer from a page of another origin, and its WebSocket is refused", .needs("chromium"),
    .needs("python3"), .tags(.slow))
  func refused() async throws {
    let scene = try await start(origins: "[https://app.example.com]", name: "refused")
    let (server, port) = try await serve(scene)
    defer { server.kill(SIGTERM) }
    let seen = try await report("http://127.0.0.1:\(port)/page.html", scene, name: "refused")
    #expect(seen == ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError", "TypeError", "error"])
    #expect(!scene.upstream.requests.contains { $0.method == "PUT" || $0.target == "/live" })
    _ = try await scene.gateway.waitForAccessLog(containing: "\"reason\":\"origin_not_allowed\"")
  }

  @Test(
    "An app's page in a file calls by the origin null where that is named, and opens WebSockets by file://",
    .needs("chromium"), .tags(.slow))
  func file() async throws {
    let scene = try await start(origins: "[\"null\", \"file://\"]", name: "file")
    let seen = try await report("file://\(scene.folder.url.path)/page.html", scene, name: "file")
    #expect(seen.prefix(4) == ["200.none", "200.5", "401.none", "TypeError"])
    // The handshake came through to a server that knows no WebSockets.
    #expect(scene.upstream.requests.contains { $0.target == "/live" })
    let origins = Set(scene.upstream.requests.flatMap { $0.values(of: "Origin") })
    #expect(origins.isSubset(of: ["null", "file://"]) && !origins.isEmpty)
  }
}
