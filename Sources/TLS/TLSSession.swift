// One TLS connection over two memory BIOs: ciphertext in, plaintext out, and the other way round. Knows no socket and no
// loop; whoever owns it carries the bytes. Owns one SSL, which owns its BIOs.
// Invariant: the handshake is not complete until the peer's certificate was verified for the name that was asked for.

package import Bytes
internal import COpenSSL

/// How far a call came. Running out of bytes is no error.
package enum TLSOutcome: Sendable, Equatable {
  case complete
  /// More ciphertext is needed first.
  case incomplete
  /// The session is dead; what ``TLSSession/takeCiphertext(into:)`` gives (an alert) may still be sent.
  case failed(TLSError)
}

/// A TLS session with one owner. Not for two threads at once.
@safe
package struct TLSSession: ~Copyable {
  private let ssl: OpaquePointer
  /// Ciphertext that came in and ciphertext that is to go out; both belong to `ssl`.
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer
  /// One record's plaintext (RFC 8446 §5.1).
  private var scratch: [UInt8]
  private var failure: TLSError?
  /// The peer said close_notify: what was read before is whole (RFC 8446 §6.1).
  package private(set) var isClosedByPeer: Bool

  /// A client's session: nothing is sent before ``handshake()``.
  /// - Parameter host: the name (sent as SNI) or address that the peer's certificate must bear.
  package init(client context: ClientContext, host: String) throws(TLSError) {
    // Everything that can fail comes before the first property: a half-made session has nothing to free.
    let made = try unsafe Self.makeClient(context, host: host)
    unsafe ssl = made.ssl
    unsafe incoming = made.incoming
    unsafe outgoing = made.outgoing
    scratch = [UInt8](repeating: 0, count: 16 * 1024)
    failure = nil
    isClosedByPeer = false
  }

  private static func makeClient(
    _ context: ClientContext, host: String
  ) throws(TLSError) -> (ssl: OpaquePointer, incoming: OpaquePointer, outgoing: OpaquePointer) {
    ERR_clear_error()
    guard let ssl = unsafe context.makeSession() else { throw TLSError.drainingQueue(otherwise: "no TLS session") }
    // SAFETY: memory BIOs have no further owner until SSL_set_bio takes both; on failure each is freed here, once
    // (BIO_free takes null). From SSL_set_bio on, SSL_free frees everything, here or in deinit.
    guard let incoming = unsafe BIO_new(BIO_s_mem()) else {
      unsafe SSL_free(ssl)
      throw TLSError.drainingQueue(otherwise: "no memory")
    }
    guard let outgoing = unsafe BIO_new(BIO_s_mem()) else {
      unsafe BIO_free(incoming)
      unsafe SSL_free(ssl)
      throw TLSError.drainingQueue(otherwise: "no memory")
    }
    // An empty BIO means "wait for more" (-1), not the end of the stream.
    _ = unsafe BIO_ctrl(incoming, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    _ = unsafe BIO_ctrl(outgoing, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    unsafe SSL_set_bio(ssl, incoming, outgoing)
    unsafe SSL_set_connect_state(ssl)
    guard unsafe expect(host, of: ssl) else {
      unsafe SSL_free(ssl)
      throw TLSError.drainingQueue(otherwise: "not a host name: \(host)")
    }
    return unsafe (ssl, incoming, outgoing)
  }

  deinit {
    // SAFETY: init made it and nobody else frees it; the BIOs go with it.
    unsafe SSL_free(ssl)
  }

  /// Binds the session to the peer's name: RFC 9525 for names, the address entries of the certificate for addresses.
  private static func expect(_ host: String, of ssl: OpaquePointer) -> Bool {
    let name = host.hasSuffix(".") ? String(host.dropLast()) : host
    guard !name.isEmpty, !name.utf8.contains(0) else { return false }
    // SAFETY: the parameters belong to `ssl`; strings live through their calls and are copied by them.
    guard let parameters = unsafe SSL_get0_param(ssl) else { return false }
    if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
    ERR_clear_error()
    unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    guard unsafe SSL_set1_host(ssl, name) == 1 else { return false }
    // SSL_set_tlsext_host_name is a macro over SSL_ctrl; it copies the name.
    return unsafe name.withCString { text in
      unsafe SSL_ctrl(
        ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), UnsafeMutableRawPointer(mutating: text)) == 1
    }
  }

  /// Goes on with the handshake; to be called first, and after every ``receive(_:)`` until it is complete.
  package mutating func handshake() -> TLSOutcome {
    if let failure { return .failed(failure) }
    ERR_clear_error()
    // SAFETY: ssl is alive as long as self.
    return outcome(of: unsafe SSL_do_handshake(ssl), doing: "handshake")
  }

  /// Takes in ciphertext from the peer. It waits until ``handshake()`` or ``read(into:)`` works on it.
  package mutating func receive(_ ciphertext: Span<UInt8>) {
    var offset = 0
    while offset < ciphertext.count {
      let part = ciphertext.extracting(offset..<min(ciphertext.count, offset + 1 << 20))
      // SAFETY: BIO_write copies `count` bytes, at most 1 MiB, out of the span.
      let written = unsafe part.withUnsafeBufferPointer { unsafe BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
      guard written > 0 else {
        failure = TLSError.drainingQueue(otherwise: "no memory for the peer's bytes")
        return
      }
      offset += Int(written)
    }
  }

  /// Decrypts all that has been received and appends it.
  /// - Returns: `incomplete` when it has to wait for more, `complete` when the peer has closed its side properly.
  package mutating func read(into plaintext: inout ByteQueue) -> TLSOutcome {
    while true {
      if let failure { return .failed(failure) }
      ERR_clear_error()
      let count = scratch.count
      // SAFETY: SSL_read writes at most `count` bytes into the array.
      let result = unsafe scratch.withUnsafeMutableBufferPointer { [ssl] in
        unsafe SSL_read(ssl, $0.baseAddress, Int32(count))
      }
      if result <= 0 {
        let end = outcome(of: result, doing: "read")
        return isClosedByPeer ? .complete : end
      }
      plaintext.append(scratch.span.extracting(0..<min(Int(result), count)))
    }
  }

  /// Encrypts bytes; the handshake must be complete. Memory BIOs take all of them.
  package mutating func write(_ plaintext: Span<UInt8>) -> TLSOutcome {
    var offset = 0
    while offset < plaintext.count {
      if let failure { return .failed(failure) }
      ERR_clear_error()
      let part = plaintext.extracting(offset..<min(plaintext.count, offset + 16 * 1024))
      // SAFETY: SSL_write reads `count` bytes, at most 16 KiB, out of the span.
      let result = unsafe part.withUnsafeBufferPointer { unsafe SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
      guard result > 0 else { return outcome(of: result, doing: "write") }
      offset += Int(result)
    }
    return .complete
  }

  /// Says close_notify to the peer. Nothing may be written afterwards.
  package mutating func close() {
    guard failure == nil else { return }
    ERR_clear_error()
    // SAFETY: ssl is alive; the result only tells whether the peer has closed too.
    _ = unsafe SSL_shutdown(ssl)
    ERR_clear_error()
  }

  /// Moves all ciphertext that is to be sent to the end of the queue.
  package mutating func takeCiphertext(into queue: inout ByteQueue) {
    let count = scratch.count
    while true {
      // SAFETY: BIO_read writes at most `count` bytes into the array.
      let result = unsafe scratch.withUnsafeMutableBufferPointer { [outgoing] in
        unsafe BIO_read(outgoing, $0.baseAddress, Int32(count))
      }
      guard result > 0 else { return }
      queue.append(scratch.span.extracting(0..<min(Int(result), count)))
    }
  }

  /// The version in use, such as `TLSv1.3`: for logs.
  package var version: String {
    // SAFETY: a static string.
    unsafe SSL_get_version(ssl).map { unsafe String(cString: $0) } ?? ""
  }

  private mutating func outcome(of result: Int32, doing step: String) -> TLSOutcome {
    if result > 0 { return .complete }
    // SAFETY: reads ssl and this thread's error queue, which was emptied just before the call in question.
    switch unsafe SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return .incomplete
    case SSL_ERROR_ZERO_RETURN:
      isClosedByPeer = true
      let error = TLSError("the peer closed during the \(step)")
      failure = step == "read" ? nil : error
      return .failed(error)
    default:
      let error = TLSError.drainingQueue(
        otherwise: "the peer closed during the \(step)", verification: unsafe SSL_get_verify_result(ssl))
      failure = error
      return .failed(error)
    }
  }
}
