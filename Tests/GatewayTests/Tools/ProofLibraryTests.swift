// Clients of somebody else's that prove to be the senders of their tokens: requests-oauth2client, which heeds nonces by
// itself, and pydpop, whose verifier agrees with ours.

import Cryptography
import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Proofs and libraries", .timeLimit(.minutes(10)))
struct ProofLibraryTests {
  /// Signs tokens with the key in a file, and calls the gateway at a URL by both libraries.
  private static let client = #"""
    import json, sys, time
    import jwskate, pydpop, requests
    from requests_oauth2client import DPoPKey, DPoPToken

    origin, issuer, algorithm = sys.argv[1:]
    signer = jwskate.Jwk(json.load(open("private.json")))

    def token(thumbprint):
        now = int(time.time())
        claims = {"iss": issuer, "aud": "api", "sub": "alice", "iat": now, "exp": now + 300, "cnf": {"jkt": thumbprint}}
        return str(jwskate.SignedJwt.sign(claims, key=signer, alg="ES256", extra_headers={"kid": "key-1"}))

    def show(name, answer):
        print(name, answer.status_code, "X-User: alice" in answer.text or answer.json()["code"])

    session = requests.Session()
    session.trust_env = False
    key = DPoPKey.generate(alg=algorithm)
    auth = DPoPToken(access_token=token(key.dpop_jkt), _dpop_key=key)
    show("get", session.get(origin + "/door?a=b", auth=auth))
    show("again", session.get(origin + "/door", auth=auth))
    show("post", session.post(origin + "/door", auth=auth, json={"a": 1}))
    print("nonce", bool(key.rs_nonce))
    show("bearer", session.get(origin + "/door", headers={"Authorization": "Bearer " + auth.access_token}))

    key = pydpop.generate_key()
    access = token(pydpop.jwk_thumbprint(pydpop.public_jwk(key)))
    nonce = None
    for name, method, url in [
        ("first", "GET", "/door"), ("second", "GET", "/door"), ("other", "POST", "/door"), ("path", "GET", "/doors"),
    ]:
        proof = pydpop.generate_proof(
            private_key=key, htm=method, htu=origin + url, access_token=access, nonce=nonce)
        answer = session.get(origin + "/door", headers={"Authorization": "DPoP " + access, "DPoP": proof})
        nonce = answer.headers.get("DPoP-Nonce", nonce)
        show(name, answer)
    """#

  private static let algorithms: [SignatureAlgorithm] = [.es256, .es512, .rs256, .ps384, .edDSA]

  @Test("requests-oauth2client and pydpop are let in, with nonces and without", .needsProofLibraries)
  func clients() async throws {
    let python = try #require(await PythonPackages.proofs.value)
    let key = try TestKey(.es256)
    let folder = try TemporaryFolder()
    try folder.write("client.py", Data(Self.client.utf8))
    let pem = try #require(key.signing.pem())
    try folder.write("private.pem", Data(pem))
    let converted = try await ChildProcess.run(
      python,
      [
        "-c",
        "import json, jwskate; json.dump(jwskate.Jwk.from_pem(open('private.pem').read()).to_dict(), open('private.json', 'w'))",
      ], in: folder.url)
    #expect(converted.status == 0, "\(converted.standardError)")
    for isNonceDemanded in [true, false] {
      let door = try await TokenDoor.start(
        jwks: [key.jwk()], rules: isNonceDemanded ? ["dpop: { nonce: true }"] : [],
        auth: "{ issuers: [login], proof: dpop }", route: ["identity: { headers: { X-User: sub } }"],
        top: isNonceDemanded ? "secrets: [0123456789abcdef0123456789abcdef]" : "")
      let origin = "http://127.0.0.1:\(door.gateway.port)"
      for algorithm in isNonceDemanded ? [.es256] : Self.algorithms {
        let ran = try await ChildProcess.run(
          python, ["client.py", origin, TokenDoor.issuer, algorithm.rawValue], in: folder.url)
        #expect(
          ran.standardOutput.split(separator: "\n") == [
            "get 200 True", "again 200 True", "post 200 True", isNonceDemanded ? "nonce True" : "nonce False",
            "bearer 401 proof_missing", isNonceDemanded ? "first 401 use_dpop_nonce" : "first 200 True",
            "second 200 True",
            "other 401 proof_invalid", "path 401 proof_invalid",
          ], "\(algorithm) \(ran.standardOutput) \(ran.standardError)")
      }
    }
  }
}
