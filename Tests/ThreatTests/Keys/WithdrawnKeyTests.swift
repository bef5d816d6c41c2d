// What is under way ends with the key that let it in: T87.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct WithdrawnKeyTests {
  /// Agrees to WebSockets, and answers everything else with a stream that has begun.
  private func startUpstream() async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      if request["Upgrade"] != nil {
        try await connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
      } else if request.target == "/file" {
        try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
      } else {
        try await connection.send(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
      }
      // Until the gateway goes.
      _ = try await connection.stream.receiveToEnd()
    }
  }

  private func configuration(_ issuers: String, _ upstream: TestUpstream) -> String {
    """
    issuers:
    \(issuers)
    upstreams: { live: { servers: ["\(upstream.address)"] } }
    routes: [{ path: /*, auth: login, websocket: true, upstream: live }]
    access_log: { path: stdout, format: json }
    """
  }

  private struct Streams {
    let socket: RawClient
    let events: RawClient
    let file: RawClient

    init(_ gateway: GatewayProcess, _ token: String) async throws {
      socket = try await gateway.connect()
      events = try await gateway.connect()
      file = try await gateway.connect()
      let bearer = "Authorization: Bearer \(token)\r\n\r\n"
      try await socket.send(
        "GET /socket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(bearer)")
      #expect(latin1(try await socket.receiveHead().bytes).hasPrefix("HTTP/1.1 101"))
      try await events.send("GET /events HTTP/1.1\r\nHost: test\r\n\(bearer)")
      #expect(latin1(try await events.receive(through: "hello")).contains("chunked"))
      try await file.send("GET /file HTTP/1.1\r\nHost: test\r\n\(bearer)")
      #expect(latin1(try await file.receive(through: "hello")).contains("Content-Length: 10"))
    }

    /// The WebSocket is closed with 4401, the stream of events is cut off, a body of known length is not.
    func expectEnd(_ gateway: GatewayProcess) async throws {
      #expect(try await socket.receive(4) == [0x88, 2, 0x11, 0x31])
      let rest = latin1(try await events.receiveToEnd())
      #expect(!rest.contains("0\r\n\r\n"), "an answer that was cut off must not look whole")
      for path in ["/socket", "/events"] {
        let line = try await gateway.waitForAccessLog(containing: "\"\(path)\"")
        #expect(line.contains("\"reason\":\"key_unknown\""), "\(line)")
      }
      #expect(!gateway.accessLog.contains { $0.contains("\"/file\"") })
    }
  }

  @Test("T87: A WebSocket and a stream end when their key leaves the issuer's set, those of other keys live on")
  func fetched() async throws {
    let (old, new) = (try TestKey(.es256, id: "old"), try TestKey(.es256, id: "new"))
    let issuer = try await TestIssuer.start(old)
    issuer.publish([old.jwk(), new.jwk()])
    let upstream = try await startUpstream()
    let gateway = try await GatewayProcess.start(configuration(issuer.configuration(more: ["refresh: 1s"]), upstream))
    try await gateway.waitUntilReady()
    let ending = try await Streams(gateway, issuer.token())
    let staying = try await Streams(gateway, issuer.token(key: new))
    issuer.publish([new.jwk()])
    try await ending.expectEnd(gateway)
    for connection in upstream.connections.dropFirst(3) {
      if connection.record.starts(with: Array("GET /socket".utf8)) { try await connection.send([0x81, 2, 0x68, 0x69]) }
      if connection.record.starts(with: Array("GET /events".utf8)) { try await connection.send("5\r\nagain\r\n") }
    }
    #expect(try await staying.socket.receive(4) == [0x81, 2, 0x68, 0x69])
    _ = try await staying.events.receive(through: "again")
  }

  @Test("T87: A reload that takes a key away ends what it let in, and one that keeps it does not")
  func reloaded() async throws {
    let (old, new) = (try TestKey(.es256, id: "old"), try TestKey(.es256, id: "new"))
    let upstream = try await startUpstream()
    func text(_ keys: TestKey...) -> String {
      let set = keySetText(keys.map { $0.jwk() })
      return configuration(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "'\(set)'"), upstream)
    }
    let gateway = try await GatewayProcess.start(text(old))
    let streams = try await Streams(gateway, TokenDoor.token(old))
    try gateway.write(configuration: text(new, old))
    #expect(try await gateway.reload().status == 200)
    try await upstream.waitForConnections(3)[0].send([0x81, 2, 0x68, 0x69])
    #expect(try await streams.socket.receive(4) == [0x81, 2, 0x68, 0x69])
    try gateway.write(configuration: text(new))
    #expect(try await gateway.reload().status == 200)
    try await streams.expectEnd(gateway)
  }
}
