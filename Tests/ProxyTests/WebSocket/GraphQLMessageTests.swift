// GraphQL over a WebSocket: whose token counts, which operations pass, and that the server gets nothing else.

import Bytes
import HTTPWire
import Testing

@testable import Proxy

@Suite("Messages of GraphQL")
struct GraphQLMessageTests {
  private let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func text(_ auth: String) -> String {
    """
    \(issuer.section)
    routes:
      - path: /graphql
        auth: \(auth)
        upstream: app
        websocket: { graphql: true }
        graphql: { body_size: 1KiB, max_depth: 3, operations: [{ type: mutation, scopes: [write] }] }
    """
  }

  private struct Open {
    let bench: Bench
    let client: FakeSocket
    let server: FakeSocket

    /// What the server was sent, frame by frame, unmasked.
    func messages() -> [String] {
      let bytes = server.takeBytes()
      var collector = MessageCollector()
      var result: [String] = []
      var offset = 0
      var message = ByteQueue()
      while offset < bytes.count {
        switch collector.take(bytes.span, offset: &offset, message: &message, byteCountMax: 1 << 20) {
        case .text:
          result.append(message.text())
          message.removeAll()
        case .control(let range): result.append("control \(bytes[range.lowerBound] & 0x0F)")
        default: return result + ["unfinished"]
        }
      }
      return result
    }

    func say(_ text: String) { client.send(masked(text)) }
  }

  private func open(
    _ auth: String = "login", _ fields: String..., chosen: String = "graphql-transport-ws"
  ) throws -> Open {
    let bench = try Bench(text(auth), keySets: [try issuer.keySet()])
    let client = bench.connect()
    client.send(
      handshake(
        "/graphql",
        lines: [
          "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", sampleKey,
          "Sec-WebSocket-Protocol: \(chosen)", "Sec-WebSocket-Extensions: permessage-deflate",
        ] + fields))
    let server = try bench.server()
    #expect(!server.take().lowercased().contains("extensions"))
    server.send(switching("Sec-WebSocket-Protocol: \(chosen)"))
    #expect(status(client.take()) == 101)
    return Open(bench: bench, client: client, server: server)
  }

  private func begin(_ claims: String = "") throws -> String {
    "{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer \(try issuer.token(claims))\"}}"
  }

  private func subscribe(_ document: String, id: String = "1", type: String = "subscribe") -> String {
    "{\"id\":\"\(id)\",\"type\":\"\(type)\",\"payload\":{\"query\":\"\(document)\"}}"
  }

  @Test("The first message brings the token, operations pass by the rules, and the others are answered by their id")
  func operations() throws {
    for (chosen, type) in [("graphql-transport-ws", "subscribe"), ("graphql-ws", "start")] {
      let open = try open(chosen: chosen)
      let first = try begin()
      open.say(first)
      #expect(open.messages() == [first])
      let good = subscribe("subscription { a }", type: type)
      open.say(good)
      #expect(open.messages() == [good])
      open.say(subscribe("mutation { a }", id: "two", type: type))
      #expect(open.messages() == [])
      let answer = open.client.take()
      #expect(answer.contains("{\"id\":\"two\",\"type\":\"error\",\"payload\":"))
      #expect(code(answer) == "scope_missing")
      open.say(subscribe("{ a { b { c { d } } } }", type: type))
      #expect(code(open.client.take()) == "graphql_too_deep")
      open.say(good)
      #expect(open.messages() == [good])
      open.server.send(frame("{\"type\":\"next\"}"))
      #expect(open.client.take().contains("next"))
      open.bench.expectNothingHeld()
    }
  }

  @Test("A message in fragments, in single bytes, and with a ping in between is one message for the server")
  func fragments() throws {
    let open = try open("{ issuers: [login], optional: true }")
    open.say("{\"type\":\"connection_init\"}")
    _ = open.messages()
    let message = subscribe("query Long { a }")
    let half = message.utf8.count / 2
    let parts = (String(message.prefix(half)), String(message.dropFirst(half)))
    open.client.send(masked(parts.0, first: 0x01))
    #expect(open.messages() == [])
    open.client.send(masked("ping", first: 0x89))
    #expect(open.messages() == ["control 9"])
    for byte in masked(parts.1, first: 0x80) { open.client.send([byte]) }
    #expect(open.messages() == [message])
    open.client.send(masked("\u{3}\u{E8}", first: 0x88))
    open.bench.expectNothingHeld()
  }

