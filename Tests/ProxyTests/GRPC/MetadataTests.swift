// What of a call passes: its fields and trailers in both directions, and the silence of one side while the other
// speaks.

import HTTP2
import Testing

@testable import Proxy

@Suite("gRPC metadata and streams")
struct GRPCMetadataTests {
  @Test("TE, binary metadata and identity reach the server. Its trailers come back as they are")
  func metadata() throws {
    let issuer = try BenchIssuer()
    let bench = try CallBench(
      issuer.section
        + "\nroutes: [{ path: /*, auth: login, upstream: app, identity: { headers: { X-User-Id: sub } } }]",
      issuer: issuer)
    let token = try issuer.token()
    let stream = try bench.call(
      CallBench.head(
        "/s/m", "Authorization: Bearer \(token)", "X-User-Id: root", "trace-bin: AAEC/+8", "trace-bin: Zm9v",
        "grpc-encoding: identity", "grpc-accept-encoding: identity,gzip", "user-agent: grpc-python/1"), end: false)
    let server = try bench.server()
    let head = try #require(server.streams[1]?.head)
    for line in [
      "te: trailers", "content-type: application/grpc", "x-user-id: alice", "trace-bin: AAEC/+8", "trace-bin: Zm9v",
      "grpc-encoding: identity", "grpc-accept-encoding: identity,gzip", "user-agent: grpc-python/1",
    ] { #expect(head.contains(line), "\(line) in \(head)") }
    #expect(head.first == "POST /s/m" && !head.contains("x-user-id: root"))
    #expect(!head.contains { $0.hasPrefix("authorization") })
    try bench.client.send([0, 0, 0, 0, 1, 7], on: stream)
    try bench.client.finish(stream)
    server.exchange()
    #expect(server.streams[1]?.content == [0, 0, 0, 0, 1, 7] && server.streams[1]?.isEnded == true)
    try server.answer(1, 200, "content-type: application/grpc\r\nbefore-bin: AA\r\n")
    try server.send([0, 0, 0, 0, 1, 9], on: 1)
    try server.finish(
      1,
      trailers: "grpc-status: 5\r\ngrpc-message: no%20such%20order\r\ngrpc-status-details-bin: CAUSA/8\r\nafter: x\r\n")
    bench.client.exchange()
    let seen = try #require(bench.client.streams[stream])
    #expect(seen.head.first == "200" && seen.head.contains("before-bin: AA") && seen.content == [0, 0, 0, 0, 1, 9])
    #expect(
      seen.trailers == [
        "grpc-status: 5", "grpc-message: no%20such%20order", "grpc-status-details-bin: CAUSA/8", "after: x",
      ])
    #expect(seen.isEnded && seen.closed == 0)
    #expect(bench.bench.logLines.last?.contains("\"status\":200,") == true)
    #expect(bench.bench.logLines.last?.contains("\"grpc_status\":5,") == true)
    bench.bench.expectNothingHeld()
  }

  @Test("A server's answer of trailers only stays one")
  func trailersOnly() throws {
    let bench = try CallBench()
    let stream = try bench.call()
    let server = try bench.server()
    try server.answer(1, 200, "content-type: application/grpc\r\ngrpc-status: 12\r\ngrpc-message: no\r\n", end: true)
    bench.client.exchange()
    let seen = try #require(bench.client.streams[stream])
    #expect(seen.isHeadLast && seen.isEnded && seen.head.contains("grpc-status: 12"), "\(seen)")
    #expect(bench.bench.logLines.last?.contains("\"grpc_status\":12,") == true)
    bench.bench.expectNothingHeld()
  }

  @Test("The same answer to a client of HTTP/1.1 ends in its framing")
  func trailersOnlyOverHTTP1() throws {
    let bench = try Bench(CallBench.routes + "\n" + CallBench.upstream)
    let client = bench.connect()
    client.send(get("/s/m"))
    let server = try GRPCPeer(.server, try bench.server(), bench)
    try server.answer(1, 200, "grpc-status: 12\r\n", end: true)
    #expect(values("Transfer-Encoding", in: client.text) == ["chunked"] && body(of: client.text) == "0\r\n\r\n")
    client.send(get("/s/m"))
    #expect(!client.isGone)
    bench.expectNothingHeld()
  }

  @Test("A status that is none is not logged", arguments: ["", "x", "100", "-1", "1 1"])
  func strangeStatus(_ status: String) throws {
    let bench = try CallBench()
    _ = try bench.call()
    let server = try bench.server()
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    try server.finish(1, trailers: "grpc-status: \(status)\r\n")
    #expect(bench.bench.logLines.last?.contains("grpc_status") == false, "\(bench.bench.logLines)")
  }

  @Test("A client may be silent while its server speaks, and a server while its client does. Both may not")
  func silence() throws {
    let bench = try CallBench()
    let stream = try bench.call(end: false)
    let server = try bench.server()
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    for _ in 0..<6 {
      bench.wait(.seconds(20), server)
      try server.send([0, 0, 0, 0, 0], on: 1)
    }
    bench.client.exchange()
    for _ in 0..<6 {
      bench.wait(.seconds(20), server)
      try bench.client.send([0, 0, 0, 0, 0], on: stream)
      server.exchange()
    }
    #expect(bench.client.streams[stream]?.content.count == 30 && bench.client.streams[stream]?.closed == nil)
    #expect(server.streams[1]?.content.count == 30 && server.streams[1]?.closed == nil, "\(bench.bench.logLines)")
    bench.wait(.seconds(61), server)
    #expect(bench.client.streams[stream]?.closed == 2 && server.streams[1]?.closed == 8)
    bench.bench.expectNothingHeld()
  }
}
