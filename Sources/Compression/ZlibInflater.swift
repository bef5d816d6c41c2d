// Reads what zlib has compressed (RFC 1950), up to a bound: a few bytes may say that millions follow.

internal import Bytes
internal import CZlib

package enum ZlibInflater {
  /// - Parameter byteCountMax: of the result.
  /// - Returns: nil for what is not one whole stream of zlib, or is larger than that.
  package static func inflate(_ bytes: [UInt8], byteCountMax: Int) -> [UInt8]? {
    guard let count = UInt32(exactly: bytes.count), count > 0 else { return nil }
    // SAFETY: zeroed fields ask zlib for its own allocator. On failure, nothing was allocated.
    var stream = unsafe z_stream()
    guard unsafe catraca_inflate_zlib_init(&stream) == Z_OK else { return nil }
    defer { unsafe inflateEnd(&stream) }
    // SAFETY: zlib reads `count` bytes at next_in, which it does not change, and only within this closure.
    return unsafe bytes.withUnsafeBufferPointer { input in
      unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.avail_in = count
      return unsafe inflateAll(&stream, byteCountMax)
    }
  }

  /// LIMIT: what a step makes. A stream that goes past the bound is dropped at once.
  private static let stepByteCount = 64 * 1024

  private static func inflateAll(_ stream: inout z_stream, _ byteCountMax: Int) -> [UInt8]? {
    var result: [UInt8] = []
    var step = [UInt8](repeating: 0, count: stepByteCount)
    while true {
      // SAFETY: zlib writes at most avail_out bytes at next_out, within this closure, and says how many it left.
      let (status, left) = unsafe step.withUnsafeMutableBufferPointer { room in
        unsafe stream.next_out = room.baseAddress
        unsafe stream.avail_out = UInt32(clamping: room.count)
        let status = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
        return unsafe (status, Int(stream.avail_out))
      }
      let made = stepByteCount - left
      if result.count + made > byteCountMax { return nil }
      result += step[..<made]
      switch status {
      // Nothing may follow.
      case Z_STREAM_END: return unsafe stream.avail_in == 0 ? result : nil
      case Z_OK where made > 0: continue
      // The input was cut, or is none of zlib's.
      default: return nil
      }
    }
  }
}
