// Requests of GraphQL: which documents pass, by whom, and that what passes reaches the server as it came.

import HTTP2
import Testing

@testable import Proxy

@Suite("Operations of GraphQL")
struct OperationTests {
  private let issuer: BenchIssuer
  private static let rules = """
    max_depth: 3, max_aliases: 2, max_root_fields: 3, max_tokens: 60, operations: [
      { type: mutation, scopes: [write] }, { root_fields: [admin], claims: { role: boss } },
      { names: [Report], scopes: { any: [reports, all] } }]
    """

  init() throws { issuer = try BenchIssuer() }

  private func bench(
    _ graphQL: String = rules, auth: String = "{ issuers: [login], optional: true }", more: String = ""
  )
    throws -> Bench
  {
    try Bench(
      "\(issuer.section)\nroutes: [{ path: /graphql, auth: \(auth), upstream: app, graphql: { \(graphQL) }\(more) }]",
      keySets: [try issuer.keySet()])
  }

  private func post(_ body: String, _ fields: String..., type: String = "application/json", target: String = "/graphql")
    -> String
  {
    head(
      (["POST \(target) HTTP/1.1", "Host: h", "Content-Type: \(type)", "Content-Length: \(body.utf8.count)"] + fields)
        .joined(separator: "\r\n")) + body
  }

  private func query(_ document: String, _ more: String = "") -> String {
    let quoted = document.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    return "{\"query\":\"\(quoted)\"\(more)}"
  }

  /// The code of the refusal, or `passed`.
  private func verdict(_ bench: Bench, _ request: String) throws -> String {
    let client = bench.connect()
    let count = bench.servers.count
    client.send(request)
    defer { client.reset() }
    if bench.servers.count > count {
      let server = try bench.server()
      server.send(ok("done"))
      #expect(body(of: client.text) == "done")
      server.reset()
      bench.forgetServers()
      return "passed"
    }
    let found = code(client.text)
    return found.isEmpty ? "status \(status(client.text))" : found
  }

  @Test("A document that holds the rules reaches the server with the bytes that came, and the log has its operation")
  func passes() throws {
    for isChunked in [false, true] {
      let bench = try bench()
      let client = bench.connect()
      let text = query("query Shown { a b { c } }", ",\"variables\":{\"x\":[1,2.50]}")
      client.send(
        isChunked
          ? head(
            "POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json; charset=utf-8",
            "Transfer-Encoding: chunked") + "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n0\r\n\r\n" : post(text)
      )
      let sent = try bench.server().text
      let length = String(text.utf8.count, radix: 16)
      #expect(body(of: sent) == (isChunked ? "\(length)\r\n\(text)\r\n0\r\n\r\n" : text))
      try bench.server().send(ok("done"))
      #expect(body(of: client.text) == "done")
      #expect(bench.logLines[0].contains("\"graphql_operation\":\"Shown\""))
      #expect(bench.logLines[0].contains("\"request_bytes\":\(text.utf8.count),"))
      bench.expectNothingHeld()
    }
  }

  @Test("A second request over the same connections has its own body, and one that comes in pieces waits for the last")
  func again() throws {
    let bench = try bench()
    let client = bench.connect()
    for name in ["One", "Two", "Three"] {
      let text = post(query("query \(name) { a }"))
      for byte in text { client.send(String(byte)) }
      let server = try bench.server()
      #expect(server.text.hasSuffix(query("query \(name) { a }")))
      server.send(ok(name))
      #expect(client.text.hasSuffix(name))
    }
    #expect(bench.servers.count == 1)
    bench.expectNothingHeld()
  }

  @Test("A server of HTTP/2 gets the body as well, on a new connection and on one that is there")
  func multiplexed() throws {
    let over = try HTTP2Bench(
      """
      upstreams: { app: { servers: [10.0.0.1:1], protocol: http2 } }
      routes: [{ path: /graphql, auth: public, upstream: app, graphql: {} }]
      """)
    for name in ["One", "Two"] {
      let client = over.bench.connect()
      client.send(post(query("query \(name) { a }")))
      try over.settle()
      let server = over.servers[0]
      let id = try #require(server.begun.last)
      #expect(server[id].text == query("query \(name) { a }"))
      server.answer(id, body: name)
      try over.settle()
      #expect(unframed(client.text).body == name)
    }
    #expect(over.servers.count == 1)
    over.bench.expectNothingHeld()
  }

