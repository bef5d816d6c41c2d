// gzip (RFC 1952) by zlib, for the levels that are chosen for size. One owner for one `z_stream`, which zlib points
// back to and which so must not move.

import Bytes
internal import CZlib

/// Holds 268 KB, message or not: it is kept and used again, since zlib takes longer to make one than to code a small
/// answer.
@safe
final class GzipCompressor: Compressor {
  private let stream: UnsafeMutablePointer<z_stream>

  /// Bytes that the library is offered at a time.
  private static let outputByteCount = 16 * 1024

  private init(takingOwnershipOf stream: UnsafeMutablePointer<z_stream>) {
    unsafe self.stream = stream
    super.init(.gzip)
  }

  static func make() -> GzipCompressor? {
    // SAFETY: zeroed fields ask zlib for its own allocator. On failure, what was allocated is freed here.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe catraca_deflate_init(stream, 1) == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
    return unsafe GzipCompressor(takingOwnershipOf: stream)
  }

  deinit {
    // SAFETY: made by `make`, ended exactly once.
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  override func serves(_ coding: ContentCoding, level: Int) -> Bool {
    coding == .gzip && level > FastGzipCompressor.levelMax
  }

  override func begin(level: Int) -> Bool {
    // SAFETY: the stream is alive. With nothing handed in yet, the new level costs no output.
    unsafe deflateReset(stream) == Z_OK
      && deflateParams(stream, Int32(clamping: min(max(level, 1), 9)), Z_DEFAULT_STRATEGY) == Z_OK
  }

  override func compress(_ bytes: Span<UInt8>, _ step: CompressionStep, to output: inout ByteQueue) -> Bool {
    guard let count = UInt32(exactly: bytes.count) else { return false }
    let mode =
      switch step {
      case .more: Z_NO_FLUSH
      case .flush: Z_SYNC_FLUSH
      case .end: Z_FINISH
      }
    // SAFETY: zlib reads `count` bytes at next_in, which it does not change, and only within this call.
    return unsafe bytes.withUnsafeBufferPointer { input in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.pointee.avail_in = count
      defer {
        unsafe stream.pointee.next_in = nil
        unsafe stream.pointee.avail_in = 0
      }
      return deflateAll(mode, to: &output)
    }
  }

  private func deflateAll(_ mode: Int32, to output: inout ByteQueue) -> Bool {
    while true {
      var result = Z_STREAM_ERROR
      var isFull = false
      output.append(upTo: Self.outputByteCount) { room in
        // SAFETY: zlib writes at most avail_out bytes from next_out on, and says how many it left.
        unsafe room.withUnsafeMutableBufferPointer { buffer, initializedCount in
          unsafe stream.pointee.next_out = buffer.baseAddress
          unsafe stream.pointee.avail_out = UInt32(clamping: buffer.count)
          result = unsafe deflate(stream, mode)
          let left = unsafe Int(stream.pointee.avail_out)
          initializedCount = buffer.count - left
          isFull = left == 0
          unsafe stream.pointee.next_out = nil
        }
      }
      switch result {
      case Z_STREAM_END: return mode == Z_FINISH
      // Room was left, so nothing waits: Z_BUF_ERROR says that there was nothing to do.
      case Z_OK, Z_BUF_ERROR: if !isFull { return mode != Z_FINISH }
      default: return false
      }
    }
  }
}
