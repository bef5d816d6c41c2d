// SHA-256 for the hot path: the algorithm is looked up once, which takes longer than the digest of a few bytes.

internal import Bytes
internal import COpenSSL

/// Not Sendable: one a worker.
@safe
package final class PreparedDigest {
  private let context: OpaquePointer?
  private let algorithm: OpaquePointer?

  package static let byteCount = 32

  package init() {
    unsafe context = unsafe EVP_MD_CTX_new()
    unsafe algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)
  }

  deinit {
    // SAFETY: the only owner lets go. Both functions take nil.
    unsafe EVP_MD_CTX_free(context)
    unsafe EVP_MD_free(algorithm)
  }

  /// Writes the 32 bytes at an offset of `output`. False when they do not fit, or OpenSSL cannot do it.
  package func sha256(_ message: Span<UInt8>, into output: inout [UInt8], at offset: Int) -> Bool {
    guard let context = unsafe context, let algorithm = unsafe algorithm, offset >= 0,
      output.count - offset >= Self.byteCount
    else { return false }
    // SAFETY: behind the offset there is room for the 32 bytes that the digest takes. The message is only read.
    let isDone = unsafe output.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { message in
        unsafe EVP_DigestInit_ex2(context, algorithm, nil) == 1
          && EVP_DigestUpdate(context, message.baseAddress, message.count) == 1
          && EVP_DigestFinal_ex(context, output.baseAddress.map { unsafe $0 + offset }, nil) == 1
      }
    }
    if !isDone { ERR_clear_error() }
    return isDone
  }
}
