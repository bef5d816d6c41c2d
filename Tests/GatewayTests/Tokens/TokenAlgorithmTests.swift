// Tokens of every algorithm pass, and forged ones of every algorithm do not.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Tokens of every algorithm", .timeLimit(.minutes(10)))
struct TokenAlgorithmTests {
  @Test("A token of each algorithm passes, fresh and remembered. One by another key of its kind does not")
  func everyAlgorithm() async throws {
    var keys = try SignatureAlgorithm.allCases.map { try TestKey($0, id: $0.rawValue) }
    // EdDSA covers both curves.
    let ed448 = try TestKey(.ed448, id: "EdDSA-448")
    keys.append(TestKey(.edDSA, id: "EdDSA-448", signing: ed448.signing))
    let names = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
    let door = try await TokenDoor.start(jwks: keys.map { $0.jwk() }, rules: ["algorithms: [\(names)]"])
    let tokens = keys.map { TokenDoor.token($0) }
    #expect(try await door.verdicts(tokens + tokens) == (tokens + tokens).map { _ in "passed" })
    let metrics = try await door.gateway.metrics()
    #expect(metrics.sum("catraca_token_cache_total", ["result": "hit"]) == Double(keys.count))
    for algorithm in SignatureAlgorithm.allCases {
      let count = metrics.sum("catraca_token_verify_seconds_count", ["algorithm": algorithm.rawValue])
      #expect(count == (algorithm == .edDSA ? 2 : 1), "\(algorithm)")
    }
    let forged = try keys.map { key in
      TokenDoor.token(TestKey(key.algorithm, id: key.id, signing: try TestKey(key.algorithm).signing))
    }
    let verdicts = try await door.verdicts(forged)
    for (key, verdict) in zip(keys, verdicts) {
      // A key of the other curve does not fit the name at all.
      #expect(["signature_invalid"].contains(verdict), "\(key.id ?? "")")
    }
  }

  @Test("HS algorithms count only where they are named, and RSA keys of 3072 and 4096 bits work")
  func namedOnly() async throws {
    let secret = try TestKey(.hs512, id: "secret")
    let elliptic = try TestKey(.es384, id: "ec")
    let quiet = try await TokenDoor.start(jwks: [elliptic.jwk(), secret.jwk()])
    #expect(
      try await quiet.verdicts([TokenDoor.token(elliptic), TokenDoor.token(secret)])
        == ["passed", "algorithm_not_allowed"])
    // What cannot be used is reported at the start.
    #expect(quiet.gateway.standardError.contains { $0.contains("gateway.conf") && $0.contains("algorithms") })
  }

  @Test(
    "Tokens by joserfc of each algorithm pass, with the key set served by Python's http.server",
    .enabled("python3 has no joserfc here (pip install joserfc)") {
      try await ChildProcess.run("python3", ["-c", "import joserfc"]).status == 0
    })
  func python() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-python-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let script = folder.appending(path: "issuer.py")
    try Data(Self.script.utf8).write(to: script)
    let python = try ChildProcess.start("/usr/bin/env", ["python3", "-W", "ignore", "-u", script.path], in: folder)
    let lines = try await python.output.wait(for: "Python's tokens") { output -> [String]? in
      if let status = output.status { throw StreamFailure.malformed("\(status) \(output.standardError)") }
      return output.standardOutput.contains("end") ? output.standardOutput : nil
    }
    let port = try #require(lines.first)
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: "python", jwks: "http://127.0.0.1:\(port)/keys.json"))
    try await door.gateway.waitUntilReady()
    let pairs = lines.dropFirst().dropLast().map { $0.split(separator: " ").map(String.init) }
    #expect(pairs.count >= 10)
    let verdicts = try await door.verdicts(pairs.map { $0[1] })
    for (pair, verdict) in zip(pairs, verdicts) { #expect(verdict == "passed", "\(pair[0])") }
    python.kill(SIGKILL)
    _ = try await python.waitForExit()
  }

  private static let script = """
    import http.server, json, time
    from joserfc import jwk, jwt
    keys, lines = [], []
    def rsa(): return jwk.RSAKey.generate_key(2048)
    kinds = {"RS256": rsa, "RS384": rsa, "RS512": rsa, "PS256": rsa, "PS384": rsa, "PS512": rsa,
      "ES256": lambda: jwk.ECKey.generate_key("P-256"), "ES384": lambda: jwk.ECKey.generate_key("P-384"),
      "ES512": lambda: jwk.ECKey.generate_key("P-521"), "EdDSA": lambda: jwk.OKPKey.generate_key("Ed25519"),
      "Ed25519": lambda: jwk.OKPKey.generate_key("Ed25519"), "Ed448": lambda: jwk.OKPKey.generate_key("Ed448")}
    for name, make in kinds.items():
      key = make()
      claims = {"iss": "python", "aud": ["api"], "sub": "py", "exp": int(time.time()) + 300, "iat": int(time.time())}
      try: token = jwt.encode({"alg": name, "kid": "k-" + name}, claims, key, algorithms=[name])
      except ValueError: continue
      public = key.as_dict(private=False)
      public["kid"] = "k-" + name
      keys.append(public)
      lines.append(name + " " + token)
    with open("keys.json", "w") as file: json.dump({"keys": keys}, file)
    class Quiet(http.server.SimpleHTTPRequestHandler):
      def log_message(self, *words): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    print(server.server_address[1])
    for line in lines: print(line)
    print("end")
    server.serve_forever()
    """
}