  @Test("A request that is sent again after a failure has its body, and a copy for a mirror as well")
  func resent() throws {
    let bench = try Bench(
      """
      upstreams:
        app: { servers: [10.0.0.1:1, 10.0.0.2:2], retry: { on: [reset_before_response, connect_failure] } }
        copy: { servers: [10.0.0.3:3] }
      routes: [{ path: /graphql, auth: public, upstream: app, graphql: {}, mirror: { upstream: copy } }]
      """)
    bench.refusing = ["10.0.0.1:1"]
    let client = bench.connect()
    client.send(post(query("{ a }")))
    let mirror = try #require(bench.servers.first { $0.address == "10.0.0.3:3" })
    #expect(body(of: mirror.text) == query("{ a }"))
    let server = try #require(bench.servers.first { $0.address == "10.0.0.2:2" })
    #expect(body(of: server.text) == query("{ a }"))
    server.send(ok("done"))
    #expect(body(of: client.text) == "done")
  }

  @Test("A client that waits for 100 is told to send its body, and the server is not asked for another 100")
  func expectation() throws {
    let bench = try bench()
    let client = bench.connect()
    let text = query("{ a }")
    client.send(
      head(
        "POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json", "Content-Length: \(text.utf8.count)",
        "Expect: 100-continue"))
    #expect(client.text == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send(text)
    #expect(!(try bench.server().text.lowercased().contains("expect")))
    try bench.server().send(ok("done"))
    #expect(client.text.hasSuffix("done"))
    bench.expectNothingHeld()
  }

  @Test("Each limit refuses what is beyond it, fragments written out")
  func limits() throws {
    let bench = try bench()
    for (document, expected) in [
      ("{ a { b { c } } }", "passed"), ("{ a { b { c { d } } } }", "graphql_too_deep"),
      ("{ a { ...F } } fragment F on Q { b { c { d } } }", "graphql_too_deep"),
      ("{ x: a y: b }", "passed"), ("{ a { x: a y: a z: a } }", "graphql_too_many_aliases"),
      ("{ a { ...F ...F ...F } } fragment F on Q { x: a }", "graphql_too_many_aliases"),
      ("{ a b c }", "passed"), ("{ a b c d }", "graphql_too_many_root_fields"),
      ("{ ...F ...F } fragment F on Q { a b }", "graphql_too_many_root_fields"),
      ("{ a(b: [\(String(repeating: "1 ", count: 60))]) }", "graphql_too_many_tokens"),
      ("{ __schema { a } }", "graphql_introspection_refused"), ("{ __typename }", "passed"),
      ("{ a", "graphql_document_invalid"), ("type A { b: C }", "graphql_document_invalid"),
      ("{ ...F } fragment F on Q { ...F }", "graphql_document_invalid"),
      ("query A { a } query B { b }", "graphql_operation_unknown"),
    ] {
      #expect(try verdict(bench, post(query(document))) == expected, "\(document)")
    }
    bench.expectNothingHeld()
  }

  @Test("Rules fit by type, by name, and by a field at the top under any alias, and ask for a caller who has enough")
  func access() throws {
    let bench = try bench()
    func fields(_ claims: String?) throws -> String? {
      try claims.map { "Authorization: Bearer \(try issuer.token($0))" }
    }
    for (document, claims, expected) in [
      ("{ a }", nil, "passed"), ("{ a }", "", "passed"),
      ("mutation { a }", nil, "token_missing"), ("mutation { a }", "", "scope_missing"),
      ("mutation { a }", ",\"scope\":\"write\"", "passed"),
      ("{ x: admin }", nil, "token_missing"), ("{ x: admin }", "", "claim_mismatch"),
      ("{ ... { ...F } } fragment F on Q { x: admin }", "", "claim_mismatch"),
      ("{ x: admin }", ",\"role\":\"boss\"", "passed"), ("{ a { admin } }", nil, "passed"),
      ("{ admin: a }", nil, "passed"), ("mutation { admin }", ",\"scope\":\"write\"", "claim_mismatch"),
      ("mutation { admin }", ",\"role\":\"boss\"", "scope_missing"),
      ("query Report { a }", ",\"scope\":\"all\"", "passed"), ("query Report { a }", "", "scope_missing"),
      ("query Other { a }", nil, "passed"),
    ] as [(String, String?, String)] {
      let field = try fields(claims)
      let request = field.map { post(query(document), $0) } ?? post(query(document))
      #expect(try verdict(bench, request) == expected, "\(document) \(claims ?? "")")
    }
    bench.expectNothingHeld()
  }

  @Test("The challenge of a refused caller names all scopes that the operation requires, those of the route first")
  func challenge() throws {
    let bench = try bench(auth: "{ issuers: [login], scopes: [api] }")
    let client = bench.connect()
    client.send(
      post(query("mutation Report { a }"), "Authorization: Bearer \(try issuer.token(",\"scope\":\"api\""))"))
    #expect(status(client.text) == 403)
    #expect(client.text.contains("error=\"insufficient_scope\", scope=\"api write reports all\""))
    bench.expectNothingHeld()
  }

