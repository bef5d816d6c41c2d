// No bytes, from whichever side, may end the process: mutated messages by the hundred, and after them all is well.

import TestBasics
import TestSupport
import Testing

@Suite("Hostile traffic")
struct HostileTrafficTests {
  private static let alphabet =
    Array("\r\n\u{0}\u{7F} \t:;,=/?#%*.-_\"'0123456789abcdefABCDEFxXgGHTPS".utf8) + [0x80, 0xFF]

  /// Changes, drops, doubles or inserts bytes at a few places.
  private static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard !bytes.isEmpty else { break }
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let byte = alphabet.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] = byte
      case 1: bytes.remove(at: place)
      case 2: bytes.insert(byte, at: place)
      case 3: bytes.removeLast(bytes.count - place)
      case 4:
        let end = min(place + 20, bytes.count)
        bytes.insert(contentsOf: Array(bytes[place..<end]), at: Int.random(in: 0...bytes.count, using: &random))
      default: bytes.removeSubrange(place..<min(place + 8, bytes.count))
      }
    }
    return bytes
  }

  /// A client that has sent a good request, and the other bytes behind it.
  private static func send(_ hostile: [UInt8], to gateway: GatewayProcess) async throws -> RawClient {
    let client = try await gateway.connect()
    client.startSending(Array("GET /good HTTP/1.1\r\nHost: test\r\n\r\n".utf8) + hostile)
    return client
  }

  @Test("Four hundred mutated requests, each behind a good one, leave the gateway running and its connections counted")
  func requests() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequestHead()
        try await connection.answer("ok", fields: ["Connection: close"], to: request)
        return
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(
        upstream,
        top:
          "limits: { header_timeout: 4s, body_timeout: 4s, idle_timeout: 4s }\ntrusted_proxies: [127.0.0.1]",
        routeKeys: "response_headers: { remove: [Server] }, request_headers: { set: { X-A: b } }"))
    let seeds = [
      "GET /a/b?c=d HTTP/1.1\r\nHost: test:80\r\nX-Forwarded-For: 1.2.3.4, [::1]\r\nForwarded: for=1.2.3.4\r\n"
        + "User-Agent: x\r\nReferer: y\r\nCookie: a=b; c=d\r\n\r\n",
      "POST /%41;x=1/../b HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
        + "Connection: close, X-B\r\nX-B: 1\r\n\r\n"
        + "5;a=\"b\"\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
      "PUT http://test/x HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\ntraceparent: "
        + "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Request-Id: a\r\n\r\nhello",
    ].map { Array($0.utf8) }
    var random = SeededGenerator(seed: 20_261_123)
    for batch in 0..<5 {
      var clients: [(RawClient, [UInt8])] = []
      for _ in 0..<80 {
        let hostile = Self.mutate(seeds.randomElement(using: &random) ?? [], &random)
        clients.append((try await Self.send(hostile, to: gateway), hostile))
      }
      for (first, hostile) in clients {
        do {
          var client = first
          let response = try await undisturbed("a request that comes in time") {
            do {
              return try await client.receiveResponse()
            } catch StreamFailure.ended(_, let bytes) where bytes.isEmpty {
              client = try await Self.send(hostile, to: gateway)
              return nil
            }
          }
          #expect(response.status == 200, "before \(latin1(hostile).debugDescription)")
          try await client.waitUntilGone()
        } catch {
          Issue.record("before \(latin1(hostile).debugDescription): \(error)")
        }
      }
      #expect(gateway.isRunning, "batch \(batch)")
    }
    try await gateway.waitForMetrics("no connection to be left") { $0.sum("catraca_connections") == 0 }
    #expect(try await gateway.get("/good").text == "ok")
  }

  @Test("Three hundred mutated responses are passed on or 502, the gateway runs on, and the next answer is right")
  func responses() async throws {
    let seeds = [
      "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\n\r\nhello",
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
        + "5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n",
      "HTTP/1.0 404 Not Found\r\nConnection: keep-alive, X-B\r\nX-B: 1\r\n\r\nuntil the end",
      "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    ].map { Array($0.utf8) }
    var random = SeededGenerator(seed: 7)
    let answers = (0..<300).map { _ in Self.mutate(seeds.randomElement(using: &random) ?? [], &random) }
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        guard let number = Int(request.target.dropFirst()) else {
          try await connection.answer("good", to: request)
          continue
        }
        try await connection.send(answers[number])
        // What is incomplete ends here, so that nobody has to wait for a deadline.
        return
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, routeKeys: "response_headers: { set: { X-A: b }, remove: [Server] }"))
    for (number, answer) in answers.enumerated() {
      let client = try await gateway.connect()
      // A cut answer is all that may look wrong to a client that reads strictly.
      let response = try? await client.get("/\(number)")
      if response == nil { try await client.waitUntilGone() }
      #expect(gateway.isRunning, "\(latin1(answer).debugDescription)")
      if number % 10 == 0 {
        #expect(try await gateway.get("/good").text == "good", "after \(latin1(answer).debugDescription)")
      }
    }
    #expect(try await gateway.get("/good").text == "good")
  }
}
