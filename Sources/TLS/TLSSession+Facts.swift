// What was agreed on in the handshake. Read once per connection. Strings are made again with each call.

internal import COpenSSL

package struct TLSFacts: Sendable, Equatable {
  /// `TLSv1.2` or `TLSv1.3`.
  package let version: String
  /// OpenSSL's name, such as `TLS_AES_128_GCM_SHA256`.
  package let cipher: String
  package let isResumed: Bool
  /// By ALPN.
  package let applicationProtocol: String?
  /// By SNI, in lower case and without a final dot.
  package let serverName: String?
}

extension TLSSession {
  /// To be asked for once the handshake is complete.
  package func facts() -> TLSFacts {
    // SAFETY: ssl is alive. Strings are static or belong to it, and are copied.
    TLSFacts(
      version: version,
      cipher: unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { unsafe String(cString: $0) } ?? "",
      isResumed: unsafe SSL_session_reused(ssl) == 1, applicationProtocol: applicationProtocol,
      serverName: unsafe ServerNames.name(of: ssl))
  }

  /// The version in use, such as `TLSv1.3`: for logs.
  package var version: String {
    // SAFETY: a static string.
    unsafe SSL_get_version(ssl).map { unsafe String(cString: $0) } ?? ""
  }

  private var applicationProtocol: String? {
    var bytes: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    // SAFETY: the name belongs to ssl and is copied.
    unsafe SSL_get0_alpn_selected(ssl, &bytes, &count)
    guard let bytes = unsafe bytes, count > 0 else { return nil }
    return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
  }

  /// Whom the client has proved to be. Nil without a certificate, or before the handshake is complete.
  package func clientCertificate() -> ClientCertificate? {
    // SAFETY: the certificate belongs to ssl.
    guard isEstablished, let certificate = unsafe SSL_get0_peer_certificate(ssl),
      unsafe SSL_get_verify_result(ssl) == Int(X509_V_OK)
    else { return nil }
    return unsafe ClientCertificate(of: certificate)
  }
}
