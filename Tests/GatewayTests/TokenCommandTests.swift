// `catraca token`: keys, key sets and tokens that the gateway takes, and a look into a token.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("The token command", .timeLimit(.minutes(10)))
struct TokenCommandTests {
  private typealias Ran = (status: Int32, standardOutput: String, standardError: String)

  private static func token(_ arguments: String..., files: [String: String] = [:]) async throws -> Ran {
    try await GatewayProcess.run(["token"] + arguments, files: files)
  }

  /// What a command printed, which must have gone well.
  private static func printed(_ arguments: String..., files: [String: String] = [:]) async throws -> String {
    let ran = try await GatewayProcess.run(["token"] + arguments, files: files)
    #expect(ran.status == 0, "\(arguments): \(ran)")
    #expect(ran.standardError.isEmpty, "\(arguments): \(ran)")
    return ran.standardOutput
  }

  private static func part(_ token: String, _ index: Int) -> String {
    let parts = token.split(separator: ".")
    return index < parts.count ? String(decoding: bytes(base64URL: String(parts[index])), as: UTF8.self) : ""
  }

  @Test(
    "A token of a key of every kind passes the gateway with the key set of that key",
    arguments: [
      "RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448",
    ])
  func passes(_ algorithm: String) async throws {
    let key = try await Self.printed("key", "--algorithm", algorithm)
    let keySet = try await Self.printed("keyset", "key.pem", files: ["key.pem": key])
    #expect(!keySet.contains("\"d\""))
    let token = try await Self.printed(
      "mint", "--key", "key.pem", "--algorithm", algorithm, "--issuer", "here", "--audience", "api",
      "--subject", "ada", "--type", "at+jwt", "--claim", "scope=\"read write\"", files: ["key.pem": key])
    let gateway = try await GatewayProcess.start(
      """
      issuers:
        here: { issuer: here, audiences: [api], jwks: keys.json, token_types: [at+jwt] }
      routes:
        - path: /
          auth: { issuers: [here], scopes: [write] }
          respond: { status: 204 }
      """, files: ["keys.json": keySet])
    #expect(try await gateway.get("/", ["Authorization: Bearer \(token)"]).status == 204)
    let inspected = try await Self.token("inspect", "--keys", "keys.json", token, files: ["keys.json": keySet])
    #expect(inspected.status == 0, "\(inspected)")
    #expect(inspected.standardOutput.contains("valid (\(algorithm))"), "\(inspected)")
  }

  @Test(
    "What cannot be written whole is an error: a key, a key set, a token, a look into one, and the word of `check`",
    arguments: [
      ["token", "key"], ["token", "keyset", "key.pem"], ["token", "mint", "--key", "key.pem"],
      ["token", "inspect", "e30.e30.AA"], ["check", "good.conf"],
    ])
  func fullDisk(_ arguments: [String]) async throws {
    let files = [
      "key.pem": try await Self.printed("key"),
      "good.conf":
        "listeners: [{ address: \"127.0.0.1:0\" }]\nroutes: [{ path: /, auth: public, respond: { status: 204 } }]",
      "run.sh": "exec \"$@\" > /dev/full",
    ]
    let ran = try await GatewayProcess.run(arguments, files: files, launcher: ["/bin/sh", "run.sh"])
    #expect(ran.status == 1, "\(ran)")
    #expect(ran.standardError == "catraca: standard output cannot be written: No space left on device")
  }

  @Test("A secret signs and verifies as well, and is never shown as a key set", arguments: ["HS256", "HS384", "HS512"])
  func secrets(_ algorithm: String) async throws {
    let secret = try await Self.printed("key", "--algorithm", algorithm)
    let token = try await Self.printed("mint", "--key", "secret.json", files: ["secret.json": secret])
    #expect(Self.part(token, 0).contains("\"alg\":\"\(algorithm)\""))
    let refused = try await Self.token("keyset", "secret.json", files: ["secret.json": secret])
    #expect(refused.status == 1)
    #expect(refused.standardOutput.isEmpty)
    #expect(refused.standardError.contains("is a secret"))
  }

  @Test("Claims are as they were named, and a later one replaces an earlier")
  func claims() async throws {
    let key = try await Self.printed("key")
    let before = Int(Date().timeIntervalSince1970)
    let token = try await Self.printed(
      "mint", "--key", "key.pem", "--kid", "a\"b", "--audience", "a", "--audience", "b", "--expires-in", "-1h",
      "--claim", "admin=true", "--claim", "org={\"id\":[1]}", "--claim", "admin=false", "--subject", "ä",
      files: ["key.pem": key])
    #expect(Self.part(token, 0) == #"{"alg":"ES256","kid":"a\"b"}"#)
    let payload = Self.part(token, 1)
    #expect(payload.hasPrefix(#"{"sub":"ä","aud":["a","b"],"iat":"#))
    #expect(payload.hasSuffix(#","admin":false,"org":{"id":[1]}}"#))
    let expiry = try #require(Int(payload.components(separatedBy: "\"exp\":")[1].prefix { $0.isNumber }))
    #expect((before...Int(Date().timeIntervalSince1970)).contains(expiry + 3600))
    let bare = try await Self.printed(
      "mint", "--key", "key.pem", "--kid", "", "--expires-in", "never", "--claim", "iat=\"x\"", files: ["key.pem": key])
    #expect(Self.part(bare, 0) == #"{"alg":"ES256"}"#)
    #expect(Self.part(bare, 1) == #"{"iat":"x"}"#)
  }

