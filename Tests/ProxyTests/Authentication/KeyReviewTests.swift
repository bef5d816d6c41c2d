// Streams of every kind when a key leaves its set: what ends, how, and what does not.

import Testing

@testable import Proxy

@Suite("Streams and their keys")
struct KeyReviewTests {
  let issuer: BenchIssuer
  let other: BenchIssuer

  init() throws {
    issuer = try BenchIssuer()
    other = try BenchIssuer(keyID: "other")
  }

  private var text: String { "routes: [{ path: /*, auth: login, upstream: app }]\n" + issuer.section }

  /// A client whose answer has begun with this head.
  private func stream(_ bench: Bench, _ head: String) throws -> FakeSocket {
    let client = bench.connect()
    client.send(get("/", "Authorization: Bearer \(try issuer.token())"))
    try bench.server().send(head)
    #expect(status(client.take()) == 200)
    return client
  }

  private static let heads: [(head: String, isStream: Bool)] = [
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true), ("HTTP/1.1 200 OK\r\n\r\nhi", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", false),
  ]

  @Test(
    "T87: An answer of unknown length is cut off when its key goes, one that announced its length is not",
    arguments: heads.indices)
  func answers(_ index: Int) throws {
    let (head, isStream) = Self.heads[index]
    let bench = try Bench(text, keySets: [issuer.keySet()])
    let client = try stream(bench, head)
    let same = try issuer.keySet()
    bench.act { $0.install(same, issuer: 0) }
    #expect(!client.isGone && bench.logLines.isEmpty)
    let without = try other.keySet()
    bench.act { $0.install(without, issuer: 0) }
    #expect(client.isGone == isStream)
    #expect((bench.logLines.last?.contains("\"reason\":\"key_unknown\"") ?? false) == isStream)
    #expect(!client.text.contains("0\r\n\r\n"))
    bench.expectNothingHeld()
  }

  @Test("T87: A key set that is withdrawn whole, and a reload with another one, end a stream as well", arguments: 0..<3)
  func sets(_ way: Int) throws {
    let bench = try Bench(text, keySets: [issuer.keySet()])
    let client = try stream(bench, Self.heads[0].head)
    switch way {
    case 0: bench.act { $0.install(nil, issuer: 0) }
    case 1: try bench.reload(text, keySets: [other.keySet()])
    default: try bench.reload(text, keySets: [issuer.keySet()])
    }
    #expect(client.isGone == (way < 2))
    bench.expectNothingHeld()
  }

  @Test("A stream ends when its tenant leaves the list, and lives on when another one joins or leaves")
  func tenants() throws {
    func text(_ tenants: String) -> String {
      "routes: [{ path: /*, auth: login, upstream: app }]\n" + issuer.section(tenants: tenants)
    }
    let bench = try Bench(text("[one, two]"), keySets: [issuer.keySet()])
    let client = bench.connect()
    client.send(get("/", "Authorization: Bearer \(try issuer.token(",\"org\":\"two\"", issuer: "two"))"))
    try bench.server().send(Self.heads[0].head)
    #expect(status(client.take()) == 200)
    for others in ["[one, two, three]", "[two]"] {
      try bench.reload(text(others), keySets: [issuer.keySet()])
      #expect(!client.isGone)
    }
    try bench.reload(text("[one]"), keySets: [issuer.keySet()])
    #expect(client.isGone)
    #expect(bench.logLines.last?.contains("\"reason\":\"key_unknown\"") == true)
    bench.expectNothingHeld()
  }

  @Test("T87: A call of gRPC whose client streams is refused when its key goes, and others of its connection live on")
  func calls() throws {
    let bench = try CallBench(
      issuer.section + "\nroutes: [{ path: /*, auth: { issuers: [login], optional: true }, upstream: app }]",
      issuer: issuer)
    let open = try bench.call(CallBench.head("/s/open"), end: false)
    let guarded = try bench.call(
      CallBench.head("/s/guarded", "Authorization: Bearer \(try issuer.token())"), end: false)
    let server = try bench.server()
    #expect(server.streams.count == 2)
    let without = try other.keySet()
    bench.bench.act { $0.install(without, issuer: 0) }
    bench.wait(.milliseconds(100), server)
    try bench.expectRefusal(guarded, 16, "key_unknown")
    #expect(bench.client.streams[open]?.isEnded != true)
    bench.bench.expectNothingHeld()
  }

  @Test("T87: A WebSocket over HTTP/2 ends with 4401 when its key goes")
  func webSocket() throws {
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [issuer.keySet()])
    let client = try HTTP2Client(bench)
    client.connect("/", "Authorization: Bearer \(try issuer.token())")
    let server = try bench.server()
    server.send(switching(for: server.take()))
    client.turn()
    #expect(client.status == 200)
    let without = try other.keySet()
    bench.act { $0.install(without, issuer: 0) }
    client.turn()
    #expect(closeCode(client.bytes) == 4401 && maskedCloseCode(server.bytes) == 1001)
    #expect(bench.logLines.last?.contains("\"reason\":\"key_unknown\"") == true)
    bench.expectNothingHeld()
  }
}
