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
