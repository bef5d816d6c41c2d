// Which libraries of compression this process has loaded.

internal import CBrotli
internal import CIgzip
internal import CZlib

package enum CompressionLibraries {
  package static var zlib: String {
    // SAFETY: a string of the library that lives as long as the process.
    unsafe String(cString: zlibVersion())
  }

  /// The headers' version: the library has no call that tells its own.
  package static let igzip = "\(ISAL_MAJOR_VERSION).\(ISAL_MINOR_VERSION).\(ISAL_PATCH_VERSION)"

  package static var brotli: String {
    let number = BrotliEncoderVersion()
    return "\(number >> 24).\(number >> 12 & 0xFFF).\(number & 0xFFF)"
  }
}
