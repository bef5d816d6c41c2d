// What logs, metrics and answers never say: T59.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct SecrecyTests {
  @Test(
    "T59 No token, in whatever place and whatever becomes of it, is in a log, a metric or an answer",
    arguments: [
      "json", "otel", "combined",
      "\"{time} {client_ip} {method} {host} {path} {status} {route} {reason} {referer} {user_agent} {subject}\"",
    ])
  func tokens(_ format: String) async throws {
    let key = try TestKey(.es256)
    let forger = try TestKey(.es256)
    let dead = try closedPort()
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json")
        + issuerConfiguration(name: "down", issuer: "down", jwks: "http://127.0.0.1:\(dead)/keys"),
      auth:
        "{ issuers: [login, down], tokens_from: [authorization, \"cookie:sid\", \"query:token\", \"header:X-Token\"] }",
      more: """
          - { path: /scoped, auth: { issuers: [login], scopes: [admin] }, upstream: echo }
          - { path: /old/*, auth: { issuers: [login], tokens_from: ["query:token"] }, redirect: { to: /new } }
          - { path: /open, auth: public, upstream: echo }
        """, top: "access_log: { path: stdout, format: \(format) }", files: ["keys.json": keySetText(key)])
    var tokens = [
      TokenDoor.token(key), TokenDoor.token(forger), TokenDoor.token(key, ["exp": 1]),
      TokenDoor.token(key, ["aud": "x"]),
      makeToken(issuer: "down", key: key), makeToken(issuer: "nobody", key: key),
      TokenDoor.token(key, header: ["alg": "none"]), TokenDoor.token(key, header: ["kid": "unknown-kid"]),
    ]
    tokens.append(TokenDoor.token(key) + "x")
    var count = 0
    for token in tokens {
      let client = try await door.gateway.connect()
      for (path, fields) in [
        ("/door", ["Authorization: Bearer \(token)"]), ("/door", ["Authorization: bearer   \(token)"]),
        ("/door", ["Cookie: a=b; sid=\(token)"]), ("/door?a=b&token=\(token)", []), ("/door", ["X-Token: \(token)"]),
        ("/scoped", ["Authorization: Bearer \(token)"]), ("/old/x?token=\(token)&a=b", []),
        ("/none?token=\(token)", []),
        ("/open?token=\(token)", ["Referer: https://example.com/?token=\(token)"]),
        ("/door", ["Authorization: Bearer \(token)", "Authorization: Bearer \(token)"]),
      ] {
        let response = try await client.get(path, fields)
        count += 1
        if response.status != 200 {
          #expect(!latin1(response.head.bytes).contains(token), "\(path)")
          #expect(!response.text.contains(token), "\(path)")
        }
      }
      // A head that is refused before its target or its token is understood.
      _ = try await door.gateway.exchange(
        "GET /door?token=\(token) HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer \(token)\r\n\r\n")
      _ = try await door.gateway.get("/door/%zz?token=\(token)", ["Authorization: Bearer \(token)"])
      count += 2
    }
    _ = try await door.gateway.waitForAccessLog(count)
    let metrics = try await door.gateway.admin("/metrics").text
    let status = try await door.gateway.admin("/status").text
    try door.gateway.write(configuration: "nothing: here")
    _ = try await door.gateway.reload()
    door.gateway.terminate()
    #expect(try await door.gateway.waitForExit() == 0)
    let everything = (door.gateway.accessLog + door.gateway.standardError + [metrics, status]).joined(separator: "\n")
    for token in tokens {
      for part in token.split(separator: ".") where part.count > 40 {
        #expect(!everything.contains(part), "\(part)")
      }
    }
    #expect(door.gateway.accessLog.count == count)
  }
}