  @Test("A caller who sends nothing is told the scopes of the operation, and those of no other one")
  func challengeOfNobody() throws {
    let bench = try bench(auth: "{ issuers: [login], scopes: [api], optional: true }")
    for (document, challenge) in [
      ("mutation Report { a }", "Bearer realm=\"catraca\", scope=\"api write reports all\""),
      ("mutation { a }", "Bearer realm=\"catraca\", scope=\"api write\""),
      // A rule on claims alone.
      ("{ admin }", "Bearer realm=\"catraca\", scope=\"api\""),
    ] {
      let client = bench.connect()
      client.send(post(query(document)))
      let answer = client.take()
      #expect(status(answer) == 401 && values("WWW-Authenticate", in: answer) == [challenge], "\(document) \(answer)")
    }
    // Refused before its document is read.
    let client = bench.connect()
    client.send(post(query("mutation Report { a }"), "Authorization: Bearer x"))
    #expect(!client.text.contains("scope="))
    bench.expectNothingHeld()
  }

  @Test("The named operation of several counts, and one that is not there is refused")
  func names() throws {
    let bench = try bench()
    let document = "query A { a } mutation B { b }"
    for (name, expected) in [
      ("\"A\"", "passed"), ("\"B\"", "token_missing"), ("\"C\"", "graphql_operation_unknown"),
      ("null", "graphql_operation_unknown"), ("\"\"", "graphql_operation_unknown"), ("1", "graphql_request_invalid"),
    ] {
      #expect(try verdict(bench, post(query(document, ",\"operationName\":\(name)"))) == expected, "\(name)")
    }
    bench.expectNothingHeld()
  }

