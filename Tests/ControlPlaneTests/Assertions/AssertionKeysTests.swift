// Keys for assertions out of files: which one signs, which are shown, and what is refused with the file's name and
// nothing of the key.

import Configuration
import Cryptography
import Foundation
import Testing
import Tokens

@testable import ControlPlane

@Suite("Keys of assertions")
struct AssertionKeysTests {
  /// A folder that goes with the test.
  private final class Folder {
    let url = FileManager.default.temporaryDirectory.appending(path: "catraca-keys-\(UUID().uuidString)")
    var path: String { url.path }

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    func put(_ name: String, _ text: String, age: TimeInterval = 3600, mode: Int = 0o600) throws {
      let path = url.appending(path: name).path
      try Data(text.utf8).write(to: URL(filePath: path))
      try FileManager.default.setAttributes(
        [.posixPermissions: mode, .modificationDate: Date(timeIntervalSince1970: 1_700_000_000 - age)],
        ofItemAtPath: path)
    }
  }

  private static func pem(_ kind: SigningKey.Kind = .ellipticCurve(.p256)) throws -> (key: SigningKey, text: String) {
    let key = try SigningKey.generate(kind)
    return (key, String(decoding: try #require(key.pem()), as: UTF8.self))
  }

  private func ids(_ signer: AssertionSigner) throws -> [String] {
    let bytes = signer.keySet
    let set = try KeySet.parse(bytes.span, algorithms: SignatureAlgorithm.asymmetric)
    return set.keys.map { $0.keyID.map { String(decoding: $0, as: UTF8.self) } ?? "" }
  }

  private func problem(at path: String, _ algorithm: SignatureAlgorithm = .es256) -> String? {
    do throws(AssertionKeyError) {
      _ = try AssertionKeys.signer(at: path, algorithm, type: "JWT")
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("All keys of a folder are shown, the newest first, and other files in it are nobody's")
  func folder() throws {
    let folder = try Folder()
    let keys = try (0..<3).map { _ in try Self.pem() }
    try folder.put("c.pem", keys[0].text, age: 50)
    try folder.put("a.key", keys[1].text, age: 20)
    try folder.put("b.pem", keys[2].text, age: 20)
    for name in ["README", ".hidden.pem", "d.pem.tmp", "e.pem~"] { try folder.put(name, "not a key") }
    let signer = try AssertionKeys.signer(at: folder.path, .es256, type: "JWT")
    #expect(try ids(signer) == [2, 1, 0].map { keys[$0].key.publicKey.thumbprint })
    let one = try AssertionKeys.signer(at: folder.path + "/c.pem", .es256, type: "JWT")
    #expect(try ids(one) == [keys[0].key.publicKey.thumbprint])
  }

  @Test("Files are read again when one was added, changed or removed, and bad ones are reported once")
  func renewal() throws {
    let folder = try Folder()
    try folder.put("a.pem", try Self.pem().text)
    let rules = AssertionRules(name: "internal", issuer: "gw", keys: folder.path)
    var configuration = GatewayConfiguration()
    configuration.assertions = [rules]
    var keys = AssertionKeys()
    #expect(try keys.signers(of: configuration).count == 1)
    #expect(try keys.renewedSigners(of: configuration) == nil)
    try folder.put("b.pem", try Self.pem().text, age: 10)
    let added = try #require(try keys.renewedSigners(of: configuration))
    #expect(try ids(added[0]).count == 2)
    #expect(try keys.renewedSigners(of: configuration) == nil)
    // Half written.
    try folder.put("c.pem", "-----BEGIN PRIVATE KEY-----\nMIGH", age: 5)
    #expect(throws: AssertionKeyError.self) { try keys.renewedSigners(of: configuration) }
    #expect(try keys.renewedSigners(of: configuration) == nil)
    try FileManager.default.removeItem(at: folder.url.appending(path: "c.pem"))
    try FileManager.default.removeItem(at: folder.url.appending(path: "a.pem"))
    #expect(try ids(try #require(try keys.renewedSigners(of: configuration))[0]).count == 1)
    try FileManager.default.removeItem(at: folder.url)
    #expect(throws: AssertionKeyError.self) { try keys.renewedSigners(of: configuration) }
  }

  @Test("Keys that are missing, weak, of another algorithm, or there twice are refused, with the file and a reason")
  func faults() throws {
    let folder = try Folder()
    let path = folder.path
    #expect(
      problem(at: path) == "the folder '\(path)' has no key: make one with 'catraca token key --out \(path)/1.pem'")
    #expect(problem(at: path + "/none") == "the file '\(path)/none' cannot be read: No such file or directory")
    try folder.put("a.pem", "nothing")
    #expect(problem(at: path)?.hasSuffix("key in '\(path)/a.pem', or a private JWK") == true)
    try folder.put("a.pem", "{\"kty\":\"EC\"}")
    #expect(problem(at: path) == "the key '\(path)/a.pem' is a public key, and 'd' is missing")
    let (key, text) = try Self.pem()
    try folder.put("a.pem", text)
    #expect(problem(at: path) == nil)
    #expect(
      problem(at: path, .rs256)
        == "the key '\(path)/a.pem' does not sign RS256: write algorithm: ES256, or another key")
    try folder.put("b.pem", text)
    let id = key.publicKey.thumbprint
    #expect(problem(at: path) == "'\(path)/a.pem' and '\(path)/b.pem' have the same key id '\(id)': remove one")
    try FileManager.default.removeItem(atPath: path + "/b.pem")
    for number in 0..<40 { try folder.put("\(number).json", text) }
    #expect(problem(at: path) == "the folder '\(path)' has more than 32 keys: remove old ones")
  }

  @Test("Keys are made when the newest is old, and one's own go when nothing is signed by them, while others' stay")
  func rotation() throws {
    let folder = try Folder()
    try FileManager.default.removeItem(at: folder.url)
    var rules = AssertionRules(name: "internal", issuer: "gw", keys: folder.path)
    rules.rotation = .seconds(86_400)
    let now: Int64 = 1_700_000_000
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
    func age(_ name: String, _ seconds: Int64) throws {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: TimeInterval(now - seconds))],
        ofItemAtPath: folder.path + "/" + name)
    }
    let located = LocatedPath(path: folder.path, position: SourcePosition(line: 4, column: 11))
    #expect(CertificateCheck.findings(.assertionKeys(located, .es256, isMade: true)).isEmpty)
    try AssertionKeyRotation.rotate(rules, now: now)
    #expect(try names() == ["catraca-\(now).pem"])
    #expect(CertificateCheck.findings(.assertionKeys(located, .es256, isMade: true)).isEmpty)
    try age("catraca-\(now).pem", 86_399)
    try folder.put("mine.pem", try Self.pem().text, age: 90_000)
    try AssertionKeyRotation.rotate(rules, now: now)
    #expect(try names() == ["catraca-\(now).pem", "mine.pem"])
    try AssertionKeyRotation.rotate(rules, now: now + 1)
    #expect(try names() == ["catraca-\(now).pem", "catraca-\(now + 1).pem", "mine.pem"])
    // The old key set may be kept for a minute, and an assertion is good for another one.
    try age("catraca-\(now + 1).pem", 179)
    try AssertionKeyRotation.rotate(rules, now: now)
    #expect(try names().count == 3)
    try age("catraca-\(now + 1).pem", 180)
    try AssertionKeyRotation.rotate(rules, now: now)
    #expect(try names() == ["catraca-\(now + 1).pem", "mine.pem"])
    rules.keys = "/proc/none"
    #expect(throws: AssertionKeyError.self) { try AssertionKeyRotation.rotate(rules, now: now) }
  }

  @Test("RSA of 1024 bits is weak")
  func weak() throws {
    let folder = try Folder()
    try folder.put("a.pem", Self.weakKey)
    #expect(
      problem(at: folder.path, .rs256) == "the key '\(folder.path)/a.pem' is too weak: RSA requires 2048 to 8192 bits")
  }

  @Test("A key that every user may read is a warning at the place of 'keys', and one that is none is an error there")
  func findings() throws {
    let folder = try Folder()
    let located = LocatedPath(path: folder.path, position: SourcePosition(line: 4, column: 11))
    let none = CertificateCheck.findings(.assertionKeys(located, .es256, isMade: false))
    #expect(none.map(\.severity) == [.error] && none.map(\.position.column) == [11])
    try folder.put("a.pem", try Self.pem().text)
    #expect(CertificateCheck.findings(.assertionKeys(located, .es256, isMade: false)).isEmpty)
    try folder.put("b.pem", try Self.pem().text, mode: 0o644)
    let open = CertificateCheck.findings(.assertionKeys(located, .es256, isMade: false))
    #expect(open.map(\.severity) == [.warning])
    #expect(open.first?.message == "every user of this machine may read the key '\(folder.path)/b.pem': chmod o-r")
  }

  /// Of RSA with 1024 bits. It has never signed anything.
  private static let weakKey = """
    -----BEGIN PRIVATE KEY-----
    MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAKVSgrrzxZYL6Ynw
    T62kCWnQHm6Cip4tf/59YRy/uFrnq1KbXMNLE17anwVFgcGRgN6SiPWuOMyJFfDP
    iAIgo1WpecqqXwy4Q8o4C1dUH9jvLZTBM0HB9FebG9eS028kQecBF/uM7e6+fLSB
    flraX+gHNqFbiyYZqgFBjSBssSU7AgMBAAECgYALuPEKHpTpEckqfb64mkQMm7Q8
    s8budl14Bx3msvV4hKrSPa/zLRSfijLyZb5QomeX4J4ThZoDbsj+fUiwle3e3OF8
    z4zQeq6+jHOF8rrTphCl5TUP/09GlFoyxZwiEs6ZxJVe1x/+1BDoTUD2UXHP/7kD
    BnMQo6+ZqGBrsSHVKQJBANjNHuXGaUehCF00CQwcv6EUbTCoF62M+EsfXfGRgKb/
    vHDg16ErTOZ/wGxhncqLCasEdb7eNqOw39NLmQ6hF88CQQDDNqGvPgPRor6YA4U/
    GZwJt1FwwmhdfgUm2MU5FsJPm31MHg0kSnwow3mcLTva4iz/iQFHLAWCoWjT5DQm
    8crVAkBpA8rAoEAk2yLTCr6LKG3GV7+gPvvhLBSlRtdZiRJZUiz0PGUWg4PnbuBF
    X29wSbLwLOPgBYFP/wAcOFU2Wd/PAkBhYb50gjY7fLkhchglaywY+LcKziBsCzKc
    t2RjX0QdnE58Cz25DeM0Hpdq3nHOdifGbd0SWRaCnOyDT4LorpPlAkAaDY1jQPzN
    zQtQdNJYmBRloAshuoFqEV8s0hqhPj8FCKA3tlmbuJuXwq9V8x54To9tzuC8gV+s
    h1wHd0d5OrZ4
    -----END PRIVATE KEY-----
    """
}
