// What arrives at a TLS port and is not a proper handshake, or not in time.

import Foundation
import TestSupport
import Testing

@Suite("Hostile handshakes", .needs("openssl"), .needs("curl"))
struct HostileHandshakeTests {
  /// A record of the handshake protocol that announces a hello of 512 bytes and brings three of them.
  private static let halfHello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC]

  /// - Parameter timeout: for handshakes at the second port. At the first they have ten minutes.
  private static func start(timeout: String) async throws -> SecureGateway {
    let certificates = try await TestCertificates.shared()
    let pair = "{ certificate: \"\(certificates.certificate(.good))\", key: \"\(certificates.key(.good))\" }"
    let listeners = ["10m", timeout].map {
      "  - { address: \"127.0.0.1:0\", tls: { certificates: [\(pair)], handshake_timeout: \($0) } }\n"
    }
    let process = try await GatewayProcess.start(
      "response_headers: { set: { X-Frame-Options: DENY } }\nlisteners:\n" + listeners.joined()
        + SecureGateway.answering)
    return SecureGateway(certificates: certificates, process: process)
  }

  @Test("Plain HTTP on a TLS port gets a 400 that says what to do, also with a body that nobody reads")
  func plainHTTP() async throws {
    let gateway = try await Self.start(timeout: "10m")
    let refused = try await gateway.process.get("/")
    #expect(refused["X-Frame-Options"] == "DENY")
    #expect(refused.status == 400 && refused.code == "tls_required" && refused.text.contains("https://"))
    #expect(refused["Connection"] == "close" && refused["Content-Length"] == "\(refused.body.count)")
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
      let client = try await gateway.process.connect()
      let body = [UInt8](repeating: 0x78, count: 300_000)
      client.startSending(Array("\(method) / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n".utf8) + body)
      #expect(try await client.receiveResponse(to: method).status == 400, "\(method)")
    }
    // However little comes at first.
    let slow = try await gateway.process.connect()
    for byte in Array("PATCH / HTTP/1.1".utf8) { try? await slow.send([byte]) }
    #expect(try await slow.receiveResponse(to: "PATCH").code == "tls_required")
    let curl = try await ChildProcess.run(
      "curl", ["-sS", "--noproxy", "*", "-d", "a=b", "http://127.0.0.1:\(gateway.process.port)/"])
    #expect(curl.status == 0 && curl.standardOutput.contains("tls_required"))
    try await gateway.waitForHandshakes("plain_http", 7)
  }

  @Test(
    "Garbage ends in an alert or nothing, is counted, and harms nobody else",
    arguments: [
      [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0xFF, count: 20_000), Array("\r\n\r\n\r\n".utf8),
      [0x16, 0x03, 0x01, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 70_000),
      [0x80, 0x2E, 0x01, 0x00, 0x02] + [UInt8](repeating: 0, count: 60),
      [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28], [0x16, 0x03, 0x01, 0x00, 0x04, 0x01, 0xFF, 0xFF, 0xFF],
    ])
  func garbage(_ bytes: [UInt8]) async throws {
    // A port for those who have time, and one for those who do not.
    let gateway = try await Self.start(timeout: "1s")
    let neighbour = try await gateway.connect()
    #expect(try await neighbour.get("/").status == 200)
    let client = try await RawClient.connect(port: gateway.process.ports[1])
    client.startSending(bytes)
    try await client.waitUntilGone()
    // An alert is one small record. No answer of HTTP is among it.
    #expect(client.record.isEmpty || client.record[0] == 0x15 && client.record.count <= 7, "\(client.record)")
    #expect(try await neighbour.get("/").status == 200)
    let metrics = try await gateway.process.waitForMetrics("two handshakes") {
      $0.sum("catraca_tls_handshakes_total") == 2
    }
    #expect(metrics.sum("catraca_tls_handshakes_total", ["result": "ok"]) == 1)
    #expect(metrics.sum("catraca_tls_handshakes_total", ["result": "internal_error"]) == 0)
    #expect(try await gateway.process.waitForAccessLog(2).count == 2)
  }

  @Test("A handshake that is slow, or never begins, ends at handshake_timeout and is counted")
  func slow() async throws {
    let gateway = try await Self.start(timeout: "300ms")
    let port = gateway.process.ports[1]
    let (silent, half) = (try await RawClient.connect(port: port), try await RawClient.connect(port: port))
    try await half.send(Self.halfHello)
    try await silent.waitUntilGone()
    try await half.waitUntilGone()
    try await gateway.waitForHandshakes("timeout", 2)
    // The deadline is the handshake's and not the connection's.
    let client = try await gateway.connect()
    #expect(try await client.get("/").status == 200)
    let another = try await RawClient.connect(port: port)
    try await another.waitUntilGone()
    try await gateway.waitForHandshakes("timeout", 3)
    #expect(try await client.get("/").status == 200)
  }

  @Test("Who goes away in the middle of a handshake is counted and forgotten")
  func gone() async throws {
    let gateway = try await SecureGateway.start()
    for isReset in [false, true] {
      let client = try await gateway.process.connect()
      try await client.send(Self.halfHello)
      if isReset { try await client.reset() } else { client.close() }
    }
    try await gateway.waitForHandshakes("closed", 2)
    #expect(try await gateway.connect().get("/").status == 200)
  }

  @Test("limits.connections counts handshakes: while they fill it, nobody else comes in")
  func limit() async throws {
    let (gateway, second, third) = try await undisturbed("a third client within a second of the others") {
      let gateway = try await SecureGateway.start(
        tls: "handshake_timeout: 10m", rest: "limits: { connections: 2 }\n" + SecureGateway.answering)
      let first = try await gateway.process.connect()
      let second = try await gateway.process.connect()
      for client in [first, second] { try await client.send(Self.halfHello) }
      // It waits in the kernel's queue, and its handshake begins when one of the others is over.
      let third = try await gateway.connect()
      third.startSending(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      for _ in 0..<5 {
        let metrics = try await gateway.process.metrics()
        if metrics.hasGivenUpAny { return (SecureGateway, RawClient, RawClient)?.none }
        #expect(metrics.sum("catraca_tls_handshakes_total") == 0)
      }
      first.close()
      return (gateway, second, third)
    }
    #expect(try await third.receiveResponse().status == 200)
    second.close()
    try await gateway.waitForHandshakes("closed", 2)
  }

  @Test("A drain does not wait for handshakes under way, and lets a request of a TLS connection finish")
  func drain() async throws {
    let (begun, go) = (Gate(), Gate())
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      begun.open()
      try await go.wait()
      try await connection.answer("late", to: request)
    }
    let gateway = try await SecureGateway.start(rest: Configurations.plain(upstream))
    let half = try await gateway.process.connect()
    try await half.send(Self.halfHello)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    gateway.process.terminate()
    try await half.waitUntilGone()
    #expect(gateway.process.isRunning)
    go.open()
    #expect(try await client.receiveResponse().text == "late")
    try await client.expectClosed()
    #expect(try await gateway.process.waitForExit() == 0)
  }
}
