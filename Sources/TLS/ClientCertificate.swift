// What a client's verified certificate says, as text that may be in a header field.

internal import COpenSSL

package struct ClientCertificate: Sendable, Equatable {
  /// The subject's distinguished name as RFC 2253 writes it, in ASCII.
  package let subject: String
  /// Such as `DNS:a.example,URI:spiffe://example/a`. Commas within a name are written `\2C`.
  package let alternativeNames: String
  /// SHA-256 of the certificate, 64 lower-case hexadecimal digits.
  package let thumbprint: String
  /// The same as the member `x5t#S256` has it (RFC 8705 §3.1).
  package let thumbprintBase64URL: String

  /// - Parameter certificate: an X509 that lives through the call. nil when it cannot be read.
  init?(of certificate: OpaquePointer) {
    guard let subject = unsafe Self.subject(of: certificate) else { return nil }
    var digest = [UInt8](repeating: 0, count: 32)
    // SAFETY: a SHA-256 digest has 32 bytes.
    guard unsafe X509_digest(certificate, EVP_sha256(), &digest, nil) == 1 else { return nil }
    self.subject = subject
    alternativeNames = (unsafe AlternativeName.all(of: certificate) ?? [])
      .map { "\($0.kind.rawValue):\($0.text)" }.joined(separator: ",")
    thumbprint = hexadecimal(digest)
    thumbprintBase64URL = Self.base64URL(digest)
  }

  private static func subject(of certificate: OpaquePointer) -> String? {
    // SAFETY: the name belongs to the certificate. The BIO is ours until it is freed here. Its bytes are copied before.
    guard let name = unsafe X509_get_subject_name(certificate), let bio = unsafe BIO_new(BIO_s_mem()) else {
      return nil
    }
    defer { unsafe BIO_free(bio) }
    guard unsafe catraca_X509_NAME_print(bio, name) >= 0 else { return nil }
    var start: UnsafeMutablePointer<CChar>?
    let count = unsafe catraca_BIO_get_mem_data(bio, &start)
    guard let start = unsafe start, count > 0 else { return "" }
    let bytes = unsafe UnsafeBufferPointer(start: start, count: count).map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func base64URL(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 6 {
        bitCount -= 6
        text.append(digits[Int(bits >> UInt32(bitCount) & 63)])
      }
    }
    if bitCount > 0 { text.append(digits[Int(bits << UInt32(6 - bitCount) & 63)]) }
    return String(decoding: text, as: UTF8.self)
  }
}
