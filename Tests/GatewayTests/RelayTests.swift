// Long bodies that go from socket to socket within the kernel: every byte of them, in order, whichever side is slow or
// leaves.

import Foundation
import TestSupport
import Testing

@Suite("Relayed bodies")
struct RelayTests {
  /// Long enough for many pieces. No two of its 64 KiB are alike.
  private static let body: [UInt8] = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 15) }

  private static func serve(_ connection: ScriptedConnection) async throws {
    while true {
      let request = try await connection.receiveRequestHead()
      if request.method == "PUT" {
        let length = request["Content-Length"].flatMap { Int($0) } ?? 0
        let isWhole = try await connection.stream.receive(length) == body
        try await connection.answer(isWhole ? "whole" : "changed", to: request)
      } else {
        try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
        connection.stream.startSending(body)
      }
    }
  }

  /// The gateway's descriptors that are pipes: only what is relayed needs one.
  private static func pipeCount(of gateway: GatewayProcess) throws -> Int {
    let folder = "/proc/\(gateway.processID)/fd"
    return try FileManager.default.contentsOfDirectory(atPath: folder).count { name in
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)"))?.hasPrefix("pipe:") ?? false
    }
  }

  private static let limits = "limits: { body_size: 16MiB }"
  private static let download = "GET /down HTTP/1.1\r\nHost: test\r\n\r\n"
  private static let uploadHead = "PUT /up HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\r\n"

  private static func expectDownload(_ client: RawClient) async throws {
    try await client.send(download)
    #expect(try await client.receiveResponseHead().framing == .length(body.count))
    #expect(try await client.receive(body.count) == body)
  }

  @Test("Both ways, again and again on the same connections, through one pipe")
  func bothWays() async throws {
    let upstream = try await TestUpstream.start(Self.serve)
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "workers: 1\n\(Self.limits)"))
    let client = try await gateway.connect()
    let before = try Self.pipeCount(of: gateway)
    for _ in 1...3 {
      try await Self.expectDownload(client)
      try await client.send(Self.uploadHead)
      client.startSending(Self.body)
      #expect(try await client.receiveResponse(to: "PUT").text == "whole")
    }
    #expect(upstream.connections.count == 1)
    #expect(try Self.pipeCount(of: gateway) == before + 2)
    let lines = try await gateway.waitForAccessLog(6)
    #expect(lines.count { $0.contains("\"response_bytes\":\(Self.body.count)") } == 3)
    #expect(lines.count { $0.contains("\"request_bytes\":\(Self.body.count)") } == 3)
  }

  @Test("A client that reads late gets every byte")
  func slowClient() async throws {
    let upstream = try await TestUpstream.start(Self.serve)
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.limits))
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 8192)
    try await client.send(Self.download)
    try await gateway.waitUntil("the request to be at the server") {
      try await gateway.metrics().sum("catraca_upstream_connections", ["state": "active"]) == 1
    }
    try await client.startReading()
    _ = try await client.receiveResponseHead()
    #expect(try await client.receive(Self.body.count) == Self.body)
  }

  @Test("A server that reads late gets every byte")
  func slowServer() async throws {
    let isHeldUp = Gate()
    let upstream = try await TestUpstream.start(isReading: false, receiveBufferByteCount: 8192) { connection in
      try await isHeldUp.wait()
      try await connection.stream.startReading()
      try await Self.serve(connection)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.limits))
    let client = try await gateway.connect()
    try await client.send(Self.uploadHead)
    client.startSending(Self.body)
    _ = try await upstream.waitForConnections(1)
    isHeldUp.open()
    #expect(try await client.receiveResponse(to: "PUT").text == "whole")
  }

  @Test("An answer that ends early is cut for the client, too, and its connection is not used again")
  func cutByServer() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.body.count + 1)\r\n\r\n")
      try await connection.send(Self.body)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.limits))
    let client = try await gateway.connect()
    try await client.send(Self.download)
    _ = try await client.receiveResponseHead()
    #expect(try await client.receiveToEnd() == Self.body)
    #expect(try await gateway.waitForAccessLog(1)[0].contains("upstream_truncated"))
  }

  @Test("Clients that leave in the middle, with a reset or without, leave the gateway running and nothing open")
  func clientGone() async throws {
    let upstream = try await TestUpstream.start(Self.serve)
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.limits))
    for number in 1...20 {
      let client = try await gateway.connect()
      try await client.send(number <= 10 ? Self.download : Self.uploadHead)
      if number <= 10 {
        _ = try await client.receiveResponseHead()
        _ = try await client.receive(1_000_000)
      } else {
        try await client.send(Array(Self.body[..<1_000_000]))
      }
      if number.isMultiple(of: 2) { try await client.reset() } else { client.close() }
    }
    try await upstream.waitForOpenConnections(0)
    for line in try await gateway.waitForAccessLog(20) {
      // The kernel's buffers may have taken all of a download before its client left.
      #expect(line.contains("client_closed") || line.contains("\"response_bytes\":\(Self.body.count)"))
    }
    let client = try await gateway.connect()
    try await Self.expectDownload(client)
  }

  @Test("A server that leaves in the middle of an upload: the client learns of it, and the gateway goes on")
  func serverGone() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      if request.target == "/next" { return try await connection.answer("next", to: request) }
      _ = try await connection.stream.receive(1_000_000)
      try await connection.reset()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: Self.limits))
    for _ in 1...5 {
      let client = try await gateway.connect()
      try await client.send(Self.uploadHead)
      client.startSending(Self.body)
      #expect(try await client.receiveResponse(to: "PUT").code == "upstream_closed")
    }
    #expect(try await gateway.get("/next").text == "next")
  }

  @Test("Bytes behind a long answer reach nobody, and what is pipelined behind a long upload is served")
  func bytesBehind() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequestHead()
        switch request.target {
        case "/long":
          try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.body.count)\r\n\r\n")
          try await connection.send(Self.body + Array("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".utf8))
        case "/up":
          #expect(try await connection.stream.receive(Self.body.count) == Self.body)
          try await connection.answer("whole", to: request)
        default: try await connection.answer("next", to: request)
        }
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "workers: 1\n\(Self.limits)"))
    let client = try await gateway.connect()
    for _ in 1...5 {
      try await client.send("GET /long HTTP/1.1\r\nHost: test\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n")
      _ = try await client.receiveResponseHead()
      #expect(try await client.receive(Self.body.count) == Self.body)
      #expect(try await client.receiveResponse().text == "next")
      try await client.send(
        Array(Self.uploadHead.utf8) + Self.body + Array("GET /next HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
      #expect(try await client.receiveResponse(to: "PUT").text == "whole")
      #expect(try await client.receiveResponse().text == "next")
    }
  }
}
