// What all sessions towards servers share: protocol versions, trust anchors, our certificate, ALPN. Invariant: fully
// set up in init and never changed afterwards. Peers are verified unless `isVerified` says otherwise.

internal import COpenSSL

/// Where the certificates come from that a peer's chain must end in.
package enum Trust: Sendable, Hashable {
  /// The system's store (SSL_CERT_FILE and SSL_CERT_DIR are respected).
  case system
  /// A PEM file of trust anchors. The system's store is then not used.
  case file(String)

  /// - Parameter file: nil for the system's store.
  package init(file: String?) { self = file.map { .file($0) } ?? .system }
}

package struct ClientOptions: Sendable, Hashable {
  package var trust: Trust
  /// False takes any certificate of anyone.
  package var isVerified = true
  /// What we show to servers that ask for a certificate.
  package var certificate: CertificatePaths?
  package var applicationProtocols = ["http/1.1"]
  /// Whether ``TLSSession/takeResumption()`` has anything to give.
  package var keepsSessions = false

  package init(trust: Trust = .system) { self.trust = trust }
}

/// The client side's SSL_CTX: TLS 1.2 or newer. Making one reads files: not for an event loop.
// SAFETY: @unchecked Sendable: an SSL_CTX may be shared by threads as long as nobody changes it (openssl-threads(7)),
// and its reference count is atomic. The handle is `let`, and only `init` changes what it points to.
@safe
package final class ClientContext: @unchecked Sendable {
  private let handle: ContextHandle
  let keepsSessions: Bool

  package init(_ options: ClientOptions) throws(TLSError) {
    handle = try ContextHandle(isServer: false, minimumVersion: .tls12)
    keepsSessions = options.keepsSessions
    // SAFETY: the handle owns the pointer. Arrays live through their calls.
    let pointer = unsafe handle.pointer
    unsafe SSL_CTX_set_verify(pointer, options.isVerified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
    if keepsSessions {
      let mode = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
      _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(mode), nil)
      unsafe SSL_CTX_sess_set_new_cb(pointer) { ssl, session in unsafe ClientContext.keep(session, of: ssl) }
    } else {
      _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    }
    let protocols = try ContextHandle.encode(options.applicationProtocols)
    // This one call gives 0 for success.
    guard unsafe protocols.isEmpty || SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0 else {
      throw TLSError.drainingQueue(otherwise: "ALPN is not available")
    }
    switch options.trust {
    case .system:
      guard unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 else {
        throw TLSError.drainingQueue(otherwise: "the system's trust store cannot be read")
      }
    case .file(let path): try handle.trust(path)
    }
    if let paths = options.certificate { try handle.use(Certificate(paths)) }
  }

  /// Verified peers, `http/1.1` by ALPN, and no sessions kept.
  package convenience init(trust: Trust) throws(TLSError) { try self.init(ClientOptions(trust: trust)) }

  /// A new SSL of this context. The caller owns it.
  func makeSession() -> OpaquePointer? { unsafe handle.makeSession() }

  /// Keeps the newest session. 1 takes over the reference.
  private static func keep(_ session: OpaquePointer?, of ssl: OpaquePointer?) -> Int32 {
    // SAFETY: the address is the one that TLSSession has set: its own state, which outlives the SSL. 1.2 sessions
    // without a ticket come here too.
    guard let address = unsafe SSL_get_ex_data(ssl, 0), unsafe SSL_SESSION_is_resumable(session) == 1 else { return 0 }
    let state = unsafe address.assumingMemoryBound(to: WireState.self)
    unsafe SSL_SESSION_free(state.pointee.resumable)
    unsafe state.pointee.resumable = session
    return 1
  }
}