  @Test(
    "What is not a message of the protocol ends the socket, and the server never sees it",
    arguments: [
      ("{\"type\":\"subscribe\"}", 4400), ("{\"type\":\"start\",\"id\":\"1\",\"payload\":{\"query\":\"{ a }\"}}", 4400),
      ("{\"type\":\"connection_init\"}", 4400), ("{\"type\":\"other\"}", 4400), ("no JSON", 4400), ("[]", 4400),
      ("{\"type\":\"ping\",\"type\":\"subscribe\"}", 4400), ("{\"type\":\"ping\",\"more\":1}", 4400),
      ("{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{ a }\",\"Query\":\"{ b }\"}}", 4400),
      (String(repeating: " ", count: 1100), 1009),
    ])
  func malformed(_ message: String, _ expected: Int) throws {
    let open = try open("{ issuers: [login], optional: true }")
    open.say("{\"type\":\"connection_init\"}")
    _ = open.messages()
    open.say(message)
    #expect(closeCode(open.client.takeBytes()) == expected, "\(message)")
    open.bench.expectNothingHeld()
  }

  @Test("Bytes, compressed messages and broken frames end the socket")
  func frames() throws {
    for (first, expected) in [(0x82, 4400), (0xC1, 4400), (0x83, 1002)] as [(UInt8, Int)] {
      let open = try open("{ issuers: [login], optional: true }")
      open.client.send(masked("{\"type\":\"connection_init\"}", first: first))
      #expect(closeCode(open.client.takeBytes()) == expected, "\(first)")
      open.bench.expectNothingHeld()
    }
  }

  @Test("No token, a bad one, one that lacks a scope, and one of somebody else end the socket, each with its code")
  func tokens() throws {
    let none = try open()
    none.say("{\"type\":\"connection_init\",\"payload\":{}}")
    #expect(closeCode(none.client.takeBytes()) == 4401)
    let early = try open()
    early.say(subscribe("{ a }"))
    #expect(closeCode(early.client.takeBytes()) == 4401)
    let late = try open()
    late.bench.wait(.seconds(11))
    #expect(closeCode(late.client.takeBytes()) == 4401)
    #expect(late.bench.logLines[0].contains("\"reason\":\"token_missing\""))
    let bad = try open()
    bad.say("{\"type\":\"connection_init\",\"payload\":{\"headers\":{\"authorization\":\"Bearer x.y.z\"}}}")
    #expect(closeCode(bad.client.takeBytes()) == 4401)
    let poor = try open("{ issuers: [login], scopes: [api] }")
    poor.say(try begin())
    #expect(closeCode(poor.client.takeBytes()) == 4403)
    let other = try open("login", "Authorization: Bearer \(try issuer.token())")
    other.say(try begin().replacing(try issuer.token(), with: try issuer.token(",\"sub\":\"bob\"")))
    for open in [none, early, late, bad, poor] {
      #expect(open.messages().filter { !$0.hasPrefix("control") && $0 != "unfinished" } == [])
      open.bench.expectNothingHeld()
    }
    other.bench.expectNothingHeld()
  }

  @Test("A token of the handshake counts, and then none is required in a message")
  func handshakeToken() throws {
    let open = try open("login", "Authorization: Bearer \(try issuer.token(",\"scope\":\"write\""))")
    open.say("{\"type\":\"connection_init\"}")
    let message = subscribe("mutation { a }")
    open.say(message)
    #expect(open.messages().last == message)
    open.bench.expectNothingHeld()
  }

  @Test("A token in a message ends the socket when it ends")
  func ends() throws {
    let open = try open()
    open.say(try begin())
    open.bench.wait(.seconds(3700))
    #expect(closeCode(open.client.takeBytes()) != nil)
    open.bench.expectNothingHeld()
  }

  @Test("A server that chooses another protocol is refused, and a reload that changes the rules ends the socket")
  func others() throws {
    let bench = try Bench(text("{ issuers: [login], optional: true }"), keySets: [try issuer.keySet()])
    let client = bench.connect()
    client.send(handshake("/graphql", "Sec-WebSocket-Protocol: chat"))
    try bench.server().send(switching("Sec-WebSocket-Protocol: chat"))
    #expect(status(client.text) == 502)
    bench.expectNothingHeld()
    let open = try open("{ issuers: [login], optional: true }")
    let keys = try issuer.keySet()
    try open.bench.reload(text("{ issuers: [login], optional: true }"), keySets: [keys])
    #expect(open.client.takeBytes().isEmpty)
    try open.bench.reload(
      text("{ issuers: [login], optional: true }").replacing("max_depth: 3", with: "max_depth: 2"), keySets: [keys])
    #expect(closeCode(open.client.takeBytes()) == 1001)
    open.bench.expectNothingHeld()
  }

  @Test("An answer of the gateway waits until the server's message is whole")
  func order() throws {
    let open = try open("{ issuers: [login], optional: true }")
    open.say("{\"type\":\"connection_init\"}")
    open.server.send(frame("first ", first: 0x01))
    open.say(subscribe("{ a { b { c { d } } } }"))
    #expect(code(open.client.take()) == "")
    open.server.send(frame("second", first: 0x80))
    let received = open.client.take()
    #expect(received.contains("second") && code(received) == "graphql_too_deep")
    open.bench.expectNothingHeld()
  }
}
