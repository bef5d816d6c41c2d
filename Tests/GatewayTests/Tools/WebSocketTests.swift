// WebSockets between programs that others wrote: the Python library `websockets` on both ends, `h2`, and a browser.

import Foundation
import TestSupport
import Testing

@Suite("Real WebSockets")
struct WebSocketTests {
  /// A gateway with and without TLS in front of the library's server.
  private struct Bench {
    let python: String
    let folder: TemporaryFolder
    let server: ChildProcess
    let gateway: GatewayProcess
    let issuer: TestIssuer
    let certificates: TestCertificates

    static func start() async throws -> Bench {
      let python = try #require(await PythonPackages.webSockets.value)
      let folder = try TemporaryFolder()
      try folder.write("server.py", Data(WebSocketScripts.server.utf8))
      try folder.write("client.py", Data(WebSocketScripts.client.utf8))
      try folder.write("h2client.py", Data(WebSocketScripts.multiplexedClient.utf8))
      let server = try ChildProcess.start("/usr/bin/env", [python, "-u", "server.py"], in: folder.url)
      let port = try await server.output.wait(for: "the server of WebSockets to start") { output -> String? in
        if let status = output.status {
          throw GatewayProcess.StartFailure(description: "status \(status): \(output.standardError)")
        }
        return output.standardOutput.first { $0.hasPrefix("port ") }.map { String($0.dropFirst(5)) }
      }
      let issuer = try await TestIssuer.start()
      let certificates = try await TestCertificates.shared()
      let page = WebSocketScripts.page.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
      let gateway = try await GatewayProcess.start(
        """
        listeners:
          - { address: "127.0.0.1:0" }
          - address: "127.0.0.1:0"
            tls: { certificates: [{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }] }
        issuers:
        \(issuer.configuration(more: ["leeway: 0s"]))
        upstreams: { echo: { servers: ["127.0.0.1:\(port)"] } }
        routes:
          - path: /live
            auth: { issuers: [login], tokens_from: [websocket_protocol, "query:token"] }
            identity: { headers: { X-User: sub } }
            websocket: true
            upstream: echo
          - path: /page
            auth: public
            respond:
              status: 200
              content_type: text/html
              body: |
        \(page)
          - { path: "/seen/*", auth: public, respond: { status: 204 } }
        """)
      try await gateway.waitUntilReady()
      return Bench(
        python: python, folder: folder, server: server, gateway: gateway, issuer: issuer, certificates: certificates)
    }

    func client(_ arguments: [String]) async throws -> [String] {
      let client = try ChildProcess.start("/usr/bin/env", [python, "-u"] + arguments, in: folder.url)
      let outcome = try await client.finish()
      #expect(outcome.status == 0, "\(outcome.standardError.suffix(500))")
      return outcome.standardOutput.split(separator: "\n").map(String.init)
    }

    func serverLine(_ count: Int) async throws -> String {
      try await server.output.wait(for: "line \(count) of the server") { output in
        output.standardOutput.count > count ? output.standardOutput[count] : nil
      }
    }

    /// Good for some seconds: long enough for a program to start and to shake hands on a machine that is busy.
    func shortToken(seconds: Int = 20) -> String { issuer.token(["exp": .integer(unixNow() + seconds)]) }
  }

  @Test(
    "The library websockets on both ends: deflate, 1 MiB, fragments, pings, in clear and over TLS", .needsWebSockets)
  func messages() async throws {
    let bench = try await Bench.start()
    let urls = ["ws://127.0.0.1:\(bench.gateway.ports[0])/live", "wss://localhost:\(bench.gateway.ports[1])/live"]
    for (index, url) in urls.enumerated() {
      let token = bench.issuer.token()
      let seen = try await bench.client(["client.py", url, bench.certificates.authority, token, "chat"])
      #expect(seen == ["open chat ['permessage-deflate']", "echoed"])
      #expect(try await bench.serverLine(1 + 2 * index) == "open alice chat False")
      #expect(try await bench.serverLine(2 + 2 * index) == "closed 1000")
      let line = try await bench.gateway.waitForAccessLog(index + 1)[index]
      #expect(line.contains("\"status\":101"))
      #expect(!line.contains(token.suffix(20)))
    }
  }

  @Test("The library websockets sees 4401 when its token is over", .needsWebSockets, .tags(.slow))
  func expiry() async throws {
    let bench = try await Bench.start()
    let url = "wss://localhost:\(bench.gateway.ports[1])/live"
    let seen = try await bench.client(["client.py", url, bench.certificates.authority, bench.shortToken()])
    #expect(seen == ["open bearer ['permessage-deflate']", "echoed", "closed 4401"])
    #expect(try await bench.serverLine(1) == "open alice None False")
    #expect(try await bench.serverLine(2) == "closed 1001")
    let line = try await bench.gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"reason\":\"token_expired\""))
  }

  @Test("Python's h2 opens a WebSocket over HTTP/2 and sees 4401", .needsWebSockets, .tags(.slow))
  func multiplexed() async throws {
    let bench = try await Bench.start()
    let seen = try await bench.client(["h2client.py", "\(bench.gateway.ports[1])", bench.shortToken()])
    #expect(seen == ["open 200 bearer", "echoed", "closed 4401", "ended"])
    #expect(try await bench.serverLine(1) == "open alice None False")
    #expect(try await bench.serverLine(2) == "closed 1001")
  }

  @Test(
    "Chromium opens a WebSocket over HTTP/2 with its token as a subprotocol", .needsWebSockets, .needs("chromium"),
    .tags(.slow))
  func browser() async throws {
    let bench = try await Bench.start()
    let address = "https://localhost:\(bench.gateway.ports[1])/page?token=\(bench.shortToken(seconds: 40))"
    let browser = try ChildProcess.start(
      "/usr/bin/env",
      [
        "chromium", "--headless=new", "--no-sandbox", "--ignore-certificate-errors", "--disable-gpu",
        "--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir=\(bench.folder.url.path)/profile",
        address,
      ])
    defer { browser.kill(SIGTERM) }
    let report = try await bench.gateway.waitForAccessLog(containing: "/seen/")
    #expect(report.contains("\"path\":\"/seen/open-bearer-hello-4401\""))
    let tunnel = try await bench.gateway.waitForAccessLog(containing: "\"status\":101")
    #expect(tunnel.contains("\"protocol\":\"HTTP/2\""))
    #expect(tunnel.contains("\"subject\":\"alice\""))
    #expect(!bench.gateway.accessLog.contains { $0.contains("\"path\":\"/live\"") && $0.contains("eyJ") })
  }
}
