// Bodies and ends of connections through TLS, with our own client and server.

import Foundation
import TLS
import TestBasics
import TestSupport
import Testing

@Suite("Bodies over TLS")
struct SecureBodyTests {
  private let certificates: TestCertificates
  private let server: ServerContext

  init() async throws {
    certificates = try await TestCertificates.shared()
    server = try await SecureGateway.server()
  }

  private func start(_ upstream: TestUpstream, top: String = "") async throws -> SecureGateway {
    try await SecureGateway.start(
      rest: Configurations.plain(
        upstream, top: top,
        upstreamKeys: "connect_timeout: 1m, tls: { ca: \"\(certificates.authority)\", server_name: localhost }"))
  }

  @Test("1 MiB each way through TLS on both sides arrives as it was, at any cut, many times on one connection")
  func large() async throws {
    let upstream = try await TestUpstream.start(secure: server) { connection in
      while true {
        let request = try await connection.receiveRequest()
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n"
        try await connection.send(Array(head.utf8) + request.body.reversed())
      }
    }
    let gateway = try await start(upstream)
    let client = try await gateway.connect()
    var random = SeededGenerator(seed: 11)
    for size in [0, 1, 16_383, 16_384, 16_385, 70_000, 1 << 20] {
      let body = (0..<size).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      client.startSending(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8) + body)
      let response = try await client.receiveResponse(to: "POST")
      #expect(response.status == 200 && response.body == Array(body.reversed()), "\(size)")
    }
    #expect(upstream.connections.count == 1)
  }

  @Test("With half_close, a client that has closed its half with close_notify gets its answer, and close_notify behind")
  func halfClose() async throws {
    let upstream = try await TestUpstream.start(secure: server) { connection in
      let request = try await connection.receiveRequest()
      try await connection.answer(String(repeating: "x", count: 100_000), to: request)
    }
    let gateway = try await start(upstream, top: "limits: { half_close: true }")
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    try await client.shutdownOutput()
    #expect(try await client.receiveResponse().body.count == 100_000)
    try await client.expectClosed()
  }

  @Test("A request's body that is cut off does not reach the upstream as whole")
  func cutRequest() async throws {
    let begun = Gate()
    let upstream = try await TestUpstream.start(secure: server) { connection in
      _ = try await connection.receiveRequestHead()
      _ = try await connection.stream.receive(3)
      begun.open()
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await start(upstream)
    let client = try await gateway.connect()
    try await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    try await begun.wait()
    try await client.cut()
    try await upstream.waitForOpenConnections(0)
    #expect(upstream.failures.isEmpty, "\(upstream.failures)")
  }

  @Test("A body that ends with the upstream's close_notify is whole, and the client sees it")
  func wholeUntilClose() async throws {
    let upstream = try await TestUpstream.start(secure: server) { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\n\r\nall of it")
    }
    let gateway = try await start(upstream)
    #expect(try await gateway.connect().get("/").text == "all of it")
    let old = try await gateway.connect()
    try await old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    #expect(latin1(try await old.receiveToEnd()).hasSuffix("\r\n\r\nall of it"))
  }
}
