// Certificates and keys as files: read whole, bounded, with errors that name the file and what is wrong with it.

internal import Bytes
internal import COpenSSL

/// The bytes of a small file, and a BIO over them.
enum PEMFile {
  /// LIMIT: no certificate bundle is larger.
  static let byteCountMax = 8 << 20

  static func read(_ path: String) throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    guard !path.utf8.contains(0), let bio = unsafe BIO_new_file(path, "rb") else {
      throw TLSError.drainingQueue(file: path, otherwise: "cannot be opened")
    }
    // SAFETY: the BIO is ours until it is freed here. It writes at most the block's count.
    defer { unsafe BIO_free(bio) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 16 * 1024)
    while bytes.count <= byteCountMax {
      let count = unsafe BIO_read(bio, &block, Int32(block.count))
      guard count > 0 else {
        if bytes.isEmpty { throw TLSError.drainingQueue(file: path, otherwise: "the file is empty") }
        ERR_clear_error()
        return bytes
      }
      bytes += block.prefix(Int(count))
    }
    throw TLSError(file: path, "the file is larger than \(byteCountMax >> 20) MiB")
  }

  /// A BIO that reads the bytes, for the length of the closure.
  static func withBIO<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result?) -> Result? {
    // SAFETY: the BIO borrows the array for the length of the closure and is freed in it.
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
      defer { unsafe BIO_free(bio) }
      return unsafe body(bio)
    }
  }

  /// Whether the text is in the bytes.
  static func contains(_ text: StaticString, in bytes: [UInt8]) -> Bool {
    let count = text.utf8CodeUnitCount
    var start = 0
    // SAFETY: the literal lives for ever.
    let first = unsafe text.utf8Start.pointee
    while let index = bytes.span.firstIndex(of: first, from: start), index + count <= bytes.count {
      var matched = 0
      while matched < count, unsafe bytes[index + matched] == text.utf8Start[matched] { matched += 1 }
      if matched == count { return true }
      start = index + 1
    }
    return false
  }
}
