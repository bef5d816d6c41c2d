// gzip (RFC 1952) by igzip of ISA-L, for the levels that are chosen for speed. It takes a third to a half of zlib's
// time for the same size.

import Bytes
internal import CIgzip

/// Holds 430 KB, message or not, as ``GzipCompressor`` holds its stream.
@safe
final class FastGzipCompressor: Compressor {
  private let state: UnsafeMutableRawPointer

  /// Levels above are zlib's.
  static let levelMax = 3

  /// Bytes that the library is offered at a time.
  private static let outputByteCount = 16 * 1024

  init() {
    unsafe state = UnsafeMutableRawPointer.allocate(byteCount: catraca_igzip_byte_count(), alignment: 64)
    super.init(.gzip)
  }

  deinit { unsafe state.deallocate() }

  override func serves(_ coding: ContentCoding, level: Int) -> Bool { coding == .gzip && level <= Self.levelMax }

  override func begin(level: Int) -> Bool {
    // SAFETY: the state and the memory of each level are within what `init` allocated.
    unsafe catraca_igzip_begin(state, UInt32(clamping: min(max(level, 1), Self.levelMax)))
    return true
  }

  override func compress(_ bytes: Span<UInt8>, _ step: CompressionStep, to output: inout ByteQueue) -> Bool {
    guard let count = UInt32(exactly: bytes.count) else { return false }
    // SAFETY: igzip reads `count` bytes of the input, which it does not change, and only within this call.
    return unsafe bytes.withUnsafeBufferPointer { input in
      unsafe catraca_igzip_offer(state, input.baseAddress, count, step == .flush ? 1 : 0, step == .end ? 1 : 0)
      defer { unsafe catraca_igzip_offer(state, nil, 0, 0, 0) }
      guard codeAll(to: &output) else { return false }
      return unsafe step != .end || catraca_igzip_is_ended(state) != 0
    }
  }

  private func codeAll(to output: inout ByteQueue) -> Bool {
    while true {
      var result: Int32 = -1
      var left: UInt32 = 0
      output.append(upTo: Self.outputByteCount) { room in
        // SAFETY: igzip writes at most `count` bytes from the buffer's beginning on, and says how many it left.
        unsafe room.withUnsafeMutableBufferPointer { buffer, initializedCount in
          let count = UInt32(clamping: buffer.count)
          unsafe result = catraca_igzip_code(state, buffer.baseAddress, count, &left)
          initializedCount = Int(count - left)
        }
      }
      if result != 0 { return false }
      // Room was left, so nothing waits.
      if left > 0 { return true }
    }
  }
}
