// A body as large as one likes passes in the memory of a small one.

import TestSupport
import Testing

@Suite("Large bodies")
struct LargeBodyTests {
  private static let byteCount = 1 << 30
  private static let residentGrowthMax = 8 << 20
  /// For a gibibyte on a machine that is busy with much else.
  private static let limit = Duration.seconds(1200)

  @Test("A download of 1 GiB passes in flat memory", .tags(.slow))
  func download() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/small" {
          try await connection.answer("small", to: request)
        } else {
          let total = connection.stream.sentByteCount
          let head = "HTTP/1.1 200 OK\r\nContent-Length: \(Self.byteCount)\r\n\r\n"
          try await connection.send(head)
          connection.stream.startSending(repeating: 0x78, count: Self.byteCount)
          try await connection.stream.waitUntilSent(total + head.utf8.count + Self.byteCount, within: Self.limit)
        }
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    #expect(try await client.get("/small").text == "small")
    let before = try gateway.beginPeak()
    let alreadyReceived = client.receivedByteCount
    try await client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
    let response = try await client.receiveResponseHead()
    #expect(response.framing == .length(Self.byteCount))
    client.discardInput()
    try await client.waitUntilReceived(alreadyReceived + response.head.bytes.count + Self.byteCount, within: Self.limit)
    let line = try await gateway.waitForAccessLog(2, within: Self.limit)[1]
    #expect(line.contains("\"response_bytes\":\(Self.byteCount)"))
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
    #expect(upstream.failures.isEmpty)
  }

  @Test("An upload of 1 GiB passes in flat memory", .tags(.slow))
  func upload() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      if request.target == "/small" {
        // The connection ends with the script, and an upload that met that end could not be sent again.
        return try await connection.answer("small", fields: ["Connection: close"], to: request)
      }
      connection.stream.discardInput()
      try await connection.stream.waitUntilReceived(request.head.bytes.count + Self.byteCount, within: Self.limit)
      try await connection.answer("done", to: request)
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "limits: { body_size: 1GiB }"))
    #expect(try await gateway.get("/small").text == "small")
    let client = try await gateway.connect()
    let before = try gateway.beginPeak()
    let head = "PUT /large HTTP/1.1\r\nHost: test\r\nContent-Length: \(Self.byteCount)\r\n\r\n"
    try await client.send(head)
    client.startSending(repeating: 0x78, count: Self.byteCount)
    try await client.waitUntilSent(head.utf8.count + Self.byteCount, within: Self.limit)
    #expect(try await client.receiveResponse(to: "PUT").text == "done")
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
    #expect(upstream.failures.isEmpty)
  }
}
