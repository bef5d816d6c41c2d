// Content codings as a client undoes them, by the libraries' own decoders. Also of what is not complete yet.

internal import CBrotliDecoder
internal import CZlib

/// What could be decoded.
package struct Decoded: Equatable, Sendable {
  package var bytes: [UInt8]
  /// The coded stream has come to its end, and nothing follows it.
  package var isComplete: Bool

  package init(bytes: [UInt8], isComplete: Bool) {
    self.bytes = bytes
    self.isComplete = isComplete
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// - Parameter coding: `gzip` or `br`. Anything else decodes to nothing.
package func decoded(_ bytes: [UInt8], _ coding: String?) -> Decoded {
  switch coding {
  case "gzip": inflated(bytes)
  case "br": unBrotlied(bytes)
  default: Decoded(bytes: [], isComplete: false)
  }
}

/// What zlib makes of the bytes in its own format (RFC 1950). Nil only when it cannot.
package func zlibDeflated(_ bytes: [UInt8]) -> [UInt8]? {
  var result = [UInt8](repeating: 0, count: bytes.count + bytes.count / 500 + 64)
  var count = UInt(result.count)
  // SAFETY: zlib reads `bytes` and writes at most `count` bytes, within this call.
  let status = unsafe result.withUnsafeMutableBufferPointer { output in
    unsafe bytes.withUnsafeBufferPointer { input in
      unsafe compress2(output.baseAddress, &count, input.baseAddress, UInt(input.count), 9)
    }
  }
  return status == Z_OK ? Array(result.prefix(Int(count))) : nil
}

private func inflated(_ bytes: [UInt8]) -> Decoded {
  var result = Decoded(bytes: [], isComplete: false)
  var input = bytes
  // SAFETY: the stream lies in one place until it is ended. zlib reads and writes within the buffers of these calls.
  unsafe input.withUnsafeMutableBufferPointer { input in
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    defer {
      unsafe inflateEnd(stream)
      unsafe stream.deallocate()
    }
    guard unsafe catraca_inflate_init(stream) == Z_OK else { return }
    unsafe stream.pointee.next_in = input.baseAddress
    unsafe stream.pointee.avail_in = UInt32(input.count)
    var status = Z_OK
    var room = [UInt8](repeating: 0, count: 65_536)
    while status == Z_OK {
      let count = unsafe room.withUnsafeMutableBufferPointer { room in
        unsafe stream.pointee.next_out = room.baseAddress
        unsafe stream.pointee.avail_out = UInt32(room.count)
        status = unsafe inflate(stream, Z_SYNC_FLUSH)
        return unsafe room.count - Int(stream.pointee.avail_out)
      }
      result.bytes += room[..<count]
    }
    result.isComplete = unsafe status == Z_STREAM_END && stream.pointee.avail_in == 0
  }
  return result
}

private func unBrotlied(_ bytes: [UInt8]) -> Decoded {
  var result = Decoded(bytes: [], isComplete: false)
  // SAFETY: the decoder is made and destroyed here. It reads within the buffer of this call.
  unsafe bytes.withUnsafeBufferPointer { input in
    guard let decoder = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else { return }
    defer { unsafe BrotliDecoderDestroyInstance(decoder) }
    var left = input.count
    var next = input.baseAddress
    while true {
      var room = 0
      let status = unsafe BrotliDecoderDecompressStream(decoder, &left, &next, &room, nil, nil)
      var count = 0
      while let output = unsafe BrotliDecoderTakeOutput(decoder, &count), count > 0 {
        unsafe result.bytes += UnsafeBufferPointer(start: output, count: count)
        count = 0
      }
      if status == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT { continue }
      result.isComplete = status == BROTLI_DECODER_RESULT_SUCCESS && left == 0
      return
    }
  }
  return result
}
