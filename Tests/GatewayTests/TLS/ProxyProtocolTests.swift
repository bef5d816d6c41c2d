// PROXY headers on a listener that requires them, without TLS and in front of TLS.

import TestSupport
import Testing

@Suite("PROXY protocol")
struct ProxyProtocolTests {
  private static let version1 = Array("PROXY TCP4 203.0.113.9 10.0.0.1 5000 443\r\n".utf8)
  private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
  private static let version2: [UInt8] =
    signature + [0x21, 0x11, 0x00, 0x0C, 203, 0, 113, 9, 10, 0, 0, 1, 0x13, 0x88, 0x01, 0xBB]

  /// The upstream lives as long as the test holds it.
  private func start(trusted: String = "127.0.0.1", isSecure: Bool = false, more: String = "") async throws -> (
    SecureGateway, TestUpstream
  ) {
    let upstream = try await TestUpstream.echo()
    let listener =
      isSecure
      ? try await SecureGateway.listener(keys: "proxy_protocol: true")
      : "listeners: [{ address: \"127.0.0.1:0\", proxy_protocol: true }]\n"
    let process = try await GatewayProcess.start(
      listener + Configurations.plain(upstream, top: "trusted_proxies: [\(trusted)]\n\(more)"))
    return (SecureGateway(certificates: try await TestCertificates.shared(), process: process), upstream)
  }

  @Test("The address of a header is the client's, for the upstream and in the log. Its bytes may come one by one")
  func address() async throws {
    let (gateway, upstream) = try await start()
    for header in [Self.version1, Self.version2] {
      let client = try await gateway.process.connect()
      let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
      client.startSending(header + request)
      #expect(try await client.receiveResponse().text.contains("X-Forwarded-For: 203.0.113.9\r\n"))
      // Once a connection, and not once a request.
      #expect(try await client.get("/").text.contains("X-Forwarded-For: 203.0.113.9\r\n"))
      let slow = try await gateway.process.connect()
      for byte in header + request { try await slow.send([byte]) }
      #expect(try await slow.receiveResponse().text.contains("X-Forwarded-For: 203.0.113.9\r\n"))
    }
    _ = try await gateway.process.waitForAccessLog(containing: "\"client_ip\":\"203.0.113.9\"")
    #expect(upstream.requests.count == 6)
  }

  @Test("Behind LOCAL and UNKNOWN, which name nobody, the client is the peer itself")
  func unnamed() async throws {
    let (gateway, upstream) = try await start()
    for header in [Array("PROXY UNKNOWN\r\n".utf8), Self.signature + [0x20, 0x00, 0x00, 0x00]] {
      let client = try await gateway.process.connect()
      client.startSending(header + Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      #expect(try await client.receiveResponse().text.contains("X-Forwarded-For: 127.0.0.1\r\n"))
    }
    #expect(upstream.requests.count == 2)
  }

  @Test("TLS begins behind the header")
  func secure() async throws {
    let (gateway, upstream) = try await start(isSecure: true)
    for header in [Self.version1, Self.version2] {
      let client = try await RawClient.connect(
        port: gateway.process.port, preamble: header, secure: try await SecureGateway.client())
      let response = try await client.get("/")
      #expect(response.text.contains("X-Forwarded-For: 203.0.113.9\r\n"))
      #expect(response.text.contains("X-Forwarded-Proto: https\r\n"))
    }
    try await gateway.waitForHandshakes("ok", 2)
    #expect(upstream.requests.count == 2)
  }

  @Test("A peer that is not trusted is let in neither with a header nor without")
  func untrusted() async throws {
    let (gateway, upstream) = try await start(trusted: "192.0.2.1")
    for bytes in [Self.version1, []] {
      let client = try await gateway.process.connect()
      client.startSending(bytes + Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      try await client.waitUntilGone()
      #expect(client.record.isEmpty)
    }
    let metrics = try await gateway.process.waitForMetrics("two untrusted peers") {
      $0.sum("catraca_errors_total", ["reason": "proxy_header_untrusted"]) == 2
    }
    #expect(metrics.sum("catraca_tls_handshakes_total") == 0)
    #expect(upstream.connections.isEmpty)
  }

  @Test(
    "A header that is missing, too long or malformed ends the connection and is counted",
    arguments: [
      Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), Array("PROXY TCP4 1.2.3.4\r\n".utf8),
      Array("PROXY TCP4 \(String(repeating: "1", count: 120))".utf8),
      Array("PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n".utf8),
      Array("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\nGET / HTTP/1.1\r\n\r\n".utf8), signature + [0x31, 0x11, 0x00, 0x00],
      signature + [0x21, 0x11, 0x00, 0x04, 1, 2, 3, 4],
      signature + [0x21, 0x11, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 70_000),
      [0x16, 0x03, 0x01, 0x00, 0x05],
    ], [false, true])
  func malformed(_ bytes: [UInt8], _ isSecure: Bool) async throws {
    let (gateway, upstream) = try await start(isSecure: isSecure)
    let client = try await gateway.process.connect()
    client.startSending(bytes)
    try await client.waitUntilGone()
    #expect(client.record.isEmpty)
    try await gateway.process.waitForMetrics("a malformed header") {
      $0.sum("catraca_errors_total", ["reason": "proxy_header_invalid"]) == 1
    }
    #expect(upstream.connections.isEmpty)
  }

  @Test("A header that does not come in time ends the connection and is counted")
  func slow() async throws {
    let (gateway, upstream) = try await start(more: "limits: { header_timeout: 300ms }")
    for bytes in [[], Array(Self.version1.prefix(20)), Array(Self.version2.prefix(15))] {
      let client = try await gateway.process.connect()
      if !bytes.isEmpty { try await client.send(bytes) }
      try await client.waitUntilGone()
      #expect(client.record.isEmpty)
    }
    try await gateway.process.waitForMetrics("three that are late") {
      $0.sum("catraca_errors_total", ["reason": "proxy_header_timeout"]) == 3
    }
    #expect(upstream.connections.isEmpty)
  }

  @Test("limits.connections counts those whose header has not come")
  func limit() async throws {
    try await undisturbed("a second client within a second of the first") {
      let (gateway, upstream) = try await start(more: "limits: { header_timeout: 10m, connections: 1 }")
      let silent = try await gateway.process.connect()
      let next = try await gateway.process.connect()
      next.startSending(Self.version1 + Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      for _ in 0..<5 {
        let metrics = try await gateway.process.metrics()
        if metrics.hasGivenUpAny { return Void?.none }
        #expect(metrics.sum("catraca_requests_total") == 0)
      }
      silent.close()
      #expect(try await next.receiveResponse().status == 200)
      #expect(upstream.requests.count == 1)
      return ()
    }
  }
}
