// OpenSSL as a part of the process.

internal import COpenSSL

package enum CryptographyLibrary {
  /// To be called before anything else of OpenSSL. Otherwise `exit` takes its state down while other threads use it,
  /// and a process that ends while its workers start crashes.
  package static func keepUntilTheEnd() {
    _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
  }
}
