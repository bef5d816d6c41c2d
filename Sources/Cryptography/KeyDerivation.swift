// Keys from a secret, one for each purpose (RFC 5869): who learns one of them learns nothing of the others.

internal import Bytes
internal import COpenSSL

package enum KeyDerivation {
  private static let digestByteCount = 32
  /// RFC 5869 §2.3.
  static let byteCountMax = 255 * digestByteCount

  /// HKDF with SHA-256. Nil for more than 8160 bytes, or when OpenSSL cannot do it.
  /// - Parameter label: what the key is for.
  package static func derive(
    _ byteCount: Int, from secret: Span<UInt8>, salt: Span<UInt8> = Span(), label: Span<UInt8>
  ) -> [UInt8]? {
    // §2.2: without a salt, as many zeros as the digest has bytes.
    let zeros = [UInt8](repeating: 0, count: digestByteCount)
    guard byteCount <= byteCountMax,
      let root = salt.isEmpty ? authenticate(secret, key: zeros.span) : authenticate(secret, key: salt)
    else { return nil }
    let label = label.copied()
    var result: [UInt8] = []
    var block: [UInt8] = []
    var number: UInt8 = 0
    while result.count < byteCount {
      number &+= 1
      let message = block + label + [number]
      guard let next = authenticate(message.span, key: root.span) else { return nil }
      block = next
      result += next
    }
    return Array(result.prefix(byteCount))
  }

  /// HMAC with SHA-256 (RFC 2104).
  private static func authenticate(_ message: Span<UInt8>, key: Span<UInt8>) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: digestByteCount)
    // SAFETY: the output has the 32 bytes that the function writes. Key and message are only read, and an empty
    // message may have no address.
    let isDone = unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { message in
        unsafe key.withUnsafeBufferPointer { key in
          unsafe HMAC(
            EVP_sha256(), key.baseAddress, Int32(clamping: key.count), message.baseAddress, message.count,
            output.baseAddress, nil) != nil
        }
      }
    }
    if !isDone { ERR_clear_error() }
    return isDone ? result : nil
  }
}
