// WebSockets with tokens that are bound to a key: the handshake over HTTP/2 has a proof, and the first message of
// GraphQL has no place for one.

import TestSupport
import Testing
import Tokens

@testable import Proxy

@Suite("WebSockets with bound tokens")
struct BoundWebSocketTests {
  private let issuer: BenchIssuer
  private let sender: TestProof
  private let token: String

  init() throws {
    issuer = try BenchIssuer()
    sender = try TestProof()
    token = try issuer.token(",\"cnf\":{\"jkt\":\"\(sender.thumbprint)\"}")
  }

  private func fields(_ method: String, _ url: String) -> [String] {
    sender.fields(method, url, of: token, ["iat": .integer(Int(Bench.unixMilliseconds / 1000))])
  }

  @Test("T101: Over HTTP/2 the proof of a handshake is for CONNECT or GET, and counts once")
  func multiplexed() throws {
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [try issuer.keySet()])
    for (method, url) in [("CONNECT", "http://h/"), ("GET", "ws://h/"), ("GET", "http://h/")] {
      let lines = fields(method, url)
      let client = try HTTP2Client(bench)
      client.connect("/", lines[0], lines[1])
      let server = try #require(bench.servers.last)
      #expect(!server.text.contains("DPoP:") && !server.text.contains("dpop:"))
      server.send(switching(for: server.text))
      client.turn()
      #expect(client.status == 200 && !client.hasEnded, "\(method) \(url)")
      let again = try HTTP2Client(bench)
      again.connect("/", lines[0], lines[1])
      #expect(again.status == 401, "\(method) \(url) again")
    }
    for lines in [
      fields("POST", "http://h/"), fields("CONNECT", "https://h/"), fields("CONNECT", "http://h/b"),
      ["Authorization: DPoP \(token)", "X-A: b"], ["Authorization: Bearer \(token)", "X-A: b"],
    ] {
      let client = try HTTP2Client(bench)
      client.connect("/", lines[0], lines[1])
      #expect(client.status == 401, "\(lines)")
    }
  }

  private func open(_ lines: [String]) throws -> (bench: Bench, client: FakeSocket, server: FakeSocket) {
    let text = """
      \(issuer.section)
      routes:
        - path: /graphql
          auth: { issuers: [login] }
          upstream: app
          websocket: { graphql: true }
          graphql: { body_size: 1KiB }
      """
    let bench = try Bench(text, keySets: [try issuer.keySet()])
    let client = bench.connect()
    client.send(
      handshake(
        "/graphql",
        lines: [
          "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", sampleKey,
          "Sec-WebSocket-Protocol: graphql-transport-ws",
        ] + lines))
    let server = try bench.server()
    _ = server.take()
    server.send(switching("Sec-WebSocket-Protocol: graphql-transport-ws"))
    #expect(status(client.take()) == 101)
    return (bench, client, server)
  }

  @Test("T101: In connection_init a bound token passes only where the handshake has proved it")
  func firstMessage() throws {
    let first = "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer \(token)\"}}"
    let (bench, stranger, _) = try open([])
    stranger.send(masked(first))
    #expect(closeCode(stranger.takeBytes()) == 4401)
    let (next, client, server) = try open(fields("GET", "http://h/graphql"))
    client.send(masked(first))
    #expect(client.takeBytes().isEmpty && !server.takeBytes().isEmpty)
    let other = try issuer.token(",\"jti\":\"b\",\"cnf\":{\"jkt\":\"\(sender.thumbprint)\"}")
    let (last, second, _) = try open(fields("GET", "http://h/graphql"))
    second.send(masked(first.replacing(token, with: other)))
    #expect(closeCode(second.takeBytes()) == 4401)
    for bench in [bench, next, last] { #expect(bench.servers.count == 1) }
  }
}
