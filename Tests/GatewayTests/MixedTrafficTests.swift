// Everything at once: clients and upstream connections in every form of framing, and each request gets its own answer.

import TestBasics
import TestSupport
import Testing

@Suite("Mixed traffic")
struct MixedTrafficTests {
  /// What a request asks for in its target: how the upstream is to answer.
  enum Form: Int, CaseIterable { case length, chunked, untilClose, closeAfter, hints }

  private static func answer(_ connection: ScriptedConnection) async throws -> Bool {
    let request = try await connection.receiveRequest()
    let form = request.target.split(separator: "/").last.flatMap { Int($0) }.flatMap(Form.init) ?? .length
    let body = request.head["X-Number"].map { Array("\($0):".utf8) + request.body } ?? []
    let length = "Content-Length: \(body.count)\r\n"
    switch form {
    case .length: try await connection.send(Array("HTTP/1.1 200 OK\r\n\(length)\r\n".utf8) + body)
    case .hints:
      try await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
      try await connection.send(Array("HTTP/1.1 200 OK\r\n\(length)\r\n".utf8) + body)
    case .closeAfter:
      try await connection.send(Array("HTTP/1.1 200 OK\r\n\(length)Connection: close\r\n\r\n".utf8) + body)
      return false
    case .untilClose:
      try await connection.send(Array("HTTP/1.0 200 OK\r\n\r\n".utf8) + body)
      return false
    case .chunked:
      try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      for start in stride(from: 0, to: body.count, by: 30_000) {
        let piece = body[start..<min(start + 30_000, body.count)]
        try await connection.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [0x0D, 0x0A])
      }
      try await connection.send("0\r\n\r\n")
    }
    return true
  }

  @Test("320 requests of all sizes and framings on eight connections are each answered with their own answer")
  func mixed() async throws {
    let upstream = try await TestUpstream.start { connection in
      while try await Self.answer(connection) {}
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...8 {
        group.addTask { try await Self.runClient(number, gateway) }
      }
      try await group.waitForAll()
    }
    #expect(upstream.requests.count == 320)
    #expect(upstream.failures.isEmpty)
    #expect(try await gateway.metrics().sum("catraca_requests_total", ["code": "200"]) == 320)
  }

  private static func runClient(_ client: Int, _ gateway: GatewayProcess) async throws {
    var random = SeededGenerator(seed: UInt64(client))
    let connection = try await gateway.connect()
    for request in 1...40 {
      let number = "\(client)-\(request)"
      let count = [0, 1, 100, 2000, 70_000, 300_000].randomElement(using: &random) ?? 0
      let body = [UInt8](repeating: UInt8.random(in: 0x20...0x7E, using: &random), count: count)
      let form = Form.allCases.randomElement(using: &random) ?? .length
      let head = "POST /\(form.rawValue) HTTP/1.1\r\nHost: test\r\nX-Number: \(number)\r\n"
      if Bool.random(using: &random) {
        connection.startSending(Array("\(head)Content-Length: \(count)\r\n\r\n".utf8) + body)
      } else {
        connection.startSending(Array("\(head)Transfer-Encoding: chunked\r\n\r\n".utf8))
        for start in stride(from: 0, to: count, by: 7000) {
          let piece = body[start..<min(start + 7000, count)]
          connection.startSending(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [0x0D, 0x0A])
        }
        connection.startSending(Array("0\r\n\r\n".utf8))
      }
      let response = try await connection.receiveResponse(to: "POST")
      #expect(response.status == 200)
      #expect(response.body == Array("\(number):".utf8) + body, "\(number): \(form), \(count) bytes")
    }
  }

  @Test("Nothing of one request is in the next on the same connections, whichever was longer")
  func noLeftovers() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let secret = String(repeating: "secret", count: 300)
    for number in 1...10 {
      _ = try await client.exchange(
        "POST /long?\(secret) HTTP/1.1\r\nHost: \(number).test\r\nCookie: \(secret)\r\n"
          + "Authorization: Basic \(secret)\r\n"
          + "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Request-Id: mine-\(number)\r\n"
          + "Content-Length: \(secret.utf8.count)\r\n\r\n\(secret)")
      let short = try await client.get("/s")
      #expect(!short.text.contains("secret"))
      #expect(!short.text.contains("mine-"))
      #expect(!short.text.contains("0af7651916cd43dd8448eb211c80319c"))
      #expect(short.text.hasPrefix("GET /s HTTP/1.1\r\nHost: test\r\n"))
    }
    #expect(upstream.connections.count == 1)
    for line in try await gateway.waitForAccessLog(20) where line.contains("\"path\":\"/s\"") {
      #expect(!line.contains("secret") && !line.contains("mine-"))
    }
  }
}
