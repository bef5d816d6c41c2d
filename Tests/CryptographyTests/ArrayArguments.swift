// The same functions for arrays: `#expect` cannot hold a span.

@testable import Cryptography

extension SignatureVerifier {
  func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool { isValid(signature.span, over: message.span) }
}

extension SigningKey {
  func sign(_ message: [UInt8], _ scheme: SignatureScheme) -> [UInt8]? { sign(message.span, scheme) }
}

extension DER {
  static func encodeSignature(_ raw: [UInt8], coordinateByteCount: Int, into result: inout [UInt8]) -> Int? {
    encodeSignature(raw.span, coordinateByteCount: coordinateByteCount, into: &result)
  }
}

extension SHA256 {
  static func digest(_ message: [UInt8]) -> [UInt8] { digest(message.span) }
}

extension ConstantTime {
  static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool { areEqual(a.span, b.span) }
}

extension SealingKey {
  func seal(_ plaintext: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8]? {
    seal(plaintext.span, nonce: nonce, context: context.span)
  }

  func open(_ sealed: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8]? {
    open(sealed.span, nonce: nonce, context: context.span)
  }
}

extension SealingKeys {
  func seal(_ plaintext: [UInt8], context: [UInt8]) -> [UInt8]? { seal(plaintext.span, context: context.span) }
  func open(_ box: [UInt8], context: [UInt8]) -> [UInt8]? { open(box.span, context: context.span) }
}

extension PreparedDigest {
  func sha256(_ message: [UInt8]) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: 33)
    return sha256(message.span, into: &output, at: 1) ? Array(output.dropFirst()) : nil
  }
}

extension KeyDerivation {
  static func derive(_ byteCount: Int, from secret: [UInt8], salt: [UInt8] = [], label: [UInt8]) -> [UInt8]? {
    derive(byteCount, from: secret.span, salt: salt.span, label: label.span)
  }
}
