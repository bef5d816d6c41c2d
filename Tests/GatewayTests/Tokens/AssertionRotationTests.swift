// Keys of assertions come and go while the gateway serves.

import Cryptography
import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Rotation of assertion keys")
struct AssertionRotationTests {
  private static func pem() throws -> (id: String, text: String) {
    let key = try TestKey().signing
    return (key.publicKey.thumbprint, String(decoding: try #require(key.pem()), as: UTF8.self))
  }

  private static func age(_ file: String, _ gateway: GatewayProcess, seconds: TimeInterval) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -seconds)],
      ofItemAtPath: gateway.folder.appending(path: file).path)
  }

  @Test("With 'rotate' the gateway makes its first key at the start, and shows it")
  func made() async throws {
    let gateway = try await GatewayProcess.start(
      """
      assertions: { internal: { issuer: gateway, keys: made, rotate: 30d } }
      routes: [{ path: /keys, auth: public, respond: { key_set: internal } }]
      """)
    #expect(try await gateway.get("/keys").text.matches(of: #/"kid":"/#).count == 1)
    let names = try FileManager.default.contentsOfDirectory(atPath: gateway.folder.appending(path: "made").path)
    #expect(names.count == 1 && names.allSatisfy { $0.hasPrefix("catraca-") && $0.hasSuffix(".pem") })
    #expect(try await gateway.reload().status == 200)
  }

  @Test("A new key is shown, then signs, a file that is half written changes nothing, and a bad one refuses a reload")
  func rotation() async throws {
    let key = try TestKey()
    let (old, new) = (try Self.pem(), try Self.pem())
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"),
      route: ["identity: { assertion: { name: internal, audience: orders } }"],
      more: "  - { path: /keys, auth: public, respond: { key_set: internal } }",
      top: "assertions: { internal: { issuer: gateway, keys: signers } }",
      files: ["keys.json": keySetText(key), "signers/a.key": old.text])
    let gateway = door.gateway
    let bearer = "Authorization: Bearer \(TokenDoor.token(key))"
    func shown() async throws -> Set<String> {
      Set(try await gateway.get("/keys").text.matches(of: #/"kid":"([^"]+)"/#).map { String($0.1) })
    }
    func signer() async throws -> String {
      let answer = try await gateway.get("/door", [bearer])
      let header = try #require(answer.text.firstMatch(of: #/X-Assertion: ([^.]+)\./#)).1
      let text = String(decoding: bytes(base64URL: String(header)), as: UTF8.self)
      return String(try #require(text.firstMatch(of: #/"kid":"([^"]+)"/#)).1)
    }
    #expect(try await shown() == [old.id])
    #expect(try await signer() == old.id)
    try gateway.write(file: "signers/b.key", new.text)
    try await poll("both keys") { try await shown() == [old.id, new.id] }
    // It came just now.
    try Self.age("signers/a.key", gateway, seconds: 3600)
    try await poll("the older key") { try await signer() == old.id }
    try Self.age("signers/b.key", gateway, seconds: 61)
    try await poll("the newer key") { try await signer() == new.id }
    try gateway.write(file: "signers/c.key", String(new.text.prefix(60)))
    _ = try await gateway.waitForLog("the bad key") { $0.contains("keys of assertions not renewed") }
    #expect(try await signer() == new.id)
    let refused = try await gateway.reload()
    #expect(refused.status != 200 && refused.text.contains("signers/c.key"))
    for file in ["a.key", "c.key"] {
      try FileManager.default.removeItem(at: gateway.folder.appending(path: "signers/\(file)"))
    }
    try await poll("the newer key alone") { try await shown() == [new.id] }
    #expect(try await gateway.reload().status == 200)
    #expect(try await signer() == new.id)
    let secrets = [old.text, new.text].flatMap { $0.split(separator: "\n").filter { $0.count > 60 } }
    for line in gateway.standardError + gateway.accessLog {
      #expect(!secrets.contains { line.contains($0) })
    }
  }
}
