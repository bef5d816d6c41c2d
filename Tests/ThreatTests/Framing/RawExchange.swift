// One hostile request at a gateway, and what came of it.

import TestSupport
import Testing

/// A gateway before an upstream that must not see anything hostile.
struct FramingTarget {
  let gateway: GatewayProcess
  let upstream: TestUpstream

  init(top: String = "") async throws {
    upstream = try await TestUpstream.echo()
    gateway = try await GatewayProcess.start(
      """
      \(top)
      upstreams:
        service: { servers: ["\(upstream.address)"] }
      routes:
        - { path: "/*", auth: public, upstream: service }
      """)
  }

  /// The request is answered with `status` and the end of the connection. The upstream gets nothing whole of it, and
  /// the next connection works.
  func expectRefused(
    _ request: [UInt8], _ status: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let wholeRequestCount = upstream.requests.count
    let shown = latin1(request.prefix(120)).debugDescription
    let client = try await gateway.connect()
    client.startSending(request)
    do {
      let response = try await client.receiveResponse()
      #expect(response.status == status, "\(shown)", sourceLocation: sourceLocation)
      #expect(response["Connection"] == "close", "\(shown)", sourceLocation: sourceLocation)
      try await client.expectClosed()
    } catch {
      Issue.record("\(shown): \(error)", sourceLocation: sourceLocation)
    }
    #expect(
      upstream.requests.count == wholeRequestCount, "reached the upstream: \(shown)", sourceLocation: sourceLocation)
    let next = try await gateway.get("/next")
    #expect(next.status == 200, "after \(shown)", sourceLocation: sourceLocation)
    #expect(next.text.hasPrefix("GET /next HTTP/1.1\r\n"), "after \(shown)", sourceLocation: sourceLocation)
  }

  func expectRefused(
    _ request: String, _ status: Int = 400, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await expectRefused(Array(request.utf8), status, sourceLocation: sourceLocation)
  }
}

/// A POST with these field lines behind its Host, and this body.
func post(_ fields: String..., body: String = "", version: String = "1.1") -> String {
  "POST / HTTP/\(version)\r\nHost: test\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
}
