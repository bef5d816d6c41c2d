// A TLS failure as a value: OpenSSL's per-thread error queue is emptied into it, so that no later call reads old errors.

internal import COpenSSL

/// What went wrong in a context or a session, in words that an operator can act on.
package struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Such as `certificate verify failed: unable to get local issuer certificate`.
  package let reason: String
  /// Whether the peer's certificate was refused, rather than the bytes.
  package let isCertificateRefused: Bool

  init(_ reason: String, isCertificateRefused: Bool = false) {
    self.reason = reason
    self.isCertificateRefused = isCertificateRefused
  }

  package var description: String { reason }

  /// The transport ended before the handshake did.
  package static let connectionClosed = TLSError("the connection was closed during the handshake")

  /// Takes everything out of this thread's error queue. The first entry is the cause, later ones are its echoes.
  /// - Parameter verification: what the certificate check of the session said, X509_V_OK when it is not known.
  static func drainingQueue(otherwise fallback: String, verification: Int = Int(X509_V_OK)) -> TLSError {
    var cause: UInt = 0
    while true {
      let code = ERR_get_error()
      if code == 0 { break }
      if cause == 0 { cause = code }
    }
    // SAFETY: both functions give back a static C string or null.
    let reason = unsafe ERR_reason_error_string(cause).map { unsafe String(cString: $0) } ?? fallback
    guard verification != Int(X509_V_OK) else { return TLSError(reason) }
    let fault = unsafe X509_verify_cert_error_string(verification).map { unsafe String(cString: $0) } ?? "unknown fault"
    return TLSError("\(reason): \(fault)", isCertificateRefused: true)
  }
}
