// Documents that clients name by their hash.

import Configuration
import Testing

@testable import Proxy

@Suite("Persisted operations")
struct PersistedOperationTests {
  private static let known = "query Known { a }"

  private func bench(isOnly: Bool) throws -> Bench {
    let hash = String(decoding: PersistedDocument.hash(of: Array(Self.known.utf8).span), as: UTF8.self)
    let file = "{\"\(hash)\":\"\(Self.known)\"}"
    let text = """
      listeners: [{ address: 127.0.0.1:0 }]
      upstreams: { app: { servers: [10.0.0.1:9000] } }
      routes:
        - path: /graphql
          auth: public
          upstream: app
          graphql: { persisted: { file: operations.json, only: \(isOnly) } }
      """
    let loaded = try ConfigurationReader.read(
      text: text, file: "gateway.conf", folder: "", environment: [:], readFile: { _ in Array(file.utf8) }
    ).get()
    return Bench(Snapshot(loaded.configuration, generation: 1))
  }

  private func code(_ bench: Bench, _ body: String) -> String {
    let client = bench.connect()
    let count = bench.servers.count
    client.send(
      head(
        "POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json", "Content-Length: \(body.utf8.count)")
        + body)
    defer { for socket in bench.sockets { socket.reset() } }
    if bench.servers.count > count { return "passed" }
    return ProxyTests.code(client.text)
  }

  private func extensions(_ hash: String) -> String {
    "\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"\(hash)\"}}"
  }

  @Test("A known hash stands for its document, an unknown one is answered so that clients send the document")
  func hashes() throws {
    let bench = try bench(isOnly: false)
    let hash = String(decoding: PersistedDocument.hash(of: Array(Self.known.utf8).span), as: UTF8.self)
    let other = String(decoding: PersistedDocument.hash(of: Array("{ b }".utf8).span), as: UTF8.self)
    #expect(code(bench, "{\(extensions(hash))}") == "passed")
    #expect(code(bench, "{\(extensions(other))}") == "graphql_persisted_unknown")
    #expect(code(bench, "{\"query\":\"{ b }\",\(extensions(other))}") == "passed")
    #expect(code(bench, "{\"query\":\"{ b }\",\(extensions(hash))}") == "graphql_request_invalid")
    #expect(code(bench, "{\"query\":\"{ c }\"}") == "passed")
    #expect(bench.worker.counters.copy().operationCounts.contains { $0.operation == 0 })
    let client = bench.connect()
    client.send(
      head(
        "POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json",
        "Content-Length: \(extensions(other).utf8.count + 2)") + "{\(extensions(other))}")
    #expect(client.text.contains("{\"errors\":[{\"message\":\"PersistedQueryNotFound\""))
  }

  @Test("With `only`, no document passes that is not in the file, by hash or written out")
  func only() throws {
    let bench = try bench(isOnly: true)
    let hash = String(decoding: PersistedDocument.hash(of: Array(Self.known.utf8).span), as: UTF8.self)
    #expect(code(bench, "{\(extensions(hash))}") == "passed")
    #expect(code(bench, "{\"query\":\"\(Self.known)\"}") == "passed")
    #expect(code(bench, "{\"query\":\"\(Self.known) \"}") == "graphql_not_persisted")
    #expect(code(bench, "{\"query\":\"{ b }\"}") == "graphql_not_persisted")
    #expect(code(bench, "{}") == "graphql_request_invalid")
  }
}
