// Keys for assertions that the gateway makes itself (`rotate`): another one when the newest is old enough. It removes
// what nobody needs any more.
//
// Invariant: a file that somebody else has put there is never removed.

import Configuration
import Cryptography
import Tokens

enum AssertionKeyRotation {
  /// Names of files that are the gateway's own.
  private static let prefix = "catraca-"

  /// - Parameter now: seconds since 1970.
  static func rotate(_ rules: AssertionRules, now: Int64) throws(AssertionKeyError) {
    guard let rotation = rules.rotation?.components.seconds else { return }
    let folder = rules.keys.hasSuffix("/") ? String(rules.keys.dropLast()) : rules.keys
    let ages = (AssertionKeys.isWithoutKeys(folder) ? [] : try AssertionKeys.paths(at: folder)).compactMap { path in
      if case .present(_, _, let modified, _) = FileSignature(ofFileAt: path) {
        (path: path, seconds: now - modified)
      } else {
        nil
      }
    }
    let newest = ages.map(\.seconds).min()
    if newest ?? .max >= rotation { try make(rules.algorithm, in: folder, now: now) }
    // What signs now has been shown for long enough, and what was signed before is over.
    let patience = 2 * AssertionSigner.keySetSeconds + rules.lifetime.components.seconds
    guard let newest, newest >= patience else { return }
    for (path, seconds) in ages where seconds > newest && isOwn(path) {
      SystemFiles().remove(path)
    }
  }

  private static func isOwn(_ path: String) -> Bool { FilePattern.cut(path).name.hasPrefix(prefix) }

  private static func make(
    _ algorithm: SignatureAlgorithm, in folder: String, now: Int64
  ) throws(AssertionKeyError) {
    guard let pem = (try? SigningKey.generate(algorithm.keyKind))?.pem() else {
      throw AssertionKeyError(description: "no key for \(algorithm.rawValue) can be made")
    }
    do throws(FileError) {
      try SystemFiles().replace("\(folder)/\(prefix)\(now).pem", with: pem)
    } catch {
      throw AssertionKeyError(description: "no key can be written to the folder '\(folder)': \(error.reason)")
    }
  }
}
