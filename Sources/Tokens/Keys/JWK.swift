// One JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) made into a key that checks signatures, or the reason why
// not.

import Bytes
import Cryptography
package import JSON

package enum JWK {
  /// Why a key was left out of its set (T09, T10). Raw values are for the log and `check`.
  package enum Problem: String, Error, Sendable {
    case notObject = "is not an object"
    case malformed = "has a member of the wrong type, or one that is not strict base64url"
    case typeUnknown = "has a type or curve that signs nothing known here"
    case useOther = "is not for signatures (use, key_ops)"
    case algorithmUnfit = "names an algorithm that is unknown or not its type's"
    case algorithmNotAllowed = "fits none of the algorithms that the issuer may use"
    case privateKey = "holds private members: anyone who can read the set can sign"
    case tooWeak = "is too short, or has an exponent or modulus that can be broken"
    case pointWeak = "is a point that anybody can sign for, or is not written in the one right form"
    case tooLarge = "is too long"
    case secretNotEncoded = "has a 'k' that is not base64url: if it is the secret itself, write it as 'secret'"
    case secretAmbiguous = "has both 'k' and 'secret'"
    case pointInvalid = "has a point that is not on its curve, or numbers of the wrong length"
  }

  /// LIMIT: a longer `kid` could never be sent in a token. The key is dropped.
  private static let keyIDByteCountMax = 4096

  static func read(
    _ document: JSONDocument, _ key: JSONDocument.Index, allowed: AlgorithmSet
  ) throws(Problem) -> VerificationKey {
    guard document.kind(key) == .object else { throw .notObject }
    guard let type = try text(document, key, "kty") else { throw .malformed }
    let keyID = try text(document, key, "kid")
    if let keyID, keyID.count > keyIDByteCountMax { throw .malformed }
    try checkUse(document, key)
    let publicKey = try readNumbers(document, key, type: String(decoding: type, as: UTF8.self))
    var own = AlgorithmSet()
    for algorithm in SignatureAlgorithm.allCases where algorithm.fits(publicKey.components) { own.insert(algorithm) }
    if own.isEmpty { throw .tooWeak }
    if let name = try text(document, key, "alg") {
      guard let named = SignatureAlgorithm.named(name.span), own.contains(named) else { throw .algorithmUnfit }
      // `EdDSA` and the curve's own name say the same of an Edwards key (RFC 9864 §2.2). Any other name is alone.
      if case .edwards = publicKey.components {} else { own = AlgorithmSet([named]) }
    }
    let usable = own.intersection(allowed)
    if usable.isEmpty { throw .algorithmNotAllowed }
    return VerificationKey(
      keyID: keyID, certificateDigests: try certificateDigests(document, key), publicKey: publicKey,
      algorithms: usable)
  }

  /// `x5t` and `x5t#S256` as they are written: they are compared with a token's as text, and nothing is computed.
  private static func certificateDigests(
    _ document: JSONDocument, _ key: JSONDocument.Index
  ) throws(Problem) -> [[UInt8]] {
    var digests: [[UInt8]] = []
    for name in ["x5t", "x5t#S256"] {
      // LIMIT: twice the digits of SHA-256, as some write hexadecimal ones. Another name would be none.
      if let digest = try text(document, key, name), !digest.isEmpty, digest.count <= 128 { digests.append(digest) }
    }
    return digests
  }

  /// `use` must be `sig` and `key_ops` must hold `verify`, in place (RFC 7517 §4.2, §4.3).
  private static func checkUse(_ document: JSONDocument, _ key: JSONDocument.Index) throws(Problem) {
    if let use = try text(document, key, "use"), use != Array("sig".utf8) { throw .useOther }
    guard let operations = document.member("key_ops", of: key) else { return }
    guard document.kind(operations) == .array else { throw .malformed }
    let verify = Array("verify".utf8)
    for operation in document.elements(of: operations) where document.stringEquals(operation, verify.span) { return }
    throw .useOther
  }

  /// A private key that is published signs for everybody: not even its public half counts (T23). `d` is in every
  /// private RSA, EC and OKP key. The others are RSA's, and each gives the rest away (RFC 7518 §6.3.2).
  package static func holdsPrivateMember(_ document: JSONDocument, _ key: JSONDocument.Index) -> Bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth"].contains { document.member($0, of: key) != nil }
  }

  private static func readNumbers(
    _ document: JSONDocument, _ key: JSONDocument.Index, type: String
  ) throws(Problem) -> PublicKey {
    if type != "oct", holdsPrivateMember(document, key) { throw .privateKey }
    switch type {
    case "RSA":
      let (modulus, exponent) = (try bytes(document, key, "n"), try bytes(document, key, "e"))
      return try make { () throws(KeyError) in try PublicKey.rsa(modulus: modulus.span, exponent: exponent.span) }
    case "EC":
      guard let curve = EllipticCurve(rawValue: try curveName(document, key)) else { throw .typeUnknown }
      let (x, y) = (
        sized(try bytes(document, key, "x"), curve.coordinateByteCount),
        sized(try bytes(document, key, "y"), curve.coordinateByteCount)
      )
      return try make { () throws(KeyError) in try PublicKey.ellipticCurve(curve, x: x.span, y: y.span) }
    case "OKP":
      guard let curve = EdwardsCurve(rawValue: try curveName(document, key)) else { throw .typeUnknown }
      let x = try bytes(document, key, "x")
      return try make { () throws(KeyError) in try PublicKey.edwards(curve, x: x.span) }
    case "oct":
      let secret = try secretBytes(document, key)
      return try make { () throws(KeyError) in try PublicKey.secret(secret.span) }
    default: throw .typeUnknown
    }
  }

  /// `k` is base64url (RFC 7518 §6.4.1). `secret` is ours: the text itself, as others call a shared secret.
  private static func secretBytes(
    _ document: JSONDocument, _ key: JSONDocument.Index
  ) throws(Problem) -> [UInt8] {
    guard let secret = try text(document, key, "secret") else {
      if let k = try text(document, key, "k"), Base64URL.decode(k.span) == nil { throw .secretNotEncoded }
      return try bytes(document, key, "k")
    }
    if document.member("k", of: key) != nil { throw .secretAmbiguous }
    // LIMIT: as for `k`.
    if secret.count > 4096 { throw .tooLarge }
    return secret
  }

  /// The number in as many bytes as RFC 7518 §6.2.1.2 asks for. Some libraries leave zeros at its beginning out, others
  /// write one too many: the number is the same, and a point that is not on its curve is dropped anyway.
  private static func sized(_ number: [UInt8], _ byteCount: Int) -> [UInt8] {
    if number.count <= byteCount { return [UInt8](repeating: 0, count: byteCount - number.count) + number }
    return [UInt8](number.drop { $0 == 0 }.count > byteCount ? number[...] : number.suffix(byteCount))
  }

  private static func make(_ key: () throws(KeyError) -> PublicKey) throws(Problem) -> PublicKey {
    do throws(KeyError) {
      return try key()
    } catch {
      throw problem(error)
    }
  }

  private static func problem(_ error: KeyError) -> Problem {
    switch error {
    case .modulusUnfit, .exponentUnfit, .secretEmpty: .tooWeak
    case .lengthWrong, .pointNotOnCurve: .pointInvalid
    case .pointWeak: .pointWeak
    case .unreadable, .library: .malformed
    }
  }

  private static func curveName(_ document: JSONDocument, _ key: JSONDocument.Index) throws(Problem) -> String {
    guard let name = try text(document, key, "crv") else { throw .malformed }
    return String(decoding: name, as: UTF8.self)
  }

  /// A member that must be a string where it is present.
  private static func text(
    _ document: JSONDocument, _ key: JSONDocument.Index, _ name: String
  ) throws(Problem) -> [UInt8]? {
    guard let value = document.member(name, of: key) else { return nil }
    guard let bytes = document.stringBytes(at: value) else { throw .malformed }
    return bytes
  }

  /// A member that must be present and be base64url.
  private static func bytes(
    _ document: JSONDocument, _ key: JSONDocument.Index, _ name: String
  ) throws(Problem) -> [UInt8] {
    guard let text = try text(document, key, name), !text.isEmpty else { throw .malformed }
    // LIMIT: RSA of 8192 bits is 1,366 digits. Nothing that fits a key is longer than this.
    if text.count > 4096 { throw .tooLarge }
    guard let bytes = Base64URL.decode(text.span) else { throw .malformed }
    return bytes
  }
}
