// Documents that cost a server more than they cost their sender, and those that a second reader would understand in
// another way, through the running gateway.

import Foundation
import TestSupport
import Testing

@Suite("Hostile documents")
struct DocumentThreatTests {
  /// A gateway with the defaults of `graphql`, before a service that counts what it gets.
  private struct Door {
    let gateway: GatewayProcess
    let upstream: TestUpstream

    init(_ rules: String = "") async throws {
      upstream = try await TestUpstream.echo()
      gateway = try await GatewayProcess.start(
        """
        limits: { body_size: 64MiB }
        upstreams: { service: { servers: ["\(upstream.address)"] } }
        routes: [{ path: /graphql, auth: public, upstream: service, graphql: { \(rules) } }]
        """)
    }

    /// The code of the refusal, or `passed`.
    func verdict(_ body: [UInt8], type: String = "application/json", target: String = "/graphql") async throws -> String
    {
      let client = try await gateway.connect()
      let head =
        "POST \(target) HTTP/1.1\r\nHost: test\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n"
      // Who is refused early may lose what was not read.
      try? await client.send(Array(head.utf8) + body)
      return try Self.verdict(try await client.receiveResponse())
    }

    func verdict(document: String) async throws -> String {
      try await verdict(Array(document.utf8), type: "application/graphql")
    }

    static func verdict(_ response: RawResponse) throws -> String {
      let text = response.text
      guard let mark = text.firstRange(of: "\"code\":\"") else { return "passed" }
      return String(text[mark.upperBound...].prefix { $0 != "\"" })
    }
  }

  @Test("T114 Documents that are dear are refused, and the service never sees them: braces, aliases, fragments, lists")
  func dear() async throws {
    let door = try await Door("body_size: 4MiB, max_tokens: 1000000")
    let aliases = (0..<100_000).map { "a\($0): b" }.joined(separator: " ")
    let doubled =
      "{ ...F0 } " + (0..<40).map { "fragment F\($0) on Q { ...F\($0 + 1) ...F\($0 + 1) }" }.joined(separator: " ")
      + " fragment F40 on Q { a: b }"
    let cases = [
      (String(repeating: "{", count: 3_000_000), "graphql_document_invalid"),
      (String(repeating: "{a", count: 100_000), "graphql_too_deep"),
      (String(repeating: "{...", count: 100_000), "graphql_too_deep"),
      ("{ a(b: \(String(repeating: "[", count: 300_000))) }", "graphql_too_deep"),
      ("{ \(aliases) }", "graphql_too_many_aliases"), (doubled, "graphql_too_many_aliases"),
      ("{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }", "graphql_document_invalid"),
      ("{ a(b: [\(String(repeating: "1,", count: 1_100_000))]) }", "graphql_too_many_tokens"),
    ]
    for (document, expected) in cases {
      #expect(try await door.verdict(document: document) == expected, "\(document.prefix(40))")
    }
    let batch = "[" + Array(repeating: "{\"query\":\"{ a }\"}", count: 1000).joined(separator: ",") + "]"
    #expect(try await door.verdict(Array(batch.utf8)) == "graphql_batch_too_large")
    // 10 MB are more than the route takes, whatever is in them.
    #expect(try await door.verdict(document: String(repeating: "{", count: 10_000_000)) == "body_too_large")
    #expect(door.upstream.requests.isEmpty)
    #expect(try await door.verdict(document: "{ a }") == "passed")
  }

  @Test("T114 A request that another reader could understand in another way reaches nobody")
  func ambiguous() async throws {
    let door = try await Door()
    for body in [
      "{\"query\":\"{ a }\",\"query\":\"mutation { b }\"}", "{\"query\":\"{ a }\",\"QUERY\":\"mutation { b }\"}",
      "{\"query\":\"{ a }\",\"documentId\":\"b\"}", "{\"query\":\"{ a }\"", "{\"query\":\"{ a", "{", "",
      "{\"query\":\"{ a }\"}{\"query\":\"{ b }\"}",
    ] {
      #expect(try await door.verdict(Array(body.utf8)) == "graphql_request_invalid", "\(body)")
    }
    #expect(
      try await door.verdict(Array("{\"query\":\"{ a(b: \\\"".utf8) + [0xC3, 0x28] + Array("\\\") }\"}".utf8))
        == "graphql_request_invalid")
    #expect(
      try await door.verdict(Array("{ a(b: \"".utf8) + [0xFF] + Array("\") }".utf8), type: "application/graphql")
        == "graphql_document_invalid")
    for document in [
      "query A { a } query A { b }", "{ a } mutation B { b }", "{ ...F } fragment F on Q { a } fragment F on Q { b }",
      "type Query { a: B } { a }", "extend schema @a query { b }", "{ ...Nobody }",
    ] {
      #expect(try await door.verdict(document: document) == "graphql_document_invalid", "\(document)")
    }
    let two = "query A { a } query B { b }"
    #expect(try await door.verdict(document: two) == "graphql_operation_unknown")
    #expect(
      try await door.verdict(Array("{\"query\":\"\(two)\",\"operationName\":\"C\"}".utf8))
        == "graphql_operation_unknown")
    for target in ["/graphql?query=%7Ba%7D", "/graphql?operationName=B", "/graphql?QUERY=1", "/graphql?qu%65ry=1"] {
      #expect(
        try await door.verdict(Array("{\"query\":\"{ a }\"}".utf8), target: target) == "graphql_request_invalid",
        "\(target)")
    }
    #expect(door.upstream.requests.isEmpty)
  }

  @Test("T114 What any page can send reaches nobody: a mutation by GET, text/plain, forms, two `query` parameters")
  func pages() async throws {
    let door = try await Door()
    let body = Array("{\"query\":\"mutation { a }\"}".utf8)
    for type in ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data"]
    {
      #expect(try await door.verdict(body, type: type) == "graphql_media_type", "\(type)")
    }
    for (target, expected) in [
      ("query=mutation%7Ba%7D", "graphql_mutation_by_get"), ("query=%7Ba%7D&query=%7Bb%7D", "graphql_request_invalid"),
      ("query=query+A%7Ba%7Dmutation+B%7Bb%7D&operationName=B", "graphql_mutation_by_get"),
      ("query=%7Ba%7D&query%5B%5D=%7Bb%7D", "graphql_request_invalid"),
    ] {
      let response = try await door.gateway.get("/graphql?\(target)")
      #expect(try Door.verdict(response) == expected, "\(target)")
    }
    #expect(door.upstream.requests.isEmpty)
    let response = try await door.gateway.get("/graphql?query=%7Ba%7D")
    #expect(response.status == 200)
  }
}
