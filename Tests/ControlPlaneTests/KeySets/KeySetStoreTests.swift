// What lies on disk: public, whole, private to us, and believed only within its bounds.

import Foundation
import Testing

@testable import Configuration
@testable import ControlPlane
@testable import Tokens

@Suite struct KeySetStoreTests {
  private let login = issuer(.url("https://idp.test/keys"))

  @Test("T23 Only the public members of public keys are written")
  func publicOnly() throws {
    let x = String(repeating: "x", count: 42) + "A"
    let body = """
      {"keys":[
        {"kty":"OKP","crv":"Ed25519","kid":"a\\u0022","x":"\(x)","use":"sig","key_ops":["verify"],"note":"SECRET2"},
        {"kty":"OKP","crv":"Ed25519","kid":"b","x":"\(x)","d":"SECRET1"},
        {"kty":"oct","kid":"h","k":"SECRET3"},
        {"kty":"RSA","n":"AQ","e":"AQAB","d":"SECRET4","p":"SECRET5","q":"SECRET6","dp":"SECRET7","qi":"SECRET8","oth":["SECRET9"]},
        {"k":"SECRET10"}, "SECRET11"
      ]}
      """
    let world = VirtualWorld()
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    try store.write(Array(body.utf8), of: login, origin: "https://idp.test/keys", fetchedAt: 77)
    let text = String(decoding: try #require(world.file("/state/keys-login.json")), as: UTF8.self)
    #expect(!text.contains("SECRET"))
    #expect(text.contains(#""kid":"a\u0022""#))
    let stored = try #require(try store.read(login))
    #expect(stored.fetchedAt == 77)
    #expect(keyIDs(stored.keySet) == ["a\""])
  }

  @Test("Keys that are named by their certificates are found by the same names when they come back from the disk")
  func certificateDigests() throws {
    let world = VirtualWorld()
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    let text = String(decoding: keySet("a"), as: UTF8.self)
    let body = text.replacing("\"kid\":\"a\"", with: "\"x5t\":\"T1\",\"x5t#S256\":\"T2\"")
    #expect(body != text)
    try store.write(Array(body.utf8), of: login, origin: "o", fetchedAt: 1)
    let before = try KeySet.parse(Array(body.utf8).span, algorithms: [.edDSA])
    let after = try #require(try store.read(login)).keySet
    #expect(before.keys.map(\.certificateDigests) == [[Array("T1".utf8), Array("T2".utf8)]])
    #expect(after.keys.map(\.certificateDigests) == before.keys.map(\.certificateDigests))
  }

  @Test("T23 The public half of a key that is published with its private half does not come back from the disk")
  func publishedPrivateKey() throws {
    let world = VirtualWorld()
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    let text = String(decoding: keySet("good", "leaked"), as: UTF8.self)
    let body = text.replacing("\"kid\":\"leaked\"", with: "\"kid\":\"leaked\",\"d\":\"AAAA\"")
    #expect(keyIDs(try KeySet.parse(Array(body.utf8).span, algorithms: [.edDSA])) == ["good"])
    try store.write(Array(body.utf8), of: login, origin: "o", fetchedAt: 1)
    #expect(keyIDs(try #require(try store.read(login)).keySet) == ["good"])
  }

  @Test("A set without a public key is not written at all")
  func noPublicKey() throws {
    let world = VirtualWorld()
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    for body in [#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "{}", "<html>", ""] {
      try store.write(Array(body.utf8), of: login, origin: "o", fetchedAt: 1)
    }
    #expect(world.file("/state/keys-login.json") == nil)
  }

  @Test("A stored secret is never believed, even where the issuer allows HS256")
  func storedSecret() throws {
    var hs = login
    hs.policy.algorithms = [.hs256, .edDSA]
    let world = VirtualWorld()
    let key = String(repeating: "A", count: 43)
    world.putFile(
      "/state/keys-login.json",
      Array(
        #"{"source":"https://idp.test/keys","fetched_at":1,"keys":[{"kty":"oct","k":"\#(key)"}]}"#.utf8))
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    #expect(throws: FileError.self) { _ = try store.read(hs) }
  }

  @Test("A set of another source is not taken, a broken file is an error")
  func otherSource() throws {
    let world = VirtualWorld()
    let store = KeySetStore(directory: "/state", files: world.environment.files)
    try store.write(keySet("a"), of: login, origin: "o", fetchedAt: 1)
    #expect(try store.read(login) != nil)
    #expect(try store.read(issuer(.url("https://idp.test/other"))) == nil)
    #expect(try store.read(issuer(.discovery(issuer: "https://idp.test/keys"))) == nil)
    #expect(try store.read(issuer(.url("https://idp.test/keys"), name: "else")) == nil)
    let whole = try #require(world.file("/state/keys-login.json"))
    for length in 0..<whole.count - 1 {
      world.putFile("/state/keys-login.json", Array(whole.prefix(length)))
      #expect(throws: FileError.self, "\(length) bytes") { _ = try store.read(login) }
    }
  }

  @Test("Names cannot lead out of the folder or into one another's file")
  func names() {
    let store = KeySetStore(directory: "/state", files: SystemFiles())
    let names = ["../a", "a/b", "a%2Fb", "A", "a", "", "ü", "a.json", "a\0"]
    let paths = names.map { store.path(of: issuer(.url(""), name: $0)) }
    #expect(Set(paths).count == paths.count)
    for path in paths { #expect(path.dropFirst("/state/".count).allSatisfy { $0 != "/" && $0 != "\0" }) }
    #expect(paths[0] == "/state/keys-%2E%2E%2Fa.json")
  }
}

@Suite struct SystemFilesTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-\(UUID().uuidString)").path

  @Test("A file is replaced whole, for its owner only, and leaves nothing beside it")
  func replace() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let files = SystemFiles()
    let path = folder + "/keys.json"
    #expect(files.signature(of: path) == .missing)
    try files.replace(path, with: [1, 2, 3])
    let first = files.signature(of: path)
    try files.replace(path, with: [UInt8](repeating: 4, count: 200_000))
    #expect(files.signature(of: path) != first)
    #expect(try files.read(path, byteCountMax: 200_000) == [UInt8](repeating: 4, count: 200_000))
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["keys.json"])
  }

  @Test("T88 Only a plain file that is ours or root's, and that nobody else may write, is our own. So with folders")
  func ownership() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let files = SystemFiles()
    let path = folder + "/keys.json"
    #expect(files.folderProblem(folder) == nil, "not there yet")
    try files.replace(path, with: [1, 2, 3])
    #expect(files.folderProblem(folder) == nil)
    #expect(try files.readOwn(path, byteCountMax: 3) == [1, 2, 3])
    func set(_ mode: Int, _ path: String) throws {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
    for mode in [0o644, 0o600, 0o444] {
      try set(mode, path)
      #expect(try files.readOwn(path, byteCountMax: 3) == [1, 2, 3])
    }
    for mode in [0o666, 0o620, 0o602] {
      try set(mode, path)
      #expect(throws: FileError("the file \(path) may be written by others: chmod go-w")) {
        _ = try files.readOwn(path, byteCountMax: 3)
      }
      #expect(try files.read(path, byteCountMax: 3) == [1, 2, 3])
    }
    for mode in [0o777, 0o1777, 0o770] {
      try set(mode, folder)
      #expect(files.folderProblem(folder) == "the folder \(folder) may be written by others: chmod go-w")
    }
    try set(0o755, folder)
    #expect(files.folderProblem(folder) == nil)
    try set(0o600, path)
    try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: path)
    #expect(throws: FileError.self) { _ = try files.readOwn(folder + "/link", byteCountMax: 3) }
    #expect(throws: FileError("/dev/null is not a regular file")) {
      _ = try files.readOwn("/dev/null", byteCountMax: 3)
    }
    // Only root can give files away.
    if geteuid() == 0 {
      for item in [path, folder] {
        // SAFETY: the path lives through the call.
        let result = unsafe chown(item, 12_345, 12_345)
        #expect(result == 0)
      }
      #expect(files.folderProblem(folder)?.contains("belongs to user 12345") == true)
      let error = #expect(throws: FileError.self) { _ = try files.readOwn(path, byteCountMax: 3) }
      #expect(error?.reason.contains("belongs to user 12345") == true)
    }
  }

  @Test("What cannot be read or written is an error in the system's words")
  func errors() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let files = SystemFiles()
    try files.replace(folder + "/f", with: [1, 2, 3])
    #expect(throws: FileError("No such file or directory")) { _ = try files.read(folder + "/none", byteCountMax: 1) }
    #expect(throws: FileError("Is a directory")) { _ = try files.read(folder, byteCountMax: 1) }
    #expect(throws: FileError("larger than 2 bytes")) { _ = try files.read(folder + "/f", byteCountMax: 2) }
    #expect(throws: FileError("Not a directory")) { try files.replace(folder + "/f/g", with: []) }
    #expect(throws: FileError("Is a directory")) { try files.replace(folder, with: []) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["f"])
  }
}
