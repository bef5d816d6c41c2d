// One TLS connection: ciphertext in, plaintext out, and the other way round. Knows no socket and no loop. Its owner
// carries the bytes. Owns one SSL. SessionWire.swift has the bytes between the two. Invariant: the handshake is not
// complete until the peer's certificate was verified as far as the context requires it.

package import Bytes
internal import COpenSSL

/// How far a call got. Running out of bytes is not an error.
package enum TLSOutcome: Sendable, Equatable {
  /// The handshake is done, or all was written.
  case complete
  /// All bytes were consumed. More ciphertext is needed to go on.
  case incomplete
  /// The limit of plaintext is reached and more waits: stop reading, and call ``TLSSession/read(into:max:)`` later.
  case more
  /// The peer has closed its side properly: what was read before is whole (RFC 8446 §6.1).
  case closed
  /// The session is dead. What ``TLSSession/ciphertext`` gives (an alert) may still be sent.
  case failed(TLSError)
}

/// A TLS session with one owner. Not for two threads at once.
@safe
package struct TLSSession: ~Copyable {
  /// One record's plaintext (RFC 8446 §5.1).
  private static let recordByteCountMax = 16 * 1024
  /// More than what each record costs besides its plaintext, in every version and cipher that we speak.
  private static let recordOverhead = 96
  /// LIMIT: what the peer can make us queue with key updates and the like before anything of it was sent.
  private static let answerByteCountMax = 16 * 1024
  /// A client that shows no certificate ends its handshake with fewer bytes: what comes with them is a request.
  private static let finishedByteCountMax = 128

  let ssl: OpaquePointer
  let wire: SessionWire
  /// The callbacks of a server's SSL_CTX find their context by its address: it lives at least as long as `ssl`.
  private let server: ServerContext?
  private var resumption: ResumptionScope?
  private var failure: TLSError?
  private var answerByteCount = 0
  private var isMemoryLent = false
  /// The client has got no ticket yet.
  private var isTicketDue = false
  private var isClosing = false
  /// The handshake is complete.
  package private(set) var isEstablished = false
  /// The peer said close_notify.
  package private(set) var isClosedByPeer = false

  /// A server's session.
  package init(server context: ServerContext) throws(TLSError) {
    // Everything that can fail comes before the first property: a half-made session has nothing to free.
    let wire = SessionWire()
    let made = try unsafe Self.make(context.makeSession(), wire)
    unsafe SSL_set_accept_state(made)
    unsafe ssl = made
    self.wire = wire
    server = context
  }

  /// A client's session: nothing is sent before ``handshake()``.
  /// - Parameters:
  ///   - host: the name (sent as SNI) or address that the peer's certificate must bear.
  ///   - resumption: of an earlier session with the same context and host. Any other is left aside.
  package init(
    client context: ClientContext, host: String, resuming resumption: TLSResumption? = nil
  ) throws(TLSError) {
    let wire = SessionWire()
    let made = try unsafe Self.make(context.makeSession(), wire)
    unsafe SSL_set_connect_state(made)
    guard unsafe Self.expect(host, of: made) else {
      unsafe SSL_free(made)
      throw TLSError.drainingQueue(otherwise: "not a host name: \(host)")
    }
    let scope = ResumptionScope(context: context, host: host)
    if context.keepsSessions {
      // SAFETY: the callback finds the state by this address. It outlives `made`, see deinit.
      unsafe SSL_set_ex_data(made, 0, wire.state)
      if let resumption, resumption.scope == scope { unsafe resumption.install(in: made) }
    }
    unsafe ssl = made
    self.wire = wire
    server = nil
    self.resumption = scope
  }

  /// Gives the SSL its BIO.
  private static func make(
    _ made: OpaquePointer?, _ wire: borrowing SessionWire
  ) throws(TLSError) -> OpaquePointer {
    guard let ssl = unsafe made else { throw TLSError.drainingQueue(otherwise: "no TLS session") }
    guard let bio = unsafe wire.makeBIO() else {
      unsafe SSL_free(ssl)
      throw TLSError.drainingQueue(otherwise: "no memory")
    }
    // SAFETY: from here on SSL_free frees the BIO. Given for both directions, it is counted once.
    unsafe SSL_set_bio(ssl, bio, bio)
    return unsafe ssl
  }

  deinit {
    // A connection that just goes away takes no resumable session with it.
    // SAFETY: init made it and nobody else frees it. The wire's memory goes after this body.
    if failure == nil { unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
    unsafe SSL_free(ssl)
  }

  /// Binds the session to the peer's name: RFC 9525 for names, the address entries of the certificate for addresses.
  private static func expect(_ host: String, of ssl: OpaquePointer) -> Bool {
    let name = host.hasSuffix(".") ? String(host.dropLast()) : host
    guard !name.isEmpty, !name.utf8.contains(0) else { return false }
    // SAFETY: the parameters belong to `ssl`. Strings live through their calls and are copied by them.
    guard let parameters = unsafe SSL_get0_param(ssl) else { return false }
    if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
    TLSError.clearQueue()
    // RFC 9525 §2: a common name does not count as a name.
    let flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
    unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(flags))
    guard unsafe SSL_set1_host(ssl, name) == 1 else { return false }
    // SSL_set_tlsext_host_name is a macro over SSL_ctrl. It copies the name.
    return unsafe name.withCString { text in
      unsafe SSL_ctrl(
        ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), UnsafeMutableRawPointer(mutating: text)) == 1
    }
  }

  // MARK: Bytes in

  /// A client's first call, which makes its hello. Later ones happen in ``receive(_:into:max:)``.
  package mutating func handshake() -> TLSOutcome {
    if let failure { return .failed(failure) }
    TLSError.clearQueue()
    // SAFETY: ssl is alive as long as self.
    let outcome = outcome(of: unsafe SSL_do_handshake(ssl), doing: "handshake")
    isEstablished = isEstablished || outcome == .complete
    return outcome == .closed ? .failed(failure ?? .connectionClosed) : outcome
  }

  /// Takes in what the peer sent: goes on with the handshake as far as it can, then decrypts to the end of `plaintext`.
  /// - Parameter max: LIMIT of plaintext that this call appends.
  /// - Returns: `incomplete`, `more`, `closed` or `failed`.
  package mutating func receive(_ ciphertext: Span<UInt8>, into plaintext: inout ByteQueue, max: Int) -> TLSOutcome {
    // SAFETY: ssl is alive. OpenSSL knows some methods of HTTP only, and those when they come in one piece. No record
    // begins with a letter.
    if server != nil, failure == nil, unsafe SSL_in_before(ssl) == 1, ciphertext.count > 0, 0x41...0x5A ~= ciphertext[0]
    {
      return fail(TLSError("a request of plain HTTP", result: .plainHTTP))
    }
    // SAFETY: the wire lets go of the span's address before the closure ends.
    return unsafe ciphertext.withUnsafeBufferPointer { bytes in
      unsafe wire.beginReceiving(bytes)
      let outcome = advance(into: &plaintext, max: max)
      if case .failed = outcome { wire.dropInput() }
      if wire.endReceiving() { return outcome }
      return fail(TLSError("more was received than may wait", result: .protocolError))
    }
  }

  /// Goes on after `more`, with what was received before.
  package mutating func read(into plaintext: inout ByteQueue, max: Int) -> TLSOutcome {
    advance(into: &plaintext, max: max)
  }

  private mutating func advance(into plaintext: inout ByteQueue, max: Int) -> TLSOutcome {
    if !isEstablished {
      holdTicket()
      let outcome = handshake()
      if outcome != .complete { return outcome }
      noteHeldTicket()
    }
    let before = unsafe wire.state.pointee.outgoing.count
    let outcome = decrypt(into: &plaintext, max: max)
    answerByteCount += unsafe wire.state.pointee.outgoing.count - before
    if answerByteCount > Self.answerByteCountMax {
      return fail(TLSError("more answers asked for than taken", result: .protocolError))
    }
    return outcome
  }

  private mutating func decrypt(into plaintext: inout ByteQueue, max: Int) -> TLSOutcome {
    if let failure { return .failed(failure) }
    if isClosedByPeer { return .closed }
    var room = max
    while true {
      // SAFETY: ssl is alive.
      let pending = Int(unsafe SSL_pending(ssl))
      let unread = wire.unreadByteCount
      if pending == 0 && unread == 0 { return .incomplete }
      if room <= 0 { return .more }
      // A record's end may bring what came before it, too: then the rest of it is pending in the next turn.
      let wanted = min(room, pending > 0 ? pending : min(Swift.max(unread, 512), Self.recordByteCountMax))
      var byteCount = 0
      var result: Int32 = 0
      TLSError.clearQueue()
      let ssl = unsafe ssl
      plaintext.append(upTo: wanted) { output in
        // SAFETY: SSL_read_ex writes at most `buffer.count` bytes and says how many.
        unsafe output.withUnsafeMutableBufferPointer { buffer, count in
          result = unsafe SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &byteCount)
          count = result == 1 ? min(byteCount, buffer.count) : 0
        }
      }
      if result != 1 { return outcome(of: result, doing: "read") }
      room -= byteCount
    }
  }

  // MARK: Bytes out

  /// Encrypts all of the bytes. The handshake must be complete.
  package mutating func write(_ plaintext: Span<UInt8>) -> TLSOutcome {
    if let failure { return .failed(failure) }
    guard isEstablished else { return .incomplete }
    let count = plaintext.count
    if count == 0 { return .complete }
    // One allocation instead of one a record.
    unsafe wire.state.pointee.outgoing.reserve(count + (count / Self.recordByteCountMax + 1) * Self.recordOverhead)
    TLSError.clearQueue()
    var written = 0
    // SAFETY: SSL_write_ex reads `count` bytes out of the span. The wire takes all, so that nothing is left half done.
    let result = unsafe plaintext.withUnsafeBufferPointer {
      unsafe SSL_write_ex(ssl, $0.baseAddress, $0.count, &written)
    }
    return outcome(of: result, doing: "write")
  }

  /// Where the request comes with the end of the handshake, the ticket goes behind the answer and not in a packet of
  /// its own. Without a request it goes at once: clients with Nagle's algorithm would wait for an acknowledgement
  /// before they send one.
  private mutating func holdTicket() {
    if server == nil { return }
    // SAFETY: ssl is alive as long as self.
    unsafe SSL_set_num_tickets(ssl, wire.unreadByteCount > Self.finishedByteCountMax ? 0 : 1)
  }

  /// The handshake is complete.
  private mutating func noteHeldTicket() {
    // SAFETY: as above. A client's certificate may have made its flight so long.
    isTicketDue = unsafe server != nil && SSL_version(ssl) == TLS1_3_VERSION && SSL_get_num_tickets(ssl) == 0
    if wire.unreadByteCount == 0 { writeHeldTicket() }
  }

  /// Writes the ticket that was held back, if one was (RFC 8446 §4.6.1).
  package mutating func writeHeldTicket() {
    if !isTicketDue || isClosing || failure != nil { return }
    isTicketDue = false
    TLSError.clearQueue()
    // SAFETY: ssl is alive. The handshake's end has come, so this writes one message and reads nothing. A client
    // without a ticket misses nothing but a shorter handshake.
    if unsafe SSL_new_session_ticket(ssl) == 1 { unsafe SSL_do_handshake(ssl) }
    TLSError.clearQueue()
  }

  /// Says close_notify to the peer. Nothing may be written afterwards.
  package mutating func close() {
    guard failure == nil, isEstablished, !isClosing else { return }
    isClosing = true
    TLSError.clearQueue()
    // SAFETY: ssl is alive. The result only says whether the peer has closed too.
    _ = unsafe SSL_shutdown(ssl)
    TLSError.clearQueue()
  }

  /// What is to be sent, in order. Send from here, then say so by ``removeCiphertext(_:)``.
  package var ciphertext: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // SAFETY: the queue lives as long as self, and changes only by mutating calls, which the borrow excludes.
      unsafe _overrideLifetime(wire.state.pointee.outgoing.span, borrowing: self)
    }
  }

  /// The first `count` bytes of ``ciphertext`` were sent. An empty queue owns no memory but what was lent to it.
  package mutating func removeCiphertext(_ count: Int) {
    unsafe wire.state.pointee.outgoing.removeFirst(count)
    guard unsafe wire.state.pointee.outgoing.isEmpty else { return }
    if !isMemoryLent { unsafe wire.state.pointee.outgoing.releaseStorage() }
    answerByteCount = 0
  }

  /// Has ciphertext made in an empty queue of the caller's until ``giveBack(_:)``: many sessions share what only one at
  /// a time needs. Nothing else may happen to the queue meanwhile.
  package mutating func lend(_ memory: inout ByteQueue) {
    if isMemoryLent { return }
    isMemoryLent = true
    memory.append(ciphertext)
    unsafe swap(&memory, &wire.state.pointee.outgoing)
    memory.releaseStorage()
  }

  /// The end of ``lend(_:)``, with the same queue. What was not sent moves to memory of the session's own.
  package mutating func giveBack(_ memory: inout ByteQueue) {
    if !isMemoryLent { return }
    isMemoryLent = false
    unsafe swap(&memory, &wire.state.pointee.outgoing)
    unsafe wire.state.pointee.outgoing.append(memory.span)
    memory.removeAll()
  }

  /// Moves all ciphertext that is to be sent to the end of the queue.
  package mutating func takeCiphertext(into queue: inout ByteQueue) {
    queue.append(ciphertext)
    removeCiphertext(.max)
  }

  // MARK: Resumption

  /// A client's newest session that another one may resume. Servers send it some time after the handshake.
  package mutating func takeResumption() -> TLSResumption? {
    guard let resumption, resumption.context.keepsSessions, isEstablished else { return nil }
    // OpenSSL calls nobody when a session of TLS 1.2 was resumed, whether its ticket was renewed or not.
    // SAFETY: each way gives a reference that is ours to pass on.
    let isRenewed = unsafe SSL_session_reused(ssl) == 1 && SSL_version(ssl) < TLS1_3_VERSION
    guard let session = unsafe wire.state.pointee.resumable ?? (isRenewed ? SSL_get1_session(ssl) : nil) else {
      return nil
    }
    unsafe wire.state.pointee.resumable = nil
    return unsafe TLSResumption(takingOwnershipOf: session, scope: resumption)
  }

  // MARK: Outcomes

  private mutating func fail(_ error: TLSError) -> TLSOutcome {
    if failure == nil { failure = error }
    return .failed(failure ?? error)
  }

  private mutating func outcome(of result: Int32, doing step: String) -> TLSOutcome {
    if result > 0 { return .complete }
    // SAFETY: reads ssl and this thread's error queue, which was emptied just before the call in question.
    switch unsafe SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return .incomplete
    case SSL_ERROR_ZERO_RETURN:
      isClosedByPeer = true
      if step != "read" { failure = TLSError("the peer closed during the \(step)", result: .closed) }
      return .closed
    default:
      return fail(
        .drainingQueue(
          otherwise: "the peer closed during the \(step)", result: .protocolError,
          verification: unsafe SSL_get_verify_result(ssl)))
    }
  }
}
