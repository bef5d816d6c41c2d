// Tokens: what is verified was signed, says what is asked of it, and is remembered for no longer than it is good.

import Bytes
import Cryptography
import JSON
import Tokens

private let now: Int64 = 1_700_000_000
private let leeway: Int64 = 30

/// Made once: the keys, and the one token that was signed with the one that no input can sign with.
private struct TokenWorld: @unchecked Sendable {
  let secret: SigningKey
  let keys: KeySet
  let goodToken: [UInt8]
  let rules: IssuerRules

  init() throws {
    secret = try SigningKey(secret: Array("a secret of the fuzzers, thirty-two bytes and more".utf8))
    let signer = try SigningKey(pem: Array(testKey.utf8))
    let set = KeySetWriter.encode([
      (id: "e", key: signer.publicKey, algorithm: nil), (id: "s", key: secret.publicKey, algorithm: .hs256),
    ])
    keys = try KeySet.parse(set.span, algorithms: [.edDSA, .hs256])
    goodToken = try unwrap(
      encodeCompact(
        algorithm: .edDSA, header: #""kid":"e""#, payload: #"{"iss":"i","aud":"a","exp":1700001000}"#, key: signer),
      "no token")
    var policy = IssuerPolicy(issuer: "i", audiences: ["a"])
    policy.algorithms = [.edDSA, .hs256]
    policy.leewaySeconds = leeway
    rules = IssuerRules(policy)
  }
}

private let world = Result { try TokenWorld() }

@_cdecl("fuzz_tokens")
func libFuzzTokens(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 { unsafe libFuzzer(bytes, count, fuzzTokens) }

/// A first byte of 0 is in front of a token. Else the header and, behind a line feed, the payload follow, and are
/// signed here.
func fuzzTokens(_ input: [UInt8]) throws {
  let world = try world.get()
  guard let first = input.first else { return }
  let rest = Array(input.dropFirst())
  try checkBase64URL(rest)
  if first == 0 { return try verify(rest, world) }
  let lineFeed = rest.firstIndex(of: 0x0A) ?? rest.count
  let header = Array(rest[..<lineFeed])
  let payload = Array(rest[lineFeed...].dropFirst())
  let token = try unwrap(
    encodeCompact(header: header, payload: payload, key: world.secret, scheme: SignatureAlgorithm.hs256.scheme),
    "cannot sign")
  try verify(token, world, header: header, payload: payload)
}

private func verify(_ bytes: [UInt8], _ world: TokenWorld, header: [UInt8]? = nil, payload: [UInt8]? = nil) throws {
  let verifier = TokenVerifier(tokenByteCountMax: 8192)
  let outcome = verifier.verify(bytes.span, candidates: [0], issuers: [world.rules], keySets: [world.keys], now: now)
  guard case .caller(let token) = outcome else {
    if case .refused(let refusal, _, let subject) = outcome {
      try expect(subject == nil || header != nil, "a subject that nobody signed")
      let again = verifier.verify(
        bytes.span, candidates: [0], issuers: [world.rules], keySets: [world.keys], now: now)
      if case .refused(refusal, _, subject) = again { return }
      throw Fault("refused for another reason the second time")
    }
    return
  }
  if let header, let payload {
    try checkClaims(header, payload, token)
  } else {
    try expect(bytes == world.goodToken, "a token that nobody signed")
  }
  let cache = TokenCache(byteCountMax: 1 << 16)
  cache.insert(token, now: now)
  for time in [now, token.expiresAt - 1, token.expiresAt] where time >= now {
    let found = cache.lookUp(bytes.span, candidates: [0], keySets: [world.keys], now: time) != nil
    try expect(!found || time < token.expiresAt, "remembered beyond its end")
  }
  try expect(cache.lookUp(bytes.span, candidates: [1], keySets: [nil, nil], now: now) == nil, "another issuer's token")
  _ = token.hasScopes([Array("a".utf8), Array("b".utf8)])
  _ = token.claim(ClaimPath("a.b.c"))
}

/// The claims once more.
private func checkClaims(_ header: [UInt8], _ payload: [UInt8], _ token: Caller) throws {
  let head = try JSONDocument(header)
  let claims = try JSONDocument(payload)
  func member(_ name: String) -> JSONDocument.Index? { claims.member(name, of: claims.root) }
  func isText(_ node: JSONDocument.Index?, _ text: String) -> Bool {
    node.map { claims.stringEquals($0, Array(text.utf8).span) } ?? false
  }
  func number(_ node: JSONDocument.Index) -> Double? {
    Double(String(decoding: claims.bytes[claims.rawRange(of: node)], as: UTF8.self))
  }
  let algorithm = head.member("alg", of: head.root).flatMap { head.string(at: $0) }
  try expect(algorithm == "HS256", "an algorithm that it was not signed with")
  try expect(head.member("crit", of: head.root) == nil, "crit is not heeded")
  try expect(isText(member("iss"), "i"), "another issuer's")
  let audience = member("aud")
  try expect(
    isText(audience, "a") || audience.map { claims.elements(of: $0).contains { isText($0, "a") } } ?? false,
    "for somebody else")
  let end = try unwrap(member("exp").flatMap(number), "without an end")
  try expect(end + Double(leeway) > Double(now), "past its end")
  try expect(Double(token.expiresAt) <= end + Double(leeway) + 1, "good for longer than it says")
  if let node = member("nbf") {
    try expect(try unwrap(number(node), "nbf is no time") <= Double(now + leeway), "before its begin")
  }
}

/// Each text encodes one run of bytes, and each run of bytes has one text.
private func checkBase64URL(_ bytes: [UInt8]) throws {
  try expect(Base64URL.decode(Base64URL.encode(bytes.span).span) == bytes, "base64url does not come back")
  if let decoded = Base64URL.decode(bytes.span) {
    try expect(Base64URL.encode(decoded.span) == bytes, "two texts for the same bytes")
  }
}

/// Signs nothing but the token above.
private let testKey = """
  -----BEGIN PRIVATE KEY-----
  MC4CAQAwBQYDK2VwBCIEIL10ayTU3tH9e53/bXpgglhKOaQdPo5lccHo0MJg0qYx
  -----END PRIVATE KEY-----
  """
