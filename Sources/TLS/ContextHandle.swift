// One SSL_CTX with what both sides have in common: versions, ciphers, curves, how memory is used. Owns it.

internal import COpenSSL

/// The versions that may be asked for as the oldest.
package enum TLSVersion: String, Sendable, Hashable, CaseIterable {
  case tls12 = "1.2"
  case tls13 = "1.3"
}

/// Changed only by the context that makes it, before anyone else can see it.
@safe
final class ContextHandle {
  let pointer: OpaquePointer

  /// TLS 1.2 with forward secrecy and authenticated encryption only, the cheapest first. ECDSA before RSA.
  private static let ciphers = """
    ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:\
    ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305
    """
  /// For clients of TLS 1.2 that know no authenticated encryption. Behind all others, and with forward secrecy too.
  private static let oldCiphers = """
    ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:\
    ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA
    """
  private static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
  private static let groups = "X25519:P-256:P-384:P-521"
  private static let signatures = """
    ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:\
    rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512
    """

  init(isServer: Bool, minimumVersion: TLSVersion, acceptsOldCiphers: Bool = false) throws(TLSError) {
    ERR_clear_error()
    // SAFETY: the method tables are static.
    guard let pointer = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
      throw TLSError.drainingQueue(otherwise: "no TLS context")
    }
    // From here on deinit frees it, whatever is thrown: all stored properties are set.
    unsafe self.pointer = pointer
    // SAFETY: strings live through their calls and are copied by them. What is not a function is a macro over
    // SSL_CTX_ctrl.
    unsafe SSL_CTX_set_options(pointer, isServer ? catraca_server_options() : catraca_client_options())
    unsafe SSL_CTX_set_security_level(pointer, 2)
    // Buffers are given back between records: an idle session is small.
    let mode = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(mode), nil)
    let version = Int(minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION)
    let ciphers = acceptsOldCiphers ? Self.ciphers + ":" + Self.oldCiphers : Self.ciphers
    guard unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, version, nil) == 1,
      unsafe SSL_CTX_set_cipher_list(pointer, ciphers) == 1,
      unsafe SSL_CTX_set_ciphersuites(pointer, Self.suites) == 1,
      set(SSL_CTRL_SET_GROUPS_LIST, Self.groups), set(SSL_CTRL_SET_SIGALGS_LIST, Self.signatures)
    else { throw TLSError.drainingQueue(otherwise: "TLS \(minimumVersion.rawValue) is not available") }
  }

  deinit {
    // SAFETY: this object holds the reference that SSL_CTX_new gave. Sessions hold their own.
    unsafe SSL_CTX_free(pointer)
  }

  private func set(_ command: Int32, _ list: String) -> Bool {
    // SAFETY: the list is only read, and copied.
    unsafe list.withCString { unsafe SSL_CTX_ctrl(pointer, command, 0, UnsafeMutableRawPointer(mutating: $0)) == 1 }
  }

  /// A new SSL of this context. The caller owns it.
  func makeSession() -> OpaquePointer? {
    TLSError.clearQueue()
    // SAFETY: SSL_new takes its own reference to the context.
    return unsafe SSL_new(pointer)
  }

  /// Makes the certificates of a file anchors of trust. One that is not a root is the anchor itself.
  func trust(_ path: String) throws(TLSError) {
    // SAFETY: the context is alive. The path lives through the call.
    guard unsafe SSL_CTX_load_verify_locations(pointer, path, nil) == 1 else {
      throw TLSError.drainingQueue(file: path, otherwise: "no certificate found")
    }
    guard let store = unsafe SSL_CTX_get_cert_store(pointer) else { throw TLSError("no trust store") }
    _ = unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
  }

  /// Refuses peers whose certificate, or an authority of whose chain, is on the lists (RFC 5280 §6.3), and those for
  /// whom there is no list.
  func revoke(_ lists: RevocationLists) throws(TLSError) {
    // SAFETY: the context is alive, and its store with it. The store takes references of its own to the lists.
    guard let store = unsafe SSL_CTX_get_cert_store(pointer) else { throw TLSError("no trust store") }
    for index in unsafe lists.pointers.indices {
      guard unsafe X509_STORE_add_crl(store, lists.pointers[index]) == 1 else {
        throw TLSError.drainingQueue(file: lists.path, otherwise: "the revocation list cannot be used")
      }
    }
    _ = unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
  }

  /// Adds a certificate with its key and chain. One for each type of key may be there.
  func use(_ certificate: Certificate) throws(TLSError) {
    // SAFETY: the context takes references of its own to all three.
    guard unsafe SSL_CTX_use_certificate(pointer, certificate.leaf) == 1 else {
      throw TLSError.drainingQueue(file: certificate.paths.certificate, otherwise: "the certificate cannot be used")
    }
    guard unsafe SSL_CTX_use_PrivateKey(pointer, certificate.key) == 1 else {
      throw TLSError.drainingQueue(file: certificate.paths.key, otherwise: "the key cannot be used")
    }
    for index in unsafe certificate.issuers.indices {
      let issuer = unsafe UnsafeMutableRawPointer(certificate.issuers[index])
      // SSL_CTX_add1_chain_cert, which belongs to the certificate that was used last.
      guard unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_CHAIN_CERT, 1, issuer) == 1 else {
        throw TLSError.drainingQueue(file: certificate.paths.certificate, otherwise: "the chain cannot be used")
      }
    }
  }

  /// The protocols' names as ALPN has them on the wire (RFC 7301 §3.1).
  static func encode(_ protocols: [String]) throws(TLSError) -> [UInt8] {
    var list: [UInt8] = []
    for name in protocols {
      guard let count = UInt8(exactly: name.utf8.count), count > 0 else {
        throw TLSError("not an ALPN protocol: \(name)")
      }
      list.append(count)
      list += name.utf8
    }
    return list
  }
}
