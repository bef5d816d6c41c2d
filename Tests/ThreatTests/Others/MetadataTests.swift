// What clients are told of the way in comes from the file: T115.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct MetadataTests {
  @Test("T115 Resource metadata and the challenges that lead to it are the same whatever host a client claims")
  func hosts() async throws {
    let key = try TestKey()
    let resource = "https://api.example.com/door"
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], scopes: [a, b], resource: \"\(resource)\" }",
      top: "trusted_proxies: [127.0.0.1/32]")
    let metadata = "https://api.example.com/.well-known/oauth-protected-resource/door"
    let lines = [
      ["Host: api.example.com"], ["Host: evil.example.net"], ["Host: evil.example.net:81"],
      ["Host: a", "X-Forwarded-Host: evil.example.net", "X-Forwarded-Proto: http", "X-Forwarded-Port: 81"],
      ["Host: a", "Forwarded: host=\"evil.example.net\";proto=http"], ["Host: a", "X-Original-Host: evil.example.net"],
    ]
    var bodies: Set<String> = []
    for fields in lines {
      let head = fields.map { $0 + "\r\n" }.joined()
      let found = try await door.gateway.exchange(
        "GET /.well-known/oauth-protected-resource/door HTTP/1.1\r\n\(head)\r\n")
      #expect(found.status == 200 && found["Access-Control-Allow-Origin"] == "*")
      bodies.insert(found.text)
      let refused = try await door.gateway.exchange("GET /door HTTP/1.1\r\n\(head)\r\n")
      #expect(
        refused["WWW-Authenticate"]
          == "Bearer realm=\"catraca\", scope=\"a b\", resource_metadata=\"\(metadata)\"")
    }
    #expect(bodies.count == 1)
    #expect(bodies.first?.contains("\"resource\": \"\(resource)\"") == true)
    #expect(bodies.first?.contains("evil") == false)
    // A document of no resource is not made up.
    for path in ["", "/", "/door/", "/door/x", "/other"] {
      #expect(try await door.gateway.get("/.well-known/oauth-protected-resource\(path)").code == "route_not_found")
    }
  }
}
