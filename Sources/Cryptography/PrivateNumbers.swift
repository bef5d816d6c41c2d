// Private keys from their numbers, as a private JWK has them (RFC 7518 §6): written as the PEM that OpenSSL reads, so
// that there is one way in for private keys.
//
// Invariant: nothing of a key is in an error.

internal import Bytes

/// The numbers of a private key, big-endian.
package enum PrivateNumbers: Sendable {
  /// `n`, `e`, `d`, `p`, `q`, `dp`, `dq`, `qi`: in this order.
  case rsa([[UInt8]])
  case ellipticCurve(EllipticCurve, d: [UInt8])
  case edwards(EdwardsCurve, d: [UInt8])
}

extension SigningKey {
  package convenience init(_ numbers: PrivateNumbers) throws(KeyError) {
    let (label, der) = try numbers.encoded()
    try self.init(pem: Array("-----BEGIN \(label)-----\n\(Base64Lines.encode(der))-----END \(label)-----\n".utf8))
  }

  /// Whether its two halves belong together: what it signs is what its public half takes.
  package func isSound(_ scheme: SignatureScheme) -> Bool {
    let message = Array("catraca".utf8)
    guard let signature = sign(message.span, scheme), let verifier = SignatureVerifier(key: publicKey, scheme: scheme)
    else { return false }
    return verifier.isValid(signature.span, over: message.span)
  }
}

extension PrivateNumbers {
  fileprivate func encoded() throws(KeyError) -> (label: String, der: [UInt8]) {
    switch self {
    case .rsa(let numbers):
      guard numbers.count == 8, numbers.allSatisfy({ !$0.isEmpty && $0.count <= 1024 }) else { throw .lengthWrong }
      // RFC 8017 §A.1.2.
      let content = Element.integer([0]) + numbers.flatMap(Element.integer)
      return ("RSA PRIVATE KEY", Element.make(DER.sequence, content))
    case .ellipticCurve(let curve, let d):
      guard d.count == curve.coordinateByteCount else { throw .lengthWrong }
      // RFC 5915 §3. OpenSSL computes the point.
      let content =
        Element.integer([1]) + Element.make(0x04, d) + Element.make(0xA0, Element.make(0x06, curve.objectID))
      return ("EC PRIVATE KEY", Element.make(DER.sequence, content))
    case .edwards(let curve, let d):
      guard d.count == curve.keyByteCount else { throw .lengthWrong }
      // RFC 8410 §7.
      let algorithm = Element.make(DER.sequence, Element.make(0x06, curve.objectID))
      let content = Element.integer([0]) + algorithm + Element.make(0x04, Element.make(0x04, d))
      return ("PRIVATE KEY", Element.make(DER.sequence, content))
    }
  }
}

/// DER of what is above (X.690 §8).
private enum Element {
  static func make(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    let count = content.count
    let length: [UInt8] =
      count < 0x80
      ? [UInt8(count)]
      : count < 0x100 ? [0x81, UInt8(count)] : [0x82, UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    return [tag] + length + content
  }

  static func integer(_ number: [UInt8]) -> [UInt8] {
    var digits = Array(number.drop { $0 == 0 })
    if digits.first ?? 0x80 >= 0x80 { digits.insert(0, at: 0) }
    return make(DER.integer, digits)
  }
}

/// Base64 with padding (RFC 4648 §4), in lines as PEM has them (RFC 7468 §2).
private enum Base64Lines {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    var digitCount = 0
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let value = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
      for digit in 0..<4 {
        text.append(digit <= group.count ? alphabet[value >> (18 - 6 * digit) & 0x3F] : UInt8(ascii: "="))
      }
      digitCount += 4
      if digitCount % 64 == 0 { text.append(0x0A) }
    }
    if digitCount % 64 != 0 { text.append(0x0A) }
    return String(decoding: text, as: UTF8.self)
  }
}

extension EllipticCurve {
  /// RFC 5480 §2.1.1.1.
  fileprivate var objectID: [UInt8] {
    switch self {
    case .p256: [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
    case .p384: [0x2B, 0x81, 0x04, 0x00, 0x22]
    case .p521: [0x2B, 0x81, 0x04, 0x00, 0x23]
    }
  }
}

extension EdwardsCurve {
  /// RFC 8410 §3.
  fileprivate var objectID: [UInt8] { [0x2B, 0x65, self == .ed25519 ? 0x70 : 0x71] }
}
