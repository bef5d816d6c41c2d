// What all sessions with clients share: certificates by name, ALPN, the policy on client certificates, tickets.
// Invariant: fully set up in init and never changed afterwards, so that workers share it. What the callbacks of OpenSSL
// look at is here, and each session keeps its context alive.

internal import COpenSSL
internal import Glibc

package enum ClientCertificatePolicy: Sendable, Hashable {
  case none
  /// One that is shown must be good. To show none is as good.
  case optional(authority: String)
  case required(authority: String)
}

package struct ServerOptions: Sendable, Hashable {
  /// At least one. The first is for clients that ask for a name that none has, or for no name.
  package var certificates: [CertificatePaths]
  package var minimumVersion = TLSVersion.tls12
  /// Whether TLS 1.2 may be spoken with CBC cipher suites, by clients that know no others.
  package var acceptsOldCiphers = false
  /// In our order of preference. A client that offers only others is refused (RFC 7301 §3.2). Empty takes no part in
  /// it.
  package var applicationProtocols: [String] = []
  package var clientCertificates = ClientCertificatePolicy.none
  /// A PEM file with the revocation lists (CRLs) of every authority in the chains of client certificates.
  package var clientRevocations: String?

  package init(certificates: [CertificatePaths]) { self.certificates = certificates }
}

