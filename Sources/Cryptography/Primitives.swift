// Digests, random bytes and a comparison whose duration reveals nothing.

internal import COpenSSL

package enum SHA256 {
  /// The digest of `message`, 32 bytes (FIPS 180-4). For set-up, not for the hot path.
  package static func digest(_ message: Span<UInt8>) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    // SAFETY: the output has the 32 bytes that the function writes. The input is only read.
    unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        _ = unsafe COpenSSL.SHA256(input.baseAddress, input.count, output.baseAddress)
      }
    }
    return result
  }
}

package enum SHA1 {
  /// The digest of `message`, 20 bytes. For the handshake of WebSockets (RFC 6455 §1.3), which asks nothing of its
  /// strength.
  package static func digest(_ message: Span<UInt8>) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 20)
    // SAFETY: the output has the 20 bytes that the function writes. The input is only read.
    unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        _ = unsafe COpenSSL.SHA1(input.baseAddress, input.count, output.baseAddress)
      }
    }
    return result
  }
}

package enum RandomBytes {
  /// `count` bytes from OpenSSL's generator, or nil when it has no entropy: never anything weaker.
  package static func make(_ count: Int) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: count)
    // SAFETY: writes exactly the buffer's count.
    let isDone = unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe RAND_bytes(output.baseAddress, Int32(clamping: output.count)) == 1
    }
    if !isDone { ERR_clear_error() }
    return isDone ? result : nil
  }
}

package enum ConstantTime {
  /// Whether both are equal, in a time that depends on the lengths alone.
  package static func areEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    if a.count != b.count { return false }
    if a.isEmpty { return true }
    // SAFETY: both are `a.count` bytes long.
    return unsafe a.withUnsafeBufferPointer { a in
      unsafe b.withUnsafeBufferPointer { b in unsafe CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 }
    }
  }
}