  @Test(
    "What cannot be minted is said in one line with exit code 1",
    arguments: [
      (["--claim", "a=b"], "a='\"b\"'"), (["--claim", "a"], "name=json"), (["--expires-in", "5"], "5m"),
      (["--expires-in", "9223372036854775807d"], "not a valid time"), (["--algorithm", "RS256"], "cannot sign RS256"),
    ])
  func refusedMints(_ arguments: [String], _ words: String) async throws {
    let key = try await Self.printed("key")
    let ran = try await GatewayProcess.run(["token", "mint", "--key", "key.pem"] + arguments, files: ["key.pem": key])
    #expect(ran.status == 1)
    #expect(ran.standardOutput.isEmpty)
    #expect(ran.standardError.hasPrefix("catraca: "), "\(ran.standardError)")
    #expect(ran.standardError.contains(words), "\(ran.standardError)")
    #expect(!ran.standardError.trimmingCharacters(in: .newlines).contains("\n"))
  }

  @Test(
    "Files that are no keys are refused by name",
    arguments: [
      ("", "no private key"), ("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n", "no private key"),
      ("{}", "not a secret"),
    ])
  func refusedKeys(_ text: String, _ words: String) async throws {
    let ran = try await Self.token("keyset", "other.pem", files: ["other.pem": text])
    #expect(ran.status == 1)
    #expect(ran.standardError.contains("other.pem"))
    #expect(ran.standardError.contains(words))
    #expect(try await Self.token("keyset", "none.pem").standardError.contains("none.pem cannot be read"))
  }

  @Test("A key file is its owner's alone, and never written over")
  func keyFile() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-key-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "key.pem").path
    #expect(try await Self.printed("key", "--out", path).isEmpty)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
    #expect(mode?.intValue == 0o600)
    let first = try String(contentsOfFile: path, encoding: .utf8)
    let again = try await Self.token("key", "--out", path)
    #expect(again.status == 1)
    #expect(again.standardError.contains("it stays"))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == first)
  }

  @Test("inspect shows header, payload and dates, and says that nothing was verified")
  func inspect() async throws {
    let key = try await Self.printed("key")
    let token = try await Self.printed(
      "mint", "--key", "key.pem", "--expires-in", "2h", "--claim", "nbf=1700000000", files: ["key.pem": key])
    let shown = try await Self.printed("inspect", "Bearer " + token)
    for words in [
      "header (not verified)", "payload (not verified)", "\"alg\": \"ES256\"", "# 2023-11-14T22:13:20Z, ",
      "64 bytes, not verified",
    ] {
      #expect(shown.contains(words), "\(words): \(shown)")
    }
    #expect(shown.contains(/Z, in (2h|1h [0-9]+m)/), "\(shown)")
  }

  @Test("A signature that does not hold is said so, with exit code 1")
  func badSignatures() async throws {
    let key = try await Self.printed("key")
    let other = try await Self.printed("key")
    let keySet = try await Self.printed("keyset", "key.pem", files: ["key.pem": key])
    let kid = keySet.components(separatedBy: "\"kid\":\"")[1].prefix { $0 != "\"" }
    let forged = try await Self.printed(
      "mint", "--key", "key.pem", "--kid", String(kid), files: ["key.pem": other])
    let unknown = try await Self.printed("mint", "--key", "key.pem", files: ["key.pem": other])
    for (token, words) in [(forged, "not made with that key"), (unknown, "with the token's kid")] {
      let ran = try await Self.token("inspect", "--keys", "keys.json", token, files: ["keys.json": keySet])
      #expect(ran.status == 1)
      #expect(ran.standardOutput.contains("NOT VALID: "), "\(ran)")
      #expect(ran.standardOutput.contains(words), "\(ran)")
      #expect(ran.standardOutput.contains("header (not verified)"))
    }
  }

  @Test(
    "What is not a token, or not a key set, is refused with a reason",
    arguments: [
      ("", "there is no token"), ("a b", "2 words"), ("a.b", "has 2"), ("a", "has 1"), ("a.b.c.d.e", "encrypted"),
      ("!.e30.AA", "header is not base64url"), ("e30.W10.AA", "not an object"),
      ("e30.eyJhIjoxLCJhIjoyfQ.AA", "two members"),
    ])
  func refusedTokens(_ token: String, _ words: String) async throws {
    let ran = try await Self.token("inspect", token)
    #expect(ran.status == 1, "\(ran)")
    #expect(ran.standardOutput.isEmpty, "\(ran)")
    #expect(ran.standardError.contains(words), "\(ran)")
    let keys = try await Self.token("inspect", "--keys", "k", "e30.e30.AA", files: ["k": "{\"keys\":[]}"])
    #expect(keys.status == 1)
    #expect(keys.standardError.contains("it has no keys"))
  }

  @Test("Nothing in a token can send a control sequence to the terminal")
  func terminal() async throws {
    let payload = #"{"a":"\#u{9b}31m\#u{202e}\u001b[31m","\#u{85}":1}"#
    let shown = try await Self.printed("inspect", "e30.\(base64URL(payload)).AA")
    let controls = shown.unicodeScalars.filter { $0.properties.generalCategory == .control && $0 != "\n" }
    #expect(controls.isEmpty)
    #expect(!shown.contains("\u{202e}"))
    #expect(shown.contains(#"\u{9b}31m\u{202e}\u001b[31m"#))
  }

  @Test("A command line that cannot be understood ends with exit code 64 and the way to write it")
  func usage() async throws {
    let ran = try await Self.token("key", "--algorithm", "none")
    #expect(ran.status == 64)
    #expect(ran.standardError.contains("Usage: catraca token key"))
  }
}
