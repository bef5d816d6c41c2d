// What a client can make long.

import Configuration
import Cryptography
import Tokens

private let routes = """
  trusted_proxies: [192.0.2.0/24]
  issuers: { login: { issuer: i, audiences: [a], jwks: { keys: [{ kty: OKP, crv: Ed25519, kid: k, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] } } }
  routes:
    - path: /*
      auth: { issuers: [login], optional: true, tokens_from: [authorization, "cookie:session", "query:token", "header:X-Token"] }
      identity: { headers: { X-User-Id: sub }, strip: [X-Auth-*, X-Internal] }
      request_headers: { set: { X-Env: prod }, remove: [X-One, X-Two] }
      rate_limit: { requests: 1000000, per: 1s, by: "cookie:rate" }
      cors: { origins: ["https://app.example"], headers: ["*"] }
      compress: true
      websocket: true
      upstream: app
  """

private func request(_ make: @escaping (Int) -> [UInt8]) -> (Int) throws -> () throws -> String {
  { size in
    let plane = try Plane(routes)
    let bytes = make(size)
    return { plane.exchange(bytes, answer) }
  }
}

private func list(_ size: Int, _ element: (Int) -> String) -> String { (0..<size).map(element).joined(separator: ", ") }

/// Fields that are lists, with an element of each.
private let lists: [(String, @Sendable (Int) -> String)] = [
  ("Accept-Encoding", { "x\($0);q=0.1" }), ("TE", { "x\($0)" }), ("Cache-Control", { "x\($0)" }),
  ("If-None-Match", { "W/\"\($0)\"" }), ("Accept", { "x/\($0)" }), ("X-Forwarded-For", { "192.0.2.\($0 % 250)" }),
  ("Forwarded", { "for=192.0.2.\($0 % 250)" }), ("Via", { "1.1 x\($0)" }), ("Keep-Alive", { "x\($0)" }),
  ("Trailer", { "x\($0)" }), ("tracestate", { "x\($0)=1" }), ("Vary", { "x\($0)" }),
  ("X-Forwarded-Proto", { "x\($0)" }),
  ("Sec-WebSocket-Protocol", { "x\($0)" }),
]

