// The keys that assertions are signed with, out of files: read before a configuration takes over, and again when one of
// them changes. Files that are not good change nothing. Never says what is in a key.

import Configuration
import Cryptography
import Glibc
import Tokens

/// Why keys are not used, and the file that it is about.
package struct AssertionKeyError: Error, CustomStringConvertible {
  package var description: String
}

/// Makes signers, and knows of which files.
struct AssertionKeys: Sendable {
  /// As they were before they were read the last time.
  private var signatures: [Files] = []
  /// Why no key could be made, as it was said. It is tried again, and not said again.
  private var lastProblem: String?

  private struct Files: Sendable, Equatable {
    var paths: [String]
    var signatures: [FileSignature]
  }

  private static let endings = [".pem", ".key", ".jwk", ".json"]
  // LIMIT: each is in every key set that is fetched.
  private static let countMax = 32

  /// Reads files: not for an event loop.
  mutating func signers(of configuration: GatewayConfiguration) throws(AssertionKeyError) -> [AssertionSigner] {
    for rules in configuration.assertions { try AssertionKeyRotation.rotate(rules, now: Int64(time(nil))) }
    // Before they are read: what changes meanwhile is then seen as changed.
    signatures = Self.files(of: configuration)
    var signers: [AssertionSigner] = []
    for rules in configuration.assertions {
      signers.append(
        try Self.signer(at: rules.keys, rules.algorithm, type: rules.type.rawValue))
    }
    return signers
  }

  /// The same when a file has changed since. Nil when none has.
  mutating func renewedSigners(of configuration: GatewayConfiguration) throws(AssertionKeyError) -> [AssertionSigner]? {
    if configuration.assertions.isEmpty { return nil }
    do throws(AssertionKeyError) {
      for rules in configuration.assertions { try AssertionKeyRotation.rotate(rules, now: Int64(time(nil))) }
      lastProblem = nil
    } catch {
      let isNew = lastProblem != error.description
      lastProblem = error.description
      if isNew { throw error }
    }
    if Self.files(of: configuration) == signatures { return nil }
    return try signers(of: configuration)
  }

  private static func files(of configuration: GatewayConfiguration) -> [Files] {
    configuration.assertions.map { rules in
      let paths = (try? paths(at: rules.keys)) ?? []
      return Files(paths: paths, signatures: paths.map { FileSignature(ofFileAt: $0) })
    }
  }

  /// Whether there is no file, and none is in the folder.
  static func isWithoutKeys(_ path: String) -> Bool {
    if case .missing = PathKind(ofPath: path) { return true }
    return (try? paths(at: path))?.isEmpty ?? false
  }

  /// Of the files that may hold keys, by their names.
  static func paths(at path: String) throws(AssertionKeyError) -> [String] {
    guard case .folder = PathKind(ofPath: path) else { return [path] }
    let names: [String]
    do {
      names = try namesInFolder(path)
    } catch {
      throw AssertionKeyError(description: "the folder '\(path)' cannot be read: \(error)")
    }
    let folder = path.hasSuffix("/") ? path : path + "/"
    return names.filter { name in !name.hasPrefix(".") && endings.contains { name.hasSuffix($0) } }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { folder + $0 }
  }

  /// The files of a reference that every user of the machine may read.
  static func openFiles(at path: String) -> [String] {
    ((try? paths(at: path)) ?? []).filter { SystemFiles().isOpen($0) }
  }

  static func signer(
    at path: String, _ algorithm: SignatureAlgorithm, type: String
  ) throws(AssertionKeyError) -> AssertionSigner {
    let paths = try paths(at: path)
    if paths.isEmpty {
      throw AssertionKeyError(
        description: "the folder '\(path)' has no key: make one with 'catraca token key --out \(path)/1.pem'")
    }
    if paths.count > countMax {
      throw AssertionKeyError(description: "the folder '\(path)' has more than \(countMax) keys: remove old ones")
    }
    var keys: [(key: AssertionSigner.Key, path: String, modified: (Int64, Int64))] = []
    for file in paths {
      var modified: (Int64, Int64) = (0, 0)
      if case .present(_, _, let seconds, let nanoseconds) = FileSignature(ofFileAt: file) {
        modified = (seconds, nanoseconds)
      }
      let key = try key(at: file, algorithm, signsFrom: modified.0 &+ AssertionSigner.keySetSeconds)
      if let other = keys.first(where: { $0.key.id == key.id }) {
        throw AssertionKeyError(
          description: "'\(other.path)' and '\(file)' have the same key id '\(key.id)': remove one")
      }
      keys.append((key, file, modified))
    }
    // The newest first. Of two that came at once the later name.
    keys.sort { ($0.modified.0, $0.modified.1, $0.path) > ($1.modified.0, $1.modified.1, $1.path) }
    return AssertionSigner(keys.map(\.key), algorithm: algorithm, type: type)
  }

  private static func key(
    at path: String, _ algorithm: SignatureAlgorithm, signsFrom: Int64
  ) throws(AssertionKeyError) -> AssertionSigner.Key {
    let bytes: [UInt8]
    do {
      // LIMIT: a key is some kilobytes long.
      bytes = try SystemFiles().read(path, byteCountMax: 64 * 1024)
    } catch {
      throw AssertionKeyError(description: "the file '\(path)' cannot be read: \(error.reason)")
    }
    let (key, id, own) = try parsed(bytes, path)
    guard algorithm.fits(key.publicKey.components), own ?? algorithm == algorithm, key.isSound(algorithm.scheme) else {
      let usual = (own ?? .usual(for: key.publicKey.components)).rawValue
      throw AssertionKeyError(
        description: "the key '\(path)' does not sign \(algorithm.rawValue): write algorithm: \(usual), or another key")
    }
    return AssertionSigner.Key(key, id: id, signsFrom: signsFrom)
  }

  private static func parsed(
    _ bytes: [UInt8], _ path: String
  ) throws(AssertionKeyError) -> (key: SigningKey, id: String?, algorithm: SignatureAlgorithm?) {
    if bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
      do throws(PrivateJWK.Problem) {
        let jwk = try PrivateJWK(bytes)
        return (jwk.key, jwk.keyID, jwk.algorithm)
      } catch {
        throw AssertionKeyError(description: "the key '\(path)' \(error.rawValue)")
      }
    }
    do throws(KeyError) {
      return (try SigningKey(pem: bytes), nil, nil)
    } catch {
      if error == .modulusUnfit || error == .exponentUnfit {
        throw AssertionKeyError(description: "the key '\(path)' \(PrivateJWK.Problem.tooWeak.rawValue)")
      }
      throw AssertionKeyError(description: "\(ClientKey.fault) in '\(path)', or a private JWK")
    }
  }
}
