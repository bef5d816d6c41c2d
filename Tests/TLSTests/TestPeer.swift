// The server's end of a TLS connection for tests, straight on OpenSSL, with the same two memory BIOs.

import Bytes
import COpenSSL

/// Not for anything but tests: no errors are distinguished.
@safe
final class TestPeer {
  private let context: OpaquePointer
  private let ssl: OpaquePointer
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer

  init?(certificate: String, key: String, versionMax: Int32 = TLS1_3_VERSION) {
    // SAFETY: all pointers are made here and freed in deinit. A test that gets nil here fails, and leaks for its rest.
    guard let context = unsafe SSL_CTX_new(TLS_server_method()),
      unsafe SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) == 1,
      unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1,
      unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, 0x301, nil) == 1,
      unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(versionMax), nil) == 1,
      let ssl = unsafe SSL_new(context), let incoming = unsafe BIO_new(BIO_s_mem()),
      let outgoing = unsafe BIO_new(BIO_s_mem())
    else { return nil }
    unsafe SSL_CTX_set_security_level(context, 0)
    unsafe SSL_set_security_level(ssl, 0)
    _ = unsafe BIO_ctrl(incoming, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    unsafe SSL_set_bio(ssl, incoming, outgoing)
    unsafe SSL_set_accept_state(ssl)
    unsafe self.context = context
    unsafe self.ssl = ssl
    unsafe self.incoming = incoming
    unsafe self.outgoing = outgoing
  }

  deinit {
    unsafe SSL_free(ssl)
    unsafe SSL_CTX_free(context)
  }

  /// Receives bytes, goes on with the handshake, and returns what it has to send.
  func exchange(_ bytes: [UInt8]) -> [UInt8] {
    receive(bytes)
    ERR_clear_error()
    if unsafe SSL_is_init_finished(ssl) == 0 { _ = unsafe SSL_do_handshake(ssl) }
    return takeCiphertext()
  }

  func receive(_ bytes: [UInt8]) {
    _ = unsafe BIO_write(incoming, bytes, Int32(bytes.count))
  }

  func takeCiphertext() -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 1 << 16)
    var all: [UInt8] = []
    while true {
      let count = unsafe BIO_read(outgoing, &block, Int32(block.count))
      if count <= 0 { return all }
      all += block[..<Int(count)]
    }
  }

  func read() -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 1 << 16)
    var all: [UInt8] = []
    while true {
      let count = unsafe SSL_read(ssl, &block, Int32(block.count))
      if count <= 0 { return all }
      all += block[..<Int(count)]
    }
  }

  func write(_ bytes: [UInt8]) { _ = unsafe SSL_write(ssl, bytes, Int32(bytes.count)) }

  func close() { _ = unsafe SSL_shutdown(ssl) }

  var serverName: String? {
    unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
  }
}
