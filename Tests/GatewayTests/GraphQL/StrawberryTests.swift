// Strawberry, a server of GraphQL in Python, behind the gateway: requests and subscriptions of a client that knows
// nothing of it.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Strawberry behind the gateway")
struct StrawberryTests {
  private static let server = """
    import socket, strawberry, uvicorn
    from typing import AsyncGenerator
    from strawberry.asgi import GraphQL

    @strawberry.type
    class Query:
        @strawberry.field
        def hello(self, name: str = "you") -> str:
            return "hello " + name
        @strawberry.field
        def staff(self) -> str:
            return "secret"

    @strawberry.type
    class Mutation:
        @strawberry.mutation
        def buy(self, count: int) -> int:
            return count

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def count(self, to: int) -> AsyncGenerator[int, None]:
            for number in range(to):
                yield number

    app = GraphQL(strawberry.Schema(Query, Mutation, Subscription))
    listening = socket.create_server(("127.0.0.1", 0))
    print("port", listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).run(sockets=[listening])
    """

  /// Prints what comes back for an operation that passes, and for one that does not.
  private static let client = """
    import json, sys
    from websockets.sync.client import connect

    with connect(sys.argv[1], subprotocols=["graphql-transport-ws"]) as socket:
        def say(**message): socket.send(json.dumps(message))
        def hear(): return json.loads(socket.recv(timeout=60))
        say(type="connection_init", payload={"Authorization": "Bearer " + sys.argv[2]})
        print(hear()["type"])
        say(id="1", type="subscribe", payload={"query": "subscription { count(to: 3) }"})
        while True:
            message = hear()
            print(message["type"], message.get("payload", {}).get("data", {}).get("count"))
            if message["type"] == "complete": break
        say(id="2", type="subscribe", payload={"query": "mutation { buy(count: 1) }"})
        message = hear()
        print(message["id"], message["type"], message["payload"][0]["extensions"]["code"])
    """

  @Test(
    "Queries, mutations, GET and subscriptions of Strawberry obey the route, and what passes works", .needsStrawberry)
  func operations() async throws {
    let python = try #require(await PythonPackages.strawberry.value)
    // `start` takes a path.
    let strawberry = try ChildProcess.start("/usr/bin/env", [python, "-u", "-c", Self.server])
    let port = try await strawberry.output.wait(for: "Strawberry's port") { output in
      if let status = output.status { throw StreamFailure.malformed("Strawberry: \(status) \(output)") }
      return output.standardOutput.first { $0.hasPrefix("port ") }?.dropFirst(5)
    }
    let key = try TestKey(.es256)
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json", more: []))
      upstreams: { shop: { servers: ["127.0.0.1:\(port)"] } }
      routes:
        - path: /graphql
          auth: { issuers: [login], optional: true }
          upstream: shop
          websocket: { graphql: true }
          graphql:
            operations:
              - { type: mutation, scopes: [write] }
              - { root_fields: [staff], scopes: [staff] }
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()

    func ask(_ document: String, token: String? = nil) async throws -> String {
      let body = "{\"query\":\"\(document)\"}"
      let field = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
      let response = try await gateway.exchange(
        "POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\(field)"
          + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
      return response.text
    }
    let plain = TokenDoor.token(key)
    let writer = TokenDoor.token(key, ["scope": "write"])
    #expect(try await ask("{ hello(name: \\\"ä\\\") }").contains("hello"))
    #expect(try await ask("mutation { buy(count: 7) }").contains("token_missing"))
    #expect(try await ask("mutation { buy(count: 7) }", token: plain).contains("scope_missing"))
    #expect(try await ask("mutation { buy(count: 7) }", token: writer).contains("buy"))
    #expect(try await ask("{ x: staff }", token: writer).contains("scope_missing"))
    #expect(try await ask("{ __schema { types { name } } }").contains("graphql_introspection_refused"))
    #expect(try await gateway.get("/graphql?query=%7Bhello%7D").text.contains("hello you"))
    let walk = try await ChildProcess.run(
      python, ["-c", Self.client, "ws://127.0.0.1:\(gateway.port)/graphql", plain], within: .seconds(120))
    #expect(
      walk.standardOutput.split(separator: "\n").map(String.init) == [
        "connection_ack", "next 0", "next 1", "next 2", "complete None", "2 error scope_missing",
      ], "\(walk.standardOutput) \(walk.standardError)")
    strawberry.kill(SIGKILL)
    _ = try await strawberry.waitForExit()
  }
}