/// The server side's SSL_CTXs: one for each set of certificates that a name may lead to. Making one reads files: not
/// for an event loop.
// SAFETY: @unchecked Sendable: an SSL_CTX may be shared by threads as long as nobody changes it (openssl-threads(7)).
// All properties are set in init and constant from then on. TicketKeys has its own lock.
@safe
package final class ServerContext: @unchecked Sendable {
  /// Seconds for which a session may be resumed.
  private static let sessionLifetime = 2 * 60 * 60

  /// In the order of the files.
  package let certificates: [CertificateInfo]
  let tickets: TicketKeys
  private let names: ServerNames
  private let loaded: [Certificate]
  /// By group of ``ServerNames``. The first is the default.
  private var handles: [ContextHandle] = []
  /// On the wire's form, for as long as OpenSSL may point into it.
  private let protocols: UnsafeMutableBufferPointer<UInt8>

  package init(_ options: ServerOptions, tickets: TicketKeys) throws(TLSError) {
    var loaded: [Certificate] = []
    for paths in options.certificates { loaded.append(try Certificate(paths)) }
    guard !loaded.isEmpty else { throw TLSError("a server needs a certificate") }
    let list = try ContextHandle.encode(options.applicationProtocols)
    names = ServerNames(loaded.map(\.info))
    certificates = loaded.map(\.info)
    self.loaded = loaded
    self.tickets = tickets
    unsafe protocols = UnsafeMutableBufferPointer.allocate(capacity: list.count)
    _ = unsafe protocols.initialize(from: list)
    // All properties are set: deinit runs whatever is thrown from here on.
    for group in names.groups {
      let handle = try ContextHandle(
        isServer: true, minimumVersion: options.minimumVersion, acceptsOldCiphers: options.acceptsOldCiphers)
      for index in group { try handle.use(loaded[index]) }
      try prepare(handle, options)
      handles.append(handle)
    }
  }

  deinit {
    // SAFETY: sessions keep this object, so none is left that could point here.
    unsafe protocols.deallocate()
  }

  /// A new SSL. The caller owns it, and keeps this object for as long.
  func makeSession() -> OpaquePointer? { unsafe handles.first?.makeSession() }

  private func prepare(_ handle: ContextHandle, _ options: ServerOptions) throws(TLSError) {
    // SAFETY: the handle owns the pointer. The callbacks find this object by its address, unretained: sessions keep it.
    let pointer = unsafe handle.pointer
    guard unsafe SSL_CTX_set_ex_data(pointer, 0, Unmanaged.passUnretained(self).toOpaque()) == 1 else {
      throw TLSError.drainingQueue(otherwise: "no memory")
    }
    // Tickets hold the sessions, so none are kept here. Clients use one, and are given a new one for it.
    _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    unsafe SSL_CTX_set_timeout(pointer, Self.sessionLifetime)
    unsafe SSL_CTX_set_num_tickets(pointer, 1)
    unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer) { ssl, name, vector, cipher, authenticator, isNew in
      guard let context = unsafe ServerContext.of(ssl) else { return -1 }
      let result = unsafe context.tickets.prepare(name, vector, cipher, authenticator, isNew: isNew == 1)
      // A ticket of TLS 1.3 is to be used once (RFC 8446 §C.4): each is replaced, be its key the newest or not.
      return unsafe result == 1 && isNew == 0 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : result
    }
    unsafe SSL_CTX_set_session_ticket_cb(
      pointer, nil,
      { _, session, _, _, status, _ in
        unsafe ServerContext.accept(session, status)
      }, nil)
    unsafe catraca_SSL_CTX_set_servername_callback(pointer) { ssl, _, _ in unsafe ServerContext.choose(for: ssl) }
    unsafe catraca_SSL_CTX_set_status_callback(pointer) { ssl, _ in unsafe ServerContext.staple(for: ssl) }
    if unsafe protocols.count > 0 {
      unsafe SSL_CTX_set_alpn_select_cb(
        pointer,
        { ssl, chosen, chosenCount, offered, offeredCount, _ in
          unsafe ServerContext.agree(ssl, chosen, chosenCount, offered, offeredCount)
        }, nil)
    }
    try verifyClients(handle, options)
  }

  /// Sets the policy, and binds sessions to it: one that was begun under another policy, with other cipher suites
  /// accepted, or under another list of what is revoked, is not resumed.
  private func verifyClients(_ handle: ContextHandle, _ options: ServerOptions) throws(TLSError) {
    // SAFETY: as in prepare. SSL_CTX_set_client_CA_list takes the list over.
    let pointer = unsafe handle.pointer
    var scope = [UInt8]("none".utf8)
    let policy = options.clientCertificates
    switch policy {
    case .none: unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
    case .optional(let path), .required(let path):
      let isRequired = policy == .required(authority: path)
      scope = Array((isRequired ? "required" : "optional").utf8) + (try PEMFile.read(path))
      try handle.trust(path)
      if let path = options.clientRevocations {
        scope += try PEMFile.read(path)
        try handle.revoke(RevocationLists(path))
      }
      guard let authorities = unsafe SSL_load_client_CA_file(path) else {
        throw TLSError.drainingQueue(file: path, otherwise: "no certificate found")
      }
      unsafe SSL_CTX_set_client_CA_list(pointer, authorities)
      let mode = isRequired ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER
      unsafe SSL_CTX_set_verify(pointer, mode, nil)
    }
    // A resumed session keeps its cipher, and OpenSSL does not look for it in our list.
    if options.acceptsOldCiphers { scope += "old".utf8 }
    var digest = [UInt8](repeating: 0, count: 32)
    guard unsafe EVP_Digest(scope, scope.count, &digest, nil, EVP_sha256(), nil) == 1,
      unsafe SSL_CTX_set_session_id_context(pointer, digest, UInt32(digest.count)) == 1
    else { throw TLSError.drainingQueue(otherwise: "no memory") }
  }

  // MARK: Callbacks

  private static func of(_ ssl: OpaquePointer?) -> ServerContext? {
    // SAFETY: the address that prepare has set. The session keeps the object, so unretained is enough.
    guard let address = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0) else { return nil }
    return unsafe Unmanaged<ServerContext>.fromOpaque(address).takeUnretainedValue()
  }

  /// The certificates by the name that the client asks for.
  private static func choose(for ssl: OpaquePointer?) -> Int32 {
    guard let ssl = unsafe ssl, let context = unsafe of(ssl), let name = unsafe ServerNames.name(of: ssl) else {
      return SSL_TLSEXT_ERR_OK
    }
    let group = context.names.group(for: name)
    // SAFETY: SSL_set_SSL_CTX takes a reference to the other context. All of them have the same settings.
    if group > 0, group < context.handles.count { unsafe SSL_set_SSL_CTX(ssl, context.handles[group].pointer) }
    return SSL_TLSEXT_ERR_OK
  }

  private static func agree(
    _ ssl: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32
  ) -> Int32 {
    guard let context = unsafe of(ssl) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    // SAFETY: on overlap the result points into our list, which lives as long as the context.
    var found: UnsafeMutablePointer<UInt8>?
    let result = unsafe SSL_select_next_proto(
      &found, chosenCount, context.protocols.baseAddress, UInt32(context.protocols.count), offered, offeredCount)
    guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    unsafe chosen?.pointee = UnsafePointer(found)
    return SSL_TLSEXT_ERR_OK
  }

  /// The OCSP response of the certificate that was chosen, while it is good.
  private static func staple(for ssl: OpaquePointer?) -> Int32 {
    guard let context = unsafe of(ssl), let leaf = unsafe SSL_get_certificate(ssl),
      let staple = context.loaded.first(where: { unsafe $0.leaf == leaf })?.ocsp,
      staple.nextUpdate.map({ $0 > Int64(time(nil)) }) ?? true
    else { return SSL_TLSEXT_ERR_NOACK }
    // SAFETY: OpenSSL takes the copy over, and frees it.
    let count = staple.bytes.count
    guard let copy = unsafe CRYPTO_malloc(count, nil, 0) else { return SSL_TLSEXT_ERR_NOACK }
    unsafe staple.bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { _ = unsafe memcpy(copy, base, count) }
    }
    guard unsafe SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, count, copy) == 1 else {
      unsafe CRYPTO_free(copy, nil, 0)
      return SSL_TLSEXT_ERR_NOACK
    }
    return SSL_TLSEXT_ERR_OK
  }

  /// A ticket lives no longer than the certificate that its client has shown.
  private static func accept(_ session: OpaquePointer?, _ status: Int32) -> Int32 {
    switch status {
    case SSL_TICKET_SUCCESS, SSL_TICKET_SUCCESS_RENEW:
      // SAFETY: the certificate belongs to the session.
      if let session = unsafe session, let certificate = unsafe SSL_SESSION_get0_peer(session),
        unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0
      {
        return SSL_TICKET_RETURN_IGNORE_RENEW
      }
      return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
    case SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT: return SSL_TICKET_RETURN_IGNORE_RENEW
    default: return SSL_TICKET_RETURN_ABORT
    }
  }
}
