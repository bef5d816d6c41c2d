// The digest of a message, by the name of the digest.

import Bytes
internal import COpenSSL

extension Digest {
  /// The digest of `message` (FIPS 180-4). For set-up and logins, not for the hot path.
  package func digest(_ message: Span<UInt8>) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: byteCount)
    // SAFETY: the output has the bytes that the digest's function writes. The input is only read.
    unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        _ =
          switch self {
          case .sha256: unsafe COpenSSL.SHA256(input.baseAddress, input.count, output.baseAddress)
          case .sha384: unsafe SHA384(input.baseAddress, input.count, output.baseAddress)
          case .sha512: unsafe SHA512(input.baseAddress, input.count, output.baseAddress)
          }
      }
    }
    return result
  }
}
