// SIGTERM: what runs is finished, nothing new begins, nothing is lost.

import Foundation
import TestSupport
import Testing

@Suite("Drain", .timeLimit(.minutes(10)))
struct DrainTests {
  @Test(
    "A running request completes, idle connections close, new ones are refused, the exit status is 0",
    arguments: [
      SIGTERM, SIGINT,
    ])
  func graceful(_ signal: Int32) async throws {
    let (begun, go) = (Gate(), Gate())
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/slow" {
          try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
          begun.open()
          try await go.wait()
          try await connection.send("cd")
        } else {
          try await connection.answer("fast", to: request)
        }
      }
    }
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      limits: { drain_timeout: 1h }
      upstreams: { u: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: u }]
      """)
    let idle = try await gateway.connect()
    for _ in 0..<20 { #expect(try await idle.get("/fast").text == "fast") }
    let admin = try await RawClient.connect(port: gateway.adminPort)
    let question = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    #expect(try await admin.exchange(question).status == 200)
    let slow = try await gateway.connect()
    try await slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    gateway.signal(signal)
    _ = try await gateway.waitForLog("draining") { $0.contains(" notice draining") }
    try await idle.expectClosed()
    await #expect(throws: (any Error).self) { try await gateway.connect() }
    let ready = try await admin.exchange(question)
    #expect(ready.status == 503 && ready.text.contains("draining"))
    let reload = "POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    #expect(try await admin.exchange(reload).status == 422)
    await #expect(throws: (any Error).self, "the port is free for the next process") {
      try await RawClient.connect(port: gateway.adminPort)
    }
    #expect(gateway.isRunning)
    go.open()
    let response = try await slow.receiveResponse()
    #expect(response.status == 200 && response.text == "abcd")
    try await slow.expectClosed()
    #expect(try await gateway.waitForExit() == 0)
    #expect(gateway.accessLog.count == 21)
    #expect(gateway.accessLog.filter { $0.contains("\"status\":200") }.count == 21)
    #expect(gateway.standardError.last?.hasSuffix(" notice stopped") == true)
  }

  @Test("What does not end within drain_timeout is cut off, and its line is written all the same")
  func timeout() async throws {
    let begun = Gate()
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
      begun.open()
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      """
      limits: { drain_timeout: 200ms }
      upstreams: { u: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: u }]
      """)
    let client = try await gateway.connect()
    try await client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    gateway.terminate()
    try await client.waitUntilGone()
    #expect(try await gateway.waitForExit() == 0)
    #expect(gateway.accessLog.count == 1)
    #expect(gateway.accessLog.first?.contains("\"path\":\"/slow\"") == true)
  }

  /// A gateway with one request that gets no answer, as long as its upstream is there.
  private func stuck(_ limits: String) async throws -> (GatewayProcess, RawClient, TestUpstream) {
    let begun = Gate()
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      begun.open()
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      """
      limits: { \(limits) }
      upstreams: { u: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: /stuck, auth: public, upstream: u }
        - { path: /*, auth: public, respond: { status: 200, body: ok } }
      """)
    let client = try await gateway.connect()
    try await client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    return (gateway, client, upstream)
  }

  @Test("A second signal ends what is left at once, and its line is written", arguments: [SIGTERM, SIGINT])
  func secondSignal(_ signal: Int32) async throws {
    let (gateway, client, upstream) = try await stuck("drain_timeout: 1h")
    gateway.signal(SIGTERM)
    let line = try await gateway.waitForLog("draining") { $0.contains(" notice draining") }
    #expect(line.contains("active=1") && line.contains("second signal"), "\(line)")
    #expect(gateway.isRunning)
    gateway.signal(signal)
    try await client.waitUntilGone()
    #expect(try await gateway.waitForExit() == 0)
    #expect(gateway.accessLog.count { $0.contains("\"path\":\"/stuck\"") } == 1)
    withExtendedLifetime(upstream) {}
  }

  @Test("During drain_delay everything is served while /readyz is 503, and a second signal ends it with all the rest")
  func delay() async throws {
    let (gateway, client, upstream) = try await stuck("drain_timeout: 1h, drain_delay: 1h")
    gateway.terminate()
    _ = try await gateway.waitForLog("what comes") { $0.contains(" notice draining soon ") }
    #expect(try await gateway.admin("/readyz").status == 503)
    #expect(try await gateway.get("/").text == "ok")
    #expect(try await gateway.admin("/healthz").status == 200)
    gateway.terminate()
    try await client.waitUntilGone()
    #expect(try await gateway.waitForExit() == 0)
    withExtendedLifetime(upstream) {}
  }

  @Test("While one process drains, another one starts with the same file")
  func nextProcess() async throws {
    let (gateway, client, upstream) = try await stuck("drain_timeout: 1h")
    gateway.terminate()
    _ = try await gateway.waitForLog("draining") { $0.contains(" notice draining") }
    let next = try await GatewayProcess.start(
      """
      listeners: [{ address: "127.0.0.1:\(gateway.port)" }]
      admin: { address: "127.0.0.1:\(gateway.adminPort)" }
      routes: [{ path: /*, auth: public, respond: { status: 200, body: next } }]
      """)
    #expect(try await next.get("/").text == "next")
    #expect(try await next.admin("/readyz").status == 200)
    gateway.terminate()
    try await client.waitUntilGone()
    #expect(try await gateway.waitForExit() == 0)
    withExtendedLifetime(upstream) {}
  }

  @Test("With nothing under way it ends at once, and every line of a burst just before is there")
  func burst() async throws {
    let gateway = try await GatewayProcess.start(
      "workers: 2\nlimits: { drain_timeout: 1h }\nroutes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]"
    )
    let client = try await gateway.connect()
    let requests = (0..<2000).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
    client.startSending(Array(requests.joined().utf8))
    for _ in requests { #expect(try await client.receiveResponse().status == 200) }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    #expect(gateway.accessLog.count == 2000)
    for (number, line) in gateway.accessLog.enumerated() where !line.contains("\"path\":\"/\(number)\"") {
      Issue.record("line \(number) is \(line)")
      break
    }
  }
}
