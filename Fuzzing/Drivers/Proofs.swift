// Proofs of a token's sender: what is good was signed by the key of the token, and a plainer reading finds the same.

import Bytes
import Cryptography
import JSON
import Tokens

private let now: Int64 = 1_700_000_000
private let token = Array("opaque".utf8)

/// Made once: the key of the sender, and a caller whose token is bound to it.
private struct ProofWorld: @unchecked Sendable {
  let key: SigningKey
  let rules: IssuerRules

  init() throws {
    key = try SigningKey(pem: Array(senderKey.utf8))
    var policy = IssuerPolicy(issuer: "i", audiences: [])
    policy.requiredClaims = []
    rules = IssuerRules(policy)
  }

  /// One that has seen no proof.
  func caller() throws -> Caller {
    let thumbprint = String(
      decoding: Base64URL.encode(Thumbprint.make(key.publicKey.components).span), as: UTF8.self)
    let claims = try JSONDocument(Array("{\"cnf\":{\"jkt\":\"\(thumbprint)\"}}".utf8))
    let verdict = Statement(claims: claims, freshUntil: .max)
      .verdict(on: token.span, from: .introspection(issuer: 0), issuers: [rules], now: now)
    guard case .caller(let caller) = verdict else { throw Fault("no caller") }
    return caller
  }
}

private let world = Result { try ProofWorld() }

@_cdecl("fuzz_proofs")
func libFuzzProofs(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 { unsafe libFuzzer(bytes, count, fuzzProofs) }

/// A first byte of 0 is in front of a proof. Else the header and, behind a line feed, the payload follow, and are
/// signed here.
func fuzzProofs(_ input: [UInt8]) throws {
  let world = try world.get()
  guard let first = input.first else { return }
  let rest = Array(input.dropFirst())
  if first == 0 {
    // Nobody else can sign.
    return try expect(try outcome(rest, try world.caller(), world) == nil, "a proof that nobody signed")
  }
  let lineFeed = rest.firstIndex(of: 0x0A) ?? rest.count
  let header = Array(rest[..<lineFeed])
  let payload = Array(rest[lineFeed...].dropFirst())
  let proof = try unwrap(
    encodeCompact(header: header, payload: payload, key: world.key, scheme: SignatureAlgorithm.edDSA.scheme),
    "cannot sign")
  let caller = try world.caller()
  let checked = try outcome(proof, caller, world)
  // With the key that was kept, and without.
  let again = try outcome(proof, caller, world)
  try expect(checked?.identity == again?.identity, "another verdict the second time")
  guard let checked else { return }
  try checkMembers(header, payload, checked, world)
}

private func outcome(_ proof: [UInt8], _ caller: Caller, _ world: ProofWorld) throws -> CheckedProof? {
  do throws(ProofStep) {
    return try ProofCheck.check(proof.span, of: caller, method: "GET".utf8.span, rules: world.rules, now: now)
  } catch {
    return nil
  }
}

/// The members once more.
private func checkMembers(_ header: [UInt8], _ payload: [UInt8], _ checked: CheckedProof, _ world: ProofWorld) throws {
  let head = try JSONDocument(header)
  let claims = try JSONDocument(payload)
  func text(_ document: JSONDocument, _ name: String) -> String? {
    document.member(name, of: document.root).flatMap { document.string(at: $0) }
  }
  try expect(text(head, "typ") == "dpop+jwt", "another type")
  try expect(text(head, "alg") == "EdDSA" || text(head, "alg") == "Ed25519", "an algorithm that did not sign")
  try expect(head.member("crit", of: head.root) == nil, "crit is not heeded")
  let jwk = try unwrap(head.member("jwk", of: head.root), "no key")
  for name in ["d", "k", "p", "q"] { try expect(head.member(name, of: jwk) == nil, "a private key") }
  try expect(text(claims, "htm") == "GET", "another method")
  try expect(text(claims, "htu").map { Array($0.utf8) } == checked.target, "another URL")
  try expect(text(claims, "jti")?.isEmpty == false, "no jti")
  let digest = String(decoding: Base64URL.encode(SHA256.digest(token.span).span), as: UTF8.self)
  try expect(text(claims, "ath") == digest, "for another token")
  let node = try unwrap(claims.member("iat", of: claims.root), "no time")
  let time = try unwrap(Double(String(decoding: claims.bytes[claims.rawRange(of: node)], as: UTF8.self)), "no number")
  try expect(time > Double(now - 92) && time < Double(now + 31), "of another time")
  try expect(checked.endsAt > now, "to be forgotten before its end")
}

/// Signs nothing but what is here.
private let senderKey = """
  -----BEGIN PRIVATE KEY-----
  MC4CAQAwBQYDK2VwBCIEIL10ayTU3tH9e53/bXpgglhKOaQdPo5lccHo0MJg0qYx
  -----END PRIVATE KEY-----
  """
