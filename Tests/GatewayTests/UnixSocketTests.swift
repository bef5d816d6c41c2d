// Unix sockets as listener and as upstream.

import Foundation
import TestSupport
import Testing

@Suite("Unix sockets")
struct UnixSocketTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var path: String { folder.url.appending(path: "gateway.sock").path }

  private func listeners(_ keys: String = "") -> String {
    "listeners: [{ address: \"unix:\(path)\"\(keys) }, { address: \"127.0.0.1:0\" }]\n"
  }

  private func connect() async throws -> RawClient { try await RawClient.connect(port: 0, path: path) }

  private func mode() throws -> Int? {
    (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue
  }

  private static let answer = "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]"

  @Test("A listener on a socket serves, all workers take part, and its peers are trusted proxies without an address")
  func listener() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start("workers: 3\n" + listeners() + Configurations.plain(upstream))
    var clients: [RawClient] = []
    for _ in 0..<6 { clients.append(try await connect()) }
    for client in clients {
      let text = try await client.get("/", ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"]).text
      #expect(
        text.contains("X-Forwarded-For: 203.0.113.9\r\n") && text.contains("X-Forwarded-Proto: https\r\n"), "\(text)")
      #expect(try await !client.get("/").text.contains("X-Forwarded-For:"))
    }
    _ = try await gateway.waitForAccessLog(containing: "\"client_ip\":\"203.0.113.9\"")
    #expect(try mode() == 0o660)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("Several workers share limits.connections, whichever of them has the clients of a socket")
  func sharedLimit() async throws {
    let upstream = try await TestUpstream.start { try await $0.stream.waitUntilGone() }
    let gateway = try await GatewayProcess.start(
      "workers: 4\n" + listeners() + Configurations.plain(upstream, top: "limits: { connections: 4 }"))
    var clients: [RawClient] = []
    for number in 1...4 {
      let client = try await connect()
      try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
      _ = try await upstream.waitForConnections(number)
      clients.append(client)
    }
    let fifth = try await connect()
    try await fifth.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await gateway.waitForLog("that there is no room") { $0.contains("limits.connections is reached") }
    #expect(upstream.connections.count == 4)
    clients[1].close()
    _ = try await upstream.waitForConnections(5)
  }

  @Test("mode says who may connect, also after a reload that changes it")
  func modes() async throws {
    let gateway = try await GatewayProcess.start(listeners(", mode: \"0600\"") + Self.answer)
    #expect(try mode() == 0o600)
    let kept = try await connect()
    #expect(try await kept.get("/").text == "ok")
    try gateway.write(configuration: listeners(", mode: \"0666\"") + Self.answer)
    #expect(try await gateway.reload().status == 200)
    #expect(try mode() == 0o666)
    #expect(try await kept.get("/").text == "ok")
    try gateway.write(configuration: "listeners: [{ address: \"127.0.0.1:0\" }]\n" + Self.answer)
    #expect(try await gateway.reload().status == 200)
    #expect(!FileManager.default.fileExists(atPath: path))
    try await kept.expectClosed()
  }

  @Test("A file that a killed gateway left is taken over. That of a running one is not")
  func staleFile() async throws {
    let killed = try await GatewayProcess.start(listeners() + Self.answer)
    killed.signal(SIGKILL)
    _ = try await killed.waitForExit()
    #expect(FileManager.default.fileExists(atPath: path))
    let gateway = try await GatewayProcess.start(listeners() + Self.answer)
    #expect(try await connect().get("/").text == "ok")
    let second = try await GatewayProcess.run(
      ["run", "gateway.conf"], configuration: "admin: off\n" + listeners() + Self.answer)
    #expect(second.status != 0 && second.standardError.contains("another process listens there"), "\(second)")
    #expect(try await connect().get("/").text == "ok")
    #expect(gateway.isRunning)
  }

  @Test("A file that is not a socket is left alone")
  func otherFile() async throws {
    try folder.write("gateway.sock", Data("precious".utf8))
    let result = try await GatewayProcess.run(
      ["run", "gateway.conf"], configuration: "admin: off\n" + listeners() + Self.answer)
    #expect(result.status != 0 && result.standardError.contains("gateway.sock"), "\(result)")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test("PROXY headers and TLS come over a socket too")
  func secure() async throws {
    let certificates = try await TestCertificates.shared()
    let upstream = try await TestUpstream.echo()
    let keys =
      ", proxy_protocol: true, tls: { certificates: [{ certificate: \"\(certificates.certificate(.good))\", "
      + "key: \"\(certificates.key(.good))\" }] }"
    let gateway = try await GatewayProcess.start(listeners(keys) + Configurations.plain(upstream))
    let client = try await RawClient.connect(
      port: 0, path: path, preamble: Array("PROXY TCP6 2001:db8::9 2001:db8::1 1 2\r\n".utf8),
      secure: try await SecureGateway.client())
    let text = try await client.get("/").text
    #expect(
      text.contains("X-Forwarded-For: 2001:db8::9\r\n") && text.contains("X-Forwarded-Proto: https\r\n"), "\(text)")
    #expect(gateway.isRunning)
  }

  @Test("An upstream on a socket is served, kept and balanced like any other. One that is gone is a 502")
  func upstream() async throws {
    let first = folder.url.appending(path: "first.sock").path
    let upstream = try await TestUpstream.echo(path: first)
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["unix:\(first)"] }, gone: { servers: ["unix:\(folder.url.path)/gone.sock"] } }
      routes:
        - { path: "/*", auth: public, upstream: service }
        - { path: "/gone", auth: public, upstream: gone }
      """)
    let client = try await gateway.connect()
    for _ in 0..<3 { #expect(try await client.get("/").status == 200) }
    #expect(upstream.connections.count == 1)
    let refused = try await client.get("/gone")
    #expect(refused.status == 502 && refused.code == "upstream_connect_failed")
    #expect(!refused.text.contains(folder.url.path))
    _ = try await gateway.waitForAccessLog(containing: "\"server\":\"unix:\(first)\"", "\"status\":200")
  }

  @Test("TLS to an upstream on a socket is verified by server_name")
  func secureUpstream() async throws {
    let certificates = try await TestCertificates.shared()
    let socket = folder.url.appending(path: "secure.sock").path
    let upstream = try await TestUpstream.echo(secure: try await SecureGateway.server(), path: socket)
    for (name, status) in [("localhost", 200), ("elsewhere.test", 502)] {
      let gateway = try await GatewayProcess.start(
        """
        upstreams:
          service:
            servers: ["unix:\(socket)"]
            connect_timeout: 1m
            tls: { ca: "\(certificates.authority)", server_name: \(name) }
        routes: [{ path: "/*", auth: public, upstream: service }]
        """)
      #expect(try await gateway.get("/").status == status)
    }
    #expect(upstream.requests.count == 1)
  }
}
