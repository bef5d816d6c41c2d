// Bytes from an upstream that nobody asked for are no answer to anything: what one exchange left behind never reaches
// the next client.

import TestSupport
import Testing

@Suite("Unsolicited upstream bytes")
struct UnsolicitedBytesTests {
  private static let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

  @Test("A second response in the same write is dropped with its connection")
  func responseTwice() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood\(Self.evil)")
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for count in 1...3 {
      #expect(try await client.get("/").text == "good")
      #expect(upstream.connections.count == count)
    }
  }

  @Test("A response that comes on an idle connection closes it and is counted")
  func responseLater() async throws {
    let isFirstAnswered = Gate()
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      try await connection.answer("good", to: request)
      if connection.number == 0 {
        try await isFirstAnswered.wait()
        try await connection.send(Self.evil)
        try await connection.stream.waitUntilGone()
      } else {
        _ = try await connection.receiveRequest()
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    #expect(try await client.get("/").text == "good")
    isFirstAnswered.open()
    try await upstream.waitForOpenConnections(0)
    #expect(try await client.get("/").text == "good")
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": "upstream_unsolicited_bytes"]) == 1)
  }

  @Test("A body behind an answer that has none, and one longer than announced, are dropped with the connection")
  func bodyTooLong() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        switch request.target {
        case "/head": try await connection.send(Self.evil)
        case "/204": try await connection.send("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil")
        case "/304": try await connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil")
        case "/long": try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokevil")
        case "/chunked":
          try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil")
        default: try await connection.answer("next", to: request)
        }
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for (path, method, text) in [
      ("/head", "HEAD", ""), ("/204", "GET", ""), ("/304", "GET", ""), ("/long", "GET", "ok"),
      ("/chunked", "GET", "ok"),
    ] {
      #expect(try await client.get(path, method: method).text == text, "\(path)")
      #expect(try await client.get("/next").text == "next", "after \(path)")
    }
  }

  @Test("An answer that comes after its exchange was ended reaches nobody")
  func lateAnswer() async throws {
    let isGivenUp = Gate()
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/slow" {
          try await isGivenUp.wait()
          try? await connection.send(Self.evil)
        } else {
          try await connection.answer("mine", to: request)
        }
      }
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, upstreamKeys: "response_timeout: 2s"))
    let client = try await gateway.connect()
    #expect(try await client.get("/slow").status == 504)
    isGivenUp.open()
    for _ in 1...5 {
      let response = try await undisturbed("an answer in time") {
        let response = try await client.get("/fast")
        return response.status == 504 ? nil : response
      }
      #expect(response.text == "mine")
    }
  }
}
