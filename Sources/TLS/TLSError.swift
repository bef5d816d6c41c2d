// A TLS failure as a value: OpenSSL's per-thread error queue is emptied into it, so that no later call reads old
// errors.

internal import COpenSSL
internal import Glibc

/// How a handshake ended, as a label of `catraca_tls_handshakes_total`.
package enum TLSResult: String, CaseIterable, Sendable {
  case ok
  case resumed
  case noSharedProtocol = "no_shared_protocol"
  case noSharedVersion = "no_shared_version"
  case noSharedCipher = "no_shared_cipher"
  case certificateRequired = "certificate_required"
  case certificateInvalid = "certificate_invalid"
  /// The peer sent an alert: it refused us.
  case refusedByPeer = "refused_by_peer"
  case plainHTTP = "plain_http"
  case protocolError = "protocol_error"
  case closed
  case timeout
  case internalError = "internal_error"
}

/// What went wrong in a context or a session, in words that an operator can act on.
package struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Such as `certificate verify failed: unable to get local issuer certificate`. Begins with the file's path, if any.
  package let reason: String
  package let result: TLSResult
  /// The file at fault.
  package let file: String?

  init(_ reason: String, result: TLSResult = .internalError) {
    self.reason = reason
    self.result = result
    file = nil
  }

  init(file: String, _ reason: String) {
    self.reason = "\(file): \(reason)"
    self.file = file
    result = .internalError
  }

  package var description: String { reason }

  /// Whether the peer's certificate was refused, rather than the bytes.
  package var isCertificateRefused: Bool { result == .certificateInvalid }

  /// Whether the first bytes were a request of plain HTTP. No alert was made: a readable answer may be sent instead.
  package var isPlainHTTP: Bool { result == .plainHTTP }

  /// The transport ended before the handshake did.
  package static let connectionClosed = TLSError("the connection was closed during the handshake", result: .closed)

  /// Empties this thread's error queue. It mostly is empty already: to look costs a fifth of what clearing does.
  static func clearQueue() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
  }

  /// Whether reading a PEM file ended as it should: its end is "no start line", anything else is a part that cannot be
  /// read.
  static var isEndOfPEM: Bool {
    let error = ERR_peek_last_error()
    return error == 0 || ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
  }

  /// Takes everything out of this thread's error queue. The first entry is the cause, later ones are its echoes.
  /// - Parameter verification: what the certificate check of the session said, X509_V_OK when it is not known.
  static func drainingQueue(
    otherwise fallback: String, result: TLSResult = .internalError, verification: Int = Int(X509_V_OK)
  ) -> TLSError {
    var cause: UInt = 0
    while true {
      let code = ERR_get_error()
      if code == 0 { break }
      if cause == 0 { cause = code }
    }
    let reason = reason(of: cause) ?? fallback
    let result = Self.result(of: cause) ?? result
    guard result == .certificateInvalid, verification != Int(X509_V_OK) else { return TLSError(reason, result: result) }
    let fault = unsafe X509_verify_cert_error_string(verification).map { unsafe String(cString: $0) } ?? "unknown fault"
    return TLSError("\(reason): \(fault)", result: .certificateInvalid)
  }

  /// The same for a file.
  static func drainingQueue(file: String, otherwise fallback: String) -> TLSError {
    TLSError(file: file, drainingQueue(otherwise: fallback).reason)
  }

  private static func reason(of code: UInt) -> String? {
    guard code != 0 else { return nil }
    // SAFETY: both functions give back a C string that is static or this thread's, or null. It is copied.
    if ERR_GET_LIB(code) == ERR_LIB_SYS {
      return unsafe strerror(ERR_GET_REASON(code)).map { unsafe String(cString: $0) }
    }
    return unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
  }

  /// nil for what libssl did not say, such as an encoding error in a certificate.
  private static func result(of code: UInt) -> TLSResult? {
    guard code != 0 else { return nil }
    guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return .protocolError }
    let reason = ERR_GET_REASON(code)
    // Alerts that the peer sent are reasons from here on.
    if reason >= SSL_AD_REASON_OFFSET { return .refusedByPeer }
    switch reason {
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return .plainHTTP
    case SSL_R_NO_APPLICATION_PROTOCOL: return .noSharedProtocol
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH: return .noSharedVersion
    case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_GROUPS, SSL_R_NO_SUITABLE_KEY_SHARE,
      SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return .noSharedCipher
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return .certificateRequired
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return .certificateInvalid
    default: return .protocolError
    }
  }
}
