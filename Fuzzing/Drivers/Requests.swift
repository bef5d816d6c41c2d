// Requests through the whole data plane: what reaches a server carries no credential that was not verified, and says of
// the client what the gateway knows and not what the client wrote.

import Bytes
import Configuration
import Proxy

/// Where a token may be, with names that more than one reader takes apart in more than one way.
private let credentialText = """
  listeners: [{ address: 127.0.0.1:0 }]
  limits: { token_cache: 64KiB }
  access_log: { format: json }
  upstreams: { app: { servers: [10.0.0.1:1] } }
  issuers: { login: { issuer: i, audiences: [a], jwks: { keys: [{ kty: OKP, crv: Ed25519,
    x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] } } }
  routes:
  - path: /*
    upstream: app
    auth: { issuers: [login], optional: true, tokens_from: [authorization, "cookie:sess", "query:access_token",
      "header:X-Token"] }
    identity: { headers: { X-User-Id: sub } }
  """

private let credentialSnapshot = FuzzGateway.snapshot(credentialText)

@_cdecl("fuzz_credentials")
func libFuzzCredentials(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzCredentials)
}

/// The input's lines are the query, and then field lines without their CR.
func fuzzCredentials(_ input: [UInt8]) throws {
  let gateway = FuzzGateway(try credentialSnapshot.get())
  let lines = input.split(separator: 0x0A, maxSplits: 24, omittingEmptySubsequences: false)
  var request = Array("GET /?".utf8) + (lines.first ?? []) + Array(" HTTP/1.1\r\nHost: h\r\n".utf8)
  for line in lines.dropFirst() { request += line + [0x0D, 0x0A] }
  let client = gateway.connect(from: "192.0.2.7")
  gateway.send(request + [0x0D, 0x0A], on: client)
  try checkLog(gateway)
  for server in gateway.servers where !server.received.isEmpty { try checkNoCredential(server.received) }
  try gateway.endAll()
}

/// No reader finds a token where the route looks for one, however it takes names and lists apart.
private func checkNoCredential(_ head: [UInt8]) throws {
  let lines = head.split(separator: 0x0A)
  let target = (lines.first ?? []).split(separator: 0x20).dropFirst().first ?? []
  try checkQuery(of: target, "the query carries a token on")
  for line in lines.dropFirst() {
    guard let colon = line.firstIndex(of: 0x3A) else { continue }
    let name = line[..<colon].map { isWord($0) ? $0 | 0x20 : 0x2D }
    let value = trimmed(line[(colon + 1)...])
    switch String(decoding: name, as: UTF8.self) {
    case "referer": try checkQuery(of: value, "Referer carries a token on")
    case "x-token": throw Fault("X-Token goes on")
    case "x-user-id": throw Fault("a client says who it is")
    case "authorization":
      let scheme = String(decoding: value.prefix(while: isWord), as: UTF8.self).lowercased()
      try expect(scheme != "bearer", "Authorization carries a token on")
    case "cookie":
      for pair in value.split(whereSeparator: { $0 == 0x3B || $0 == 0x2C }) {
        let name = decoded(Array(trimmed(pair.prefix { $0 != 0x3D })))
        try expect(name != Array("sess".utf8), "a cookie carries a token on")
      }
    default: break
    }
  }
}

private func checkQuery(of url: ArraySlice<UInt8>, _ fault: String) throws {
  guard let query = url.firstIndex(of: 0x3F) else { return }
  for pair in url[(query + 1)...].split(whereSeparator: { $0 == 0x26 || $0 == 0x3B }) {
    try expect(decoded(Array(pair.prefix { $0 != 0x3D })) != Array("access_token".utf8), fault)
  }
}

// MARK: Forwarded fields

private let forwardedText = """
  listeners: [{ address: 127.0.0.1:0 }]
  trusted_proxies: [10.0.0.0/8, "fd00::/8"]
  limits: { token_cache: 64KiB }
  access_log: { format: json }
  upstreams: { app: { servers: [10.0.0.1:1] } }
  routes:
  - { path: /*, auth: public, upstream: app, maintenance: { allow: [203.0.113.0/24] } }
  - { path: /open, auth: public, upstream: app }
  """

private let forwardedSnapshot = FuzzGateway.snapshot(forwardedText)

private let forwardedNames = [
  "X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP",
  "X-Original-URL", "X-HTTP-Method-Override",
]

@_cdecl("fuzz_forwarded_fields")
func libFuzzForwardedFields(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzForwardedFields)
}

/// The input's lines are values of fields, each behind a byte that says of which.
func fuzzForwardedFields(_ input: [UInt8]) throws {
  var fields: [UInt8] = []
  for line in input.split(separator: 0x0A).prefix(16) {
    let name = forwardedNames[Int(line[line.startIndex]) % forwardedNames.count]
    fields += Array("\(name): ".utf8) + line.dropFirst() + [0x0D, 0x0A]
  }
  for (peer, isTrusted) in [("192.0.2.7", false), ("10.9.8.7", true)] {
    let open = try ask("/open", fields, from: peer)
    if !open.isEmpty {
      let addresses = values(of: "x-forwarded-for", open)
      try expect(addresses.count == 1, "X-Forwarded-For stands \(addresses.count) times")
      try expect(addresses[0].hasSuffix(peer), "the peer is not the last one: \(addresses[0])")
      if !isTrusted {
        try expect(addresses[0] == peer, "a stranger's word counts: \(addresses[0])")
        try expect(values(of: "x-forwarded-proto", open) == ["http"], "a stranger says the scheme")
        for name in forwardedNames where !name.hasPrefix("X-Forwarded-") {
          try expect(values(of: name.lowercased(), open).isEmpty, "a stranger's \(name) goes on")
        }
      }
    }
    // Whom the list lets through is named in the fields, by a peer that is believed.
    if !(try ask("/", fields, from: peer)).isEmpty {
      let text = String(decoding: fields.filter { $0 != 0x5C }, as: UTF8.self).lowercased()
      try expect(isTrusted, "a stranger is let through")
      try expect(text.contains("203.0.113.") || text.contains("cb00:71"), "nobody on the list is let through")
    }
  }
}

/// What the server gets. Empty where it gets nothing.
private func ask(_ path: String, _ fields: [UInt8], from peer: String) throws -> [UInt8] {
  let gateway = FuzzGateway(try forwardedSnapshot.get())
  let client = gateway.connect(from: peer)
  gateway.send(Array("GET \(path) HTTP/1.1\r\nHost: h\r\n".utf8) + fields + [0x0D, 0x0A], on: client)
  try checkLog(gateway)
  let head = gateway.servers.first?.received ?? []
  try gateway.endAll()
  return head
}
