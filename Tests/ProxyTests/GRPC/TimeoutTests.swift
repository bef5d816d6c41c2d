// `grpc-timeout`: what it says, and that it ends a call on both sides.

import Bytes
import Testing

@testable import Proxy

@Suite("gRPC timeouts")
struct GRPCTimeoutTests {
  @Test("Every unit is read, up to eight digits, and nothing else is a timeout")
  func reading() {
    let good: [(String, Int64)] = [
      ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000), ("5u", 5000),
      ("6n", 6), ("0n", 0), ("00000001S", 1_000_000_000), ("99999999n", 99_999_999), ("99999999H", .max),
      ("99999999S", 99_999_999_000_000_000),
    ]
    for (text, expected) in good { #expect(readGRPCTimeout(Array(text.utf8).span) == expected, "\(text)") }
    for text in [
      "", "1", "S", "100000000S", "-1S", "+1S", " 1S", "1 S", "1.5S", "1s", "1h", "1ms", "0x1S", "1SS", "S1",
    ] {
      #expect(readGRPCTimeout(Array(text.utf8).span) == nil, "\(text)")
    }
  }

  @Test("Whatever bytes it has, reading it is safe")
  func anyBytes() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...12)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      if let timeout = readGRPCTimeout(bytes.span) { #expect(timeout >= 0) }
    }
  }

  @Test("A call is over when its timeout is: the client hears 4, and the server sees it cancelled")
  func deadline() throws {
    let bench = try CallBench()
    let stream = try bench.call(CallBench.head("/s/m", "grpc-timeout: 1500m"))
    let server = try bench.server()
    #expect(server.streams[1]?.head.contains("grpc-timeout: 1500m") == true)
    bench.wait(.milliseconds(1400), server)
    #expect(bench.client.streams[stream]?.head.isEmpty == true && server.streams[1]?.closed == nil)
    bench.wait(.milliseconds(200), server)
    try bench.expectRefusal(stream, 4, "grpc_deadline_exceeded")
    #expect(server.streams[1]?.closed == 8)
    bench.bench.expectNothingHeld()
  }

  @Test("An answer that has begun is reset when the time is up")
  func begun() throws {
    let bench = try CallBench()
    let stream = try bench.call(CallBench.head("/s/m", "grpc-timeout: 1S"))
    let server = try bench.server()
    try server.answer(1, 200, "content-type: application/grpc\r\n")
    bench.wait(.milliseconds(1200), server)
    #expect(bench.client.streams[stream]?.closed == 2 && server.streams[1]?.closed == 8)
    #expect(bench.bench.logLines.last?.contains("\"grpc_status\":4,") == true)
    bench.bench.expectNothingHeld()
  }

  @Test("The route's timeout and the call's: the earlier one counts, under its own name")
  func both() throws {
    let bench = try CallBench("routes: [{ path: /*, auth: public, upstream: app, timeout: 3s }]")
    let early = try bench.call(CallBench.head("/s/m", "grpc-timeout: 1S"))
    // Its settings are what the gateway waits for.
    let server = try bench.server()
    bench.wait(.milliseconds(1200), server)
    try bench.expectRefusal(early, 4, "grpc_deadline_exceeded")
    for timeout in ["5S", "99999999H"] {
      let late = try bench.call(CallBench.head("/s/m", "grpc-timeout: \(timeout)"))
      bench.wait(.milliseconds(2900), server)
      #expect(bench.client.streams[late]?.head.isEmpty == true)
      bench.wait(.milliseconds(200), server)
      try bench.expectRefusal(late, 4, "route_timeout")
    }
    bench.bench.expectNothingHeld()
  }

  @Test("A timeout of nothing is over at once, and one that is none is refused", arguments: ["0n", "0S"])
  func zero(_ timeout: String) throws {
    let bench = try CallBench()
    try bench.expectRefusal(
      try bench.call(CallBench.head("/s/m", "grpc-timeout: \(timeout)")), 4, "grpc_deadline_exceeded")
    for lines in ["1x", "soon", "1S, 2S", "1S\r\ngrpc-timeout: 1S"] {
      try bench.expectRefusal(
        try bench.call(CallBench.head("/s/m", "grpc-timeout: \(lines)")), 13, "grpc_timeout_invalid")
    }
    #expect(bench.bench.servers.isEmpty)
    bench.bench.expectNothingHeld()
  }

  @Test("A call that waits for keys is over with its timeout")
  func keyWait() throws {
    let issuer = try BenchIssuer()
    let bench = try CallBench(
      issuer.section + "\nroutes: [{ path: /*, auth: login, upstream: app }]", issuer: issuer)
    let token = try issuer.token(keyID: "other")
    let stream = try bench.call(
      CallBench.head("/s/m", "Authorization: Bearer \(token)", "grpc-timeout: 300m"))
    #expect(bench.bench.refreshedIssuers == [0])
    bench.wait(.milliseconds(500))
    try bench.expectRefusal(stream, 4, "grpc_deadline_exceeded")
    bench.bench.expectNothingHeld()
  }
}