var requestCases: [WorkCase] {
  lists.map { name, element in
    WorkCase("\(name) with many elements", from: 400, request { get(["\(name): \(list($0, element))"]) })
  }
    + lists.map { name, element in
      WorkCase("many lines of \(name)", request { size in get((0..<size).map { "\(name): \(element($0))" }) })
    }
    + [
      WorkCase(
        "Connection and what it names", from: 8,
        request { size in
          get(["Connection: \(list(size) { "X-\($0)" })"] + (0..<size).map { "X-\($0): 1" })
        }),
      WorkCase(
        "Connection with too many names", from: 1000,
        request { size in
          get(["Connection: \(list(size) { "X-\($0)" })"] + (0..<90).map { "X-\($0): 1" })
        }),
      WorkCase("many fields", request { size in get((0..<size).map { "X-Field-\($0): some value" }) }),
      WorkCase("many spellings of removed fields", request { size in get((0..<size).map { "X~Auth_\($0): x" }) }),
      WorkCase("many lines of grpc-timeout", request { size in get((0..<size).map { _ in "grpc-timeout: 1S" }) }),
      WorkCase(
        "many lines of traceparent",
        request { size in
          get((0..<size).flatMap { ["traceparent: 00-\($0)", "tracestate: a=b"] })
        }),
      WorkCase(
        "many cookies in one line", from: 400,
        request { size in
          get(["Cookie: " + (0..<size).map { "c\($0)=\($0)" }.joined(separator: "; ")])
        }),
      WorkCase("many lines of cookies", request { size in get((0..<size).map { "Cookie: a\($0)=1; b=2" }) }),
      WorkCase(
        "many parameters of the query", from: 400,
        request { size in
          get([], "/?" + (0..<size).map { "p\($0)=%20\($0)" }.joined(separator: "&"))
        }),
      WorkCase(
        "many segments of the path", from: 60,
        request { size in
          get([], (0..<size).map { "/s\($0);p=1" }.joined())
        }),
      WorkCase(
        "dot segments of the path", from: 60,
        request { size in
          get([], String(repeating: "/a", count: size) + String(repeating: "/..", count: size) + "/b")
        }),
      WorkCase(
        "a long segment with escapes", from: 1000,
        request { size in
          get([], "/" + String(repeating: "%C3%A9a", count: size))
        }),
      WorkCase(
        "doubly escaped segments", from: 60,
        request { size in
          get([], String(repeating: "/%25zz", count: size))
        }),
      WorkCase(
        "requests one behind the other",
        request { size in
          Array(repeating: get([], "/%00"), count: size).flatMap { $0 }
        }),
      WorkCase(
        "chunks of a byte", from: 200,
        request { size in
          let body = Array((String(repeating: "1\r\na\r\n", count: size) + "0\r\n\r\n").utf8)
          return head("POST / HTTP/1.1", ["Host: h", "Transfer-Encoding: chunked"]) + body
        }),
      WorkCase(
        "chunk extensions",
        request { size in
          let body = Array((String(repeating: "1;a=b;c=\"d\"\r\na\r\n", count: size) + "0\r\n\r\n").utf8)
          return head("POST / HTTP/1.1", ["Host: h", "Transfer-Encoding: chunked"]) + body
        }),
      WorkCase(
        "trailers",
        request { size in
          let lines = (0..<size).map { "X-\($0): 1\r\n" }.joined()
          return head("POST / HTTP/1.1", ["Host: h", "Transfer-Encoding: chunked"]) + Array("0\r\n\(lines)\r\n".utf8)
        }),
      WorkCase(
        "a preflight for many fields", from: 400,
        request { size in
          head(
            "OPTIONS / HTTP/1.1",
            [
              "Host: h", "Origin: https://app.example", "Access-Control-Request-Method: GET",
              "Access-Control-Request-Headers: \(list(size) { "x-\($0)" })",
            ])
        }),
      WorkCase("a head that comes a byte at a time") { size in
        let plane = try Plane(routes)
        let bytes = get((0..<size / 4).map { "X-\($0): 1" })
        return {
          for byte in bytes.dropLast() { _ = plane.exchange([byte]) }
          return plane.exchange([0x0A], answer)
        }
      },
      WorkCase("origins of a CORS rule", from: 50) { size in
        let origins = (0..<size).map { "\"https://o\($0 + 1000).example\"" }.joined(separator: ", ")
        let plane = try Plane("routes: [{ path: /*, auth: public, upstream: app, cors: { origins: [\(origins)] } }]")
        return { plane.exchange(get(["Origin: https://o\(size + 999).example"]), answer) }
      },
      WorkCase("routes of a file", from: 50) { size in
        let lines = (0..<size).map { "  - { path: /r\($0)/*, auth: public, upstream: app }\n" }.joined()
        let plane = try Plane("routes:\n\(lines)")
        return { plane.exchange(get([], "/r\(size - 1)/x"), answer) }
      },
      WorkCase("words of a token's scope") { size in
        let (plane, token) = try guarded("\"scope\":\"\((0..<size).map { "s\($0)" }.joined(separator: " ")) w1 w2 w3\"")
        return { plane.exchange(get(["Authorization: Bearer \(token)"]), answer) }
      },
      WorkCase("scopes of a token as a list") { size in
        let (plane, token) = try guarded(
          "\"scp\":[\((0..<size).map { "\"s\($0)\"" }.joined(separator: ",")),\"w1\",\"w2\",\"w3\"]")
        return { plane.exchange(get(["Authorization: Bearer \(token)"]), answer) }
      },
      WorkCase("claims of a token") { size in
        let (plane, token) = try guarded("\"scope\":\"w1 w2 w3\"" + (0..<size).map { ",\"c\($0)\":\($0)" }.joined())
        return { plane.exchange(get(["Authorization: Bearer \(token)"]), answer) }
      },
    ]
}

/// A route that requires three scopes, and a token with these claims.
private func guarded(_ claims: String) throws -> (Plane, String) {
  let key = try SigningKey.generate(.edwards(.ed25519))
  let keys = KeySetWriter.encode([(id: "k", key: key.publicKey, algorithm: nil)])
  let text = """
    issuers: { login: { issuer: i, audiences: [a], jwks: \(String(decoding: keys, as: UTF8.self)) } }
    routes:
      - path: /*
        auth: { issuers: [login], scopes: [w1, w2, w3] }
        identity: { headers: { X-User-Id: sub, X-Scope: scope } }
        upstream: app
    """
  let payload = "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"exp\":1700003600,\(claims)}"
  guard let token = encodeCompact(algorithm: .edDSA, header: "\"kid\":\"k\"", payload: payload, key: key) else {
    throw CaseFailure(description: "no token")
  }
  let set = try KeySet.parse(keys.span, algorithms: [.edDSA])
  return (try Plane(text, keySets: [set]), String(decoding: token, as: UTF8.self))
}
