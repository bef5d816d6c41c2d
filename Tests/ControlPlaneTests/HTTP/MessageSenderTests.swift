// Messages to a collector, one after the other, against a server that ends connections as it likes.

import TLS
import TestSupport
import Testing

@testable import ControlPlane

@Suite("Messages over a kept connection")
struct MessageSenderTests {
  private func post(_ sender: MessageSender, _ body: [[UInt8]], to server: TestUpstream) async throws -> Document {
    var posting = Posting(fields: [("X-Key", "a")], body: body[0])
    posting.rest = Array(body.dropFirst())
    return try await sender.post(
      posting, to: "http://\(server.address)/v1/traces", trust: .system,
      deadline: .seconds(60))
  }

  @Test("A connection takes messages until the server ends it, and a new one takes the message that met the end")
  func reuse() async throws {
    let server = try await TestUpstream.start { connection in
      for _ in 0..<2 {
        let request = try await connection.receiveRequest()
        try await connection.answer("taken", to: request)
      }
    }
    let sender = MessageSender()
    for number in UInt8(0)..<5 {
      let answer = try await post(sender, [[number], [], [7, 8]], to: server)
      #expect(answer.status == 200 && answer.body == Array("taken".utf8))
    }
    #expect(server.requests.map(\.body) == (UInt8(0)..<5).map { [$0, 7, 8] })
    #expect(server.requests.allSatisfy { $0["x-key"] == "a" && $0["content-length"] == "3" })
    #expect(server.connections.count == 3)
  }

  @Test("A connection is not used again after an answer that says so, or for another place")
  func ends() async throws {
    let closing = try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      }
    }
    let other = try await TestUpstream.answering("other")
    let sender = MessageSender()
    for _ in 0..<2 { #expect(try await post(sender, [[1]], to: closing).status == 200) }
    for _ in 0..<2 { #expect(try await post(sender, [[1]], to: other).body == Array("other".utf8)) }
    #expect(closing.connections.count == 2 && other.connections.count == 1)
  }

  @Test("A message that no connection takes fails once, and the next one begins anew")
  func fails() async throws {
    let server = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      // The first connection ends without an answer.
      if connection.number > 0 { try await connection.answer("taken", to: request) }
    }
    let sender = MessageSender()
    await #expect(throws: FetchError.truncated) { try await post(sender, [[1]], to: server) }
    #expect(try await post(sender, [[2]], to: server).status == 200)
    #expect(server.requests.map(\.body) == [[1], [2]])
  }
}
