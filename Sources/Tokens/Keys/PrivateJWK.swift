// A private key as one JSON Web Key (RFC 7517, RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2): what the gateway itself signs
// with.
//
// Invariant: nothing of a key is in an error.

package import Cryptography
import JSON

package struct PrivateJWK: Sendable {
  package let key: SigningKey
  /// `kid`, where the file says one.
  package let keyID: String?
  package let algorithm: SignatureAlgorithm?

  /// Raw values are for the operator, behind the file's name.
  package enum Problem: String, Error, Sendable {
    case notJSON = "is not JSON, or has a member twice"
    case keySet = "is a key set: write one key a file"
    case typeUnknown = "has a type or curve that signs nothing known here"
    case publicOnly = "is a public key, and 'd' is missing"
    case malformed = "has a member that is missing, or not strict base64url of the right length"
    case useOther = "is not for signatures (use)"
    case algorithmUnfit = "names an algorithm that is unknown or not its type's"
    case halvesDiffer = "has a private half that is not the public one's"
    case tooWeak = "is too weak: RSA requires 2048 to 8192 bits"
  }

  /// LIMIT: a longer `kid` would make every token longer.
  private static let keyIDByteCountMax = 256

  package init(_ bytes: [UInt8]) throws(Problem) {
    guard let document = try? JSONDocument(bytes), document.kind(document.root) == .object else { throw .notJSON }
    if document.member("keys", of: document.root) != nil { throw .keySet }
    func text(_ name: String) -> String? {
      document.member(name, of: document.root).flatMap { document.string(at: $0) }
    }
    func number(_ name: String) throws(Problem) -> [UInt8] {
      guard let text = text(name), !text.isEmpty, let bytes = Base64URL.decode(text.utf8.span) else { throw .malformed }
      return bytes
    }
    guard document.member("d", of: document.root) != nil else { throw .publicOnly }
    if let use = text("use"), use != "sig" { throw .useOther }
    let numbers: PrivateNumbers
    let stated: [[UInt8]]
    switch text("kty") {
    case "RSA":
      var members: [[UInt8]] = []
      for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] { members.append(try number(name)) }
      numbers = .rsa(members)
      stated = []
    case "EC":
      guard let curve = text("crv").flatMap(EllipticCurve.init(rawValue:)) else { throw .typeUnknown }
      let count = curve.coordinateByteCount
      numbers = .ellipticCurve(curve, d: Self.sized(try number("d"), count))
      stated = [Self.sized(try number("x"), count), Self.sized(try number("y"), count)]
    case "OKP":
      guard let curve = text("crv").flatMap(EdwardsCurve.init(rawValue:)) else { throw .typeUnknown }
      numbers = .edwards(curve, d: try number("d"))
      stated = [try number("x")]
    default: throw .typeUnknown
    }
    do throws(KeyError) {
      key = try SigningKey(numbers)
    } catch {
      throw error == .modulusUnfit || error == .exponentUnfit ? .tooWeak : .malformed
    }
    let computed: [[UInt8]] =
      switch key.publicKey.components {
      case .ellipticCurve(_, let x, let y): [x, y]
      case .edwards(_, let x): [x]
      case .rsa, .secret: []
      }
    if computed != stated { throw .halvesDiffer }
    let components = key.publicKey.components
    if !key.isSound(SignatureAlgorithm.usual(for: components).scheme) { throw .halvesDiffer }
    keyID = text("kid")
    if let keyID, keyID.isEmpty || keyID.utf8.count > Self.keyIDByteCountMax { throw .malformed }
    if document.member("alg", of: document.root) != nil {
      guard let named = text("alg").flatMap(SignatureAlgorithm.init(rawValue:)), named.fits(components) else {
        throw .algorithmUnfit
      }
      algorithm = named
    } else {
      algorithm = nil
    }
  }

  /// Some libraries leave zeros at the beginning of a number out.
  private static func sized(_ number: [UInt8], _ byteCount: Int) -> [UInt8] {
    [UInt8](repeating: 0, count: max(0, byteCount - number.count)) + number
  }
}