  @Test("Introspection may require scopes, and lists may have as many requests as the route says, each of them good")
  func introspectionAndBatches() throws {
    let bench = try bench("introspection: { scopes: [schema] }, batch: 2, operations: []")
    let schema = query("{ __schema { a } }")
    #expect(try verdict(bench, post(schema)) == "token_missing")
    let bearer = "Authorization: Bearer \(try issuer.token(",\"scope\":\"schema\""))"
    #expect(try verdict(bench, post(schema, bearer)) == "passed")
    let good = query("{ a }")
    for (list, expected) in [
      ("[\(good)]", "passed"), ("[\(good),\(good)]", "passed"), ("[\(good),\(schema)]", "token_missing"),
      ("[\(good),\(good),\(good)]", "graphql_batch_too_large"), ("[]", "graphql_request_invalid"),
    ] {
      #expect(try verdict(bench, post(list)) == expected, "\(list)")
    }
    bench.expectNothingHeld()
  }

  @Test(
    "A body of another type, of two types, in another charset or compressed is refused, and a document alone passes")
  func types() throws {
    let bench = try bench()
    let text = query("{ a }")
    for (type, body, expected) in [
      ("application/graphql", "{ a }", "passed"), ("application/graphql", "{ a", "graphql_document_invalid"),
      ("APPLICATION/JSON ; charset=\"UTF-8\"", text, "passed"), ("text/plain", text, "graphql_media_type"),
      ("application/x-www-form-urlencoded", "query={a}", "graphql_media_type"),
      ("multipart/form-data; boundary=a", text, "graphql_media_type"),
      ("application/json; charset=utf-16", text, "graphql_media_type"),
      ("application/json, text/plain", text, "graphql_media_type"),
      ("application/json\r\nContent-Type: text/plain", text, "graphql_media_type"),
      ("application/json\r\nContent_Type: text/plain", text, "graphql_media_type"),
      ("application/json\r\nContent-Encoding: gzip", text, "graphql_media_type"), ("", text, "graphql_media_type"),
    ] {
      #expect(try verdict(bench, post(body, type: type)) == expected, "\(type)")
    }
    #expect(try verdict(bench, head("POST /graphql HTTP/1.1", "Host: h")) == "graphql_media_type")
    #expect(
      try verdict(bench, head("POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json"))
        == "graphql_request_invalid")
    bench.expectNothingHeld()
  }

  @Test("A GET has its document in the query, once, and no mutation")
  func get() throws {
    let bench = try bench()
    func get(_ target: String, method: String = "GET") -> String {
      head("\(method) /graphql\(target) HTTP/1.1", "Host: h")
    }
    for (target, expected) in [
      ("?query=%7B+a%20%7D", "passed"), ("?query=query+A%7Ba%7Dquery+B%7Bb%7D&operationName=B", "passed"),
      ("?query=%7Ba%7D&variables=%7B%7D&cache=1", "passed"), ("?query=mutation%7Ba%7D", "graphql_mutation_by_get"),
      ("?query=%7Ba%7D&query=%7Bb%7D", "graphql_request_invalid"),
      ("?query=%7Ba%7D&qu%65ry=%7Bb%7D", "graphql_request_invalid"),
      ("?query=%7Ba%7D&Query=%7Bb%7D", "graphql_request_invalid"),
      ("?query=%7Ba%7D&query[]=%7Bb%7D", "graphql_request_invalid"),
      ("?query=%7Ba%7D;query=%7Bb%7D", "graphql_request_invalid"),
      ("?query=%7Ba%7D&documentId=b", "graphql_request_invalid"), ("?query=%7Ba%7", "graphql_request_invalid"),
      ("", "graphql_request_invalid"), ("?query=", "graphql_document_invalid"),
      ("?query=%7Ba%7D&extensions=1", "graphql_request_invalid"), ("?query=%7B%FF%7D", "graphql_document_invalid"),
    ] {
      #expect(try verdict(bench, get(target)) == expected, "\(target)")
    }
    #expect(try verdict(bench, get("?query=%7Ba%7D", method: "HEAD")) == "status 405")
    #expect(try verdict(bench, get("", method: "DELETE")) == "graphql_method_not_allowed")
    #expect(try verdict(bench, get("", method: "OPTIONS")) == "passed")
    #expect(try verdict(bench, get("?query=%7Ba%7D", method: "OPTIONS")) == "graphql_method_not_allowed")
    let text = query("{ a }")
    for parameter in ["query=%7Ba%7D", "operationName=A", "Variables=1", "documentId=a"] {
      #expect(try verdict(bench, post(text, target: "/graphql?\(parameter)")) == "graphql_request_invalid")
    }
    #expect(try verdict(bench, post(text, target: "/graphql?cache=1")) == "passed")
    #expect(
      try verdict(
        bench, head("GET /graphql?query=%7Ba%7D HTTP/1.1", "Host: h", "Content-Length: 1") + "x")
        == "graphql_request_invalid")
    bench.expectNothingHeld()
  }

  @Test("A refusal has the form of GraphQL, with 200 for clients that take application/json alone")
  func form() throws {
    let bench = try bench()
    for (accept, isLegacy) in [
      (nil, false), ("*/*", false), ("application/graphql-response+json", false), ("application/json", true),
      ("application/json, application/graphql-response+json;q=0.5", false), ("text/event-stream", false),
    ] as [(String?, Bool)] {
      let fields = accept.map { "Accept: \($0)" }
      for (document, status) in [("{ a b c d }", isLegacy ? 200 : 400), ("mutation { a }", 401)] {
        let client = bench.connect()
        client.send(fields.map { post(query(document), $0) } ?? post(query(document)))
        #expect(ProxyTests.status(client.text) == status, "\(accept ?? "") \(document)")
        #expect(
          client.text.contains(
            "Content-Type: \(isLegacy ? "application/json" : "application/graphql-response+json")\r\n"))
        #expect(body(of: client.text).hasPrefix("{\"errors\":[{\"message\":\""))
        #expect(client.text.contains("WWW-Authenticate") == (status == 401))
        client.reset()
      }
    }
    #expect(bench.logLines[0].contains("\"reason\":\"graphql_too_many_root_fields\""))
    bench.expectNothingHeld()
  }

  @Test("A body beyond `body_size` is refused before it has come, one that stops after the body's timeout")
  func sizes() throws {
    let bench = try bench("body_size: 1KiB")
    let large = query("{ a(b: \\\"\(String(repeating: "x", count: 2000))\\\") }")
    #expect(try verdict(bench, post(large)) == "body_too_large")
    let chunked = bench.connect()
    chunked.send(
      head(
        "POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json", "Transfer-Encoding: chunked")
        + "300\r\n\(String(repeating: " ", count: 0x300))\r\n300\r\n\(String(repeating: " ", count: 0x300))\r\n")
    #expect(status(chunked.text) == 413)
    let slow = bench.connect()
    slow.send(
      head("POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json", "Content-Length: 100") + "{")
    bench.wait(.seconds(61))
    #expect(status(slow.text) == 408)
    let gone = bench.connect()
    gone.send(
      head("POST /graphql HTTP/1.1", "Host: h", "Content-Type: application/json", "Content-Length: 100") + "{")
    gone.reset()
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("Metrics have the names that the file knows, and count all others together")
  func metrics() throws {
    let bench = try bench()
    for name in ["Report", "Made", "Up", ""] {
      _ = try verdict(bench, post(query("query \(name) { a }")))
    }
    let counts = bench.worker.counters.copy().operationCounts
    let names = bench.snapshot.counterNames.operations
    #expect(names == ["Report"])
    #expect(counts.map { "\($0.operation.map { names[$0] } ?? "other") \($0.count)" } == ["other 3", "Report 1"])
    bench.expectNothingHeld()
  }
}
