// What the reference shows for pages in browsers does what it says.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Pages in browsers", .timeLimit(.minutes(10)))
struct PageTests {
  private static let example: String = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = (try? String(contentsOf: root.appending(path: "docs/CONFIGURATION.md"), encoding: .utf8)) ?? ""
    return text.components(separatedBy: "```yaml\n").first { $0.contains("path: /app/enter") }?
      .components(separatedBy: "```").first ?? ""
  }()

  private func configuration(_ upstream: TestUpstream) -> String {
    """
    issuers:
    \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
    upstreams: { orders: { servers: ["\(upstream.address)"] } }

    """ + Self.example
  }

  @Test("A link with a token becomes a cookie, with which the page and its parts are loaded, and without it only some")
  func link() async throws {
    let key = try TestKey(.es256)
    let upstream = try await TestUpstream.echo()
    let files = ["keys.json": keySetText(key)]
    let gateway = try await GatewayProcess.start(configuration(upstream), files: files)
    let token = TokenDoor.token(key)
    for path in ["/app/manifest.webmanifest", "/favicon.ico"] {
      #expect(try await gateway.get(path).status == 200, "\(path)")
    }
    for path in ["/app/", "/app/picture.png", "/app/?access_token=\(token)"] {
      #expect(try await gateway.get(path).status == 401, "\(path)")
    }
    let entered = try await gateway.get("/app/enter?access_token=\(token)&x=1")
    #expect(entered.status == 200 && entered.text.contains("url=/app/"), "\(entered.text)")
    let cookie = try #require(entered["Set-Cookie"])
    #expect(cookie == "session=\(token); Path=/app; Secure; HttpOnly; SameSite=Lax")
    #expect(entered["Cache-Control"] == "no-store" && entered["Referrer-Policy"] == "no-referrer")
    let sent = "Cookie: " + cookie.prefix { $0 != ";" }
    for path in ["/app/", "/app/picture.png"] {
      let part = try await gateway.get(path, [sent])
      #expect(part.status == 200 && part.text.hasPrefix("GET \(path) ") && !part.text.contains(token), "\(part.text)")
    }
    #expect(try await gateway.waitForAccessLog(8).allSatisfy { !$0.contains(token) })
    let file = "listeners: [{ address: \"127.0.0.1:0\" }]\n" + configuration(upstream)
    let warnings = try await GatewayProcess.run(["check"], configuration: file, files: files)
    #expect(warnings.status == 0 && warnings.standardError.isEmpty, "\(warnings)")
  }

  @Test(
    "Chromium enters by the link, loads the page's parts with the cookie, and the manifest without it",
    .needs("chromium"), .tags(.slow))
  func browser() async throws {
    let page = """
      <!doctype html><title>page</title><link rel="manifest" href="/app/manifest.webmanifest"><img src="/app/picture.png">
      <script type="module" src="/app/module.js"></script>
      """
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let isPage = request.target == "/app/"
        let type = isPage ? "text/html" : request.target.hasSuffix(".js") ? "text/javascript" : "text/plain"
        try await connection.answer(isPage ? page : "1", fields: ["Content-Type: \(type)"], to: request)
      }
    }
    let key = try TestKey(.es256)
    let gateway = try await GatewayProcess.start(configuration(upstream), files: ["keys.json": keySetText(key)])
    let folder = try TemporaryFolder()
    let browser = try ChildProcess.start(
      "/usr/bin/env",
      [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-port=0", "--user-data-dir=\(folder.url.path)/profile",
        "http://localhost:\(gateway.port)/app/enter?access_token=\(TokenDoor.token(key))",
      ])
    defer { browser.kill(SIGTERM) }
    for path in ["/app/", "/app/picture.png", "/app/module.js", "/app/manifest.webmanifest"] {
      let line = try await gateway.waitForAccessLog(containing: "\"path\":\"\(path)\"")
      #expect(line.contains("\"status\":200"), "\(line)")
    }
    let manifest = try #require(upstream.requests.first { $0.target == "/app/manifest.webmanifest" })
    #expect(manifest["Cookie"] == nil)
  }

  @Test("A link without a token sets no cookie, and one with another value opens nothing and sets nothing besides")
  func otherLinks() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      configuration(upstream), files: ["keys.json": keySetText(try TestKey(.es256))])
    for query in ["", "?access_token=", "?other=1", "?access_token=a&access_token=b"] {
      let entered = try await gateway.get("/app/enter" + query)
      #expect(entered.status == 200 && entered["Set-Cookie"] == nil, "\(query)")
    }
    for value in ["x", "a%3b%20Domain=example.com", "a%0d%0aX-Other:%201", "a;Domain=example.com"] {
      let entered = try await gateway.get("/app/enter?access_token=\(value)")
      let cookie = try #require(entered["Set-Cookie"], "\(value)")
      #expect(cookie.hasSuffix("; Path=/app; Secure; HttpOnly; SameSite=Lax"), "\(cookie)")
      #expect(cookie.count { $0 == ";" } == 4 && entered["X-Other"] == nil, "\(cookie)")
      let opened = try await gateway.get("/app/", ["Cookie: " + cookie.prefix { $0 != ";" }])
      #expect(opened.status == 401, "\(value)")
    }
    #expect(upstream.requests.isEmpty)
  }
}
