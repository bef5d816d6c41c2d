// Which route takes a request: host, path, segments, methods, header values. And what is said when none does.

import TestSupport
import Testing

@Suite("Routing")
struct RoutingTests {
  private static func respond(_ text: String, _ keys: String) -> String {
    "  - { name: \"\(text)\", auth: public, respond: { status: 200, body: \"\(text)\" }, \(keys) }\n"
  }

  @Test("The most specific host, then the most specific path wins, whatever the order in the file")
  func specificity() async throws {
    let gateway = try await GatewayProcess.start(
      "routes:\n" + Self.respond("any", "path: \"/*\"") + Self.respond("wild", "host: \"*.example.com\", path: \"/*\"")
        + Self.respond("deep", "host: \"*.eu.example.com\", path: \"/*\"")
        + Self.respond("api", "host: api.example.com, path: \"/*\"")
        + Self.respond("segment", "host: api.example.com, path: \"/users/{id}\"")
        + Self.respond("me", "host: api.example.com, path: /users/me")
        + Self.respond("below", "host: api.example.com, path: \"/users/*\""))
    let client = try await gateway.connect()
    let cases = [
      ("other.test", "/", "any"), ("example.com", "/", "any"), ("a.example.com", "/", "wild"),
      ("a.b.example.com:8080", "/x", "wild"), ("a.eu.example.com", "/", "deep"), ("API.Example.COM", "/", "api"),
      ("api.example.com", "/users/7", "segment"), ("api.example.com", "/users/me", "me"),
      ("api.example.com", "/users/m%65", "me"), ("api.example.com", "/users/7/x", "below"),
      ("api.example.com:443", "/users", "below"), ("a.example.com", "/users/me", "wild"),
    ]
    for (host, path, expected) in cases {
      let response = try await client.exchange("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      #expect(response.text == expected, "\(host)\(path)")
    }
  }

  @Test("A method that no route of the path takes gets 405 with Allow")
  func methods() async throws {
    let gateway = try await GatewayProcess.start(
      "routes:\n" + Self.respond("read", "path: /items, methods: [GET, HEAD]")
        + Self.respond("write", "path: /items, methods: [POST]"))
    let client = try await gateway.connect()
    #expect(try await client.get("/items").text == "read")
    #expect(
      try await client.exchange("POST /items HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n").text == "write")
    let refused = try await client.get("/items", method: "DELETE")
    #expect(refused.status == 405)
    #expect(refused.code == "method_not_allowed")
    let allowed = Set((refused["Allow"] ?? "").split(separator: ",").map { $0.filter { $0 != " " } })
    #expect(allowed == ["GET", "HEAD", "POST"])
    #expect(try await client.get("/other").status == 404)
  }

  @Test("Header values choose among routes of one path")
  func headers() async throws {
    let gateway = try await GatewayProcess.start(
      "routes:\n" + Self.respond("one", "path: /v") + Self.respond("two", "path: /v, headers: { X-Version: \"2\" }"))
    let client = try await gateway.connect()
    #expect(try await client.get("/v").text == "one")
    #expect(try await client.get("/v", ["x-version: 2"]).text == "two")
    #expect(try await client.get("/v", ["X-Version: 22"]).text == "one")
  }
}
