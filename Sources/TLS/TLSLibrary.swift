// Which OpenSSL this process has loaded.

internal import COpenSSL

package enum TLSLibrary {
  /// As OpenSSL words it, such as `OpenSSL 3.0.17 1 Jul 2025`.
  package static var version: String {
    // SAFETY: a string of the library that lives as long as the process.
    unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
  }
}
