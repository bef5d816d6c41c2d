// What all sessions towards servers share: protocol versions, trust anchors, ALPN. Owns one SSL_CTX.
// Invariant: fully set up in init and never changed afterwards; peer verification cannot be turned off.

internal import COpenSSL

/// Where the certificates come from that a peer's chain must end in.
package enum Trust: Sendable, Hashable {
  /// The system's store (SSL_CERT_FILE and SSL_CERT_DIR are respected).
  case system
  /// A PEM file of trust anchors; the system's store is then not used.
  case file(String)
}

/// The client side's SSL_CTX. Making one reads trust anchors from disk: not for an event loop.
// SAFETY: @unchecked Sendable: an SSL_CTX may be shared by threads as long as nobody changes it (openssl-threads(7)), and
// its reference count is atomic; the pointer is `let`, and only `init` changes what it points to.
@safe
package final class ClientContext: @unchecked Sendable {
  private let pointer: OpaquePointer

  /// TLS 1.2 or newer, `http/1.1` by ALPN, peers verified.
  package init(trust: Trust) throws(TLSError) {
    ERR_clear_error()
    // SAFETY: the method table is static.
    guard let pointer = unsafe SSL_CTX_new(TLS_client_method()) else {
      throw TLSError.drainingQueue(otherwise: "no TLS context")
    }
    // From here on deinit frees it, whatever is thrown: all stored properties are set.
    unsafe self.pointer = pointer
    // SAFETY: the pointer is owned by self and alive until deinit; strings and arrays live through their calls.
    unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
    // SSL_CTX_set_min_proto_version and its kin are macros over SSL_CTX_ctrl.
    guard unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil) == 1 else {
      throw TLSError.drainingQueue(otherwise: "TLS 1.2 is not available")
    }
    // Fetches are minutes apart: no sessions are kept, and buffers are given back between records.
    _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
    let protocols = [8] + Array("http/1.1".utf8)
    // This one call gives 0 for success.
    guard unsafe SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0 else {
      throw TLSError.drainingQueue(otherwise: "ALPN is not available")
    }
    try unsafe Self.load(trust, into: pointer)
  }

  deinit {
    // SAFETY: this object holds the reference that SSL_CTX_new gave; sessions hold their own.
    unsafe SSL_CTX_free(pointer)
  }

  /// A new SSL of this context; the caller owns it.
  func makeSession() -> OpaquePointer? {
    // SAFETY: SSL_new takes its own reference to the context.
    unsafe SSL_new(pointer)
  }

  private static func load(_ trust: Trust, into pointer: OpaquePointer) throws(TLSError) {
    switch trust {
    case .system:
      // SAFETY: the context is alive.
      guard unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 else {
        throw TLSError.drainingQueue(otherwise: "the system's trust store cannot be read")
      }
    case .file(let path):
      // SAFETY: as above; the path lives through the call.
      guard unsafe SSL_CTX_load_verify_locations(pointer, path, nil) == 1 else {
        let cause = TLSError.drainingQueue(otherwise: "no certificate found")
        throw TLSError("\(path): \(cause.reason)")
      }
      // An operator who names an intermediate or the server's own certificate means it as the anchor.
      guard let store = unsafe SSL_CTX_get_cert_store(pointer) else { throw TLSError("no trust store") }
      _ = unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }
  }
}
