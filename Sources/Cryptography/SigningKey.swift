// A private key or secret that signs: assertions for services, statements of a provider's client, and what the demo's
// issuer, the `token` command and tests make.
//
// Invariant: the C object has this one owner and is not changed after `init`.

internal import Bytes
internal import COpenSSL

/// Makes signatures in the form that JWS requires.
@safe
package final class SigningKey: @unchecked Sendable {
  // SAFETY (Sendable): all fields are constants, each signature has a context of its own.

  package enum Kind: Sendable, Hashable {
    case rsa(bitCount: Int)
    case ellipticCurve(EllipticCurve)
    case edwards(EdwardsCurve)
    case secret(byteCount: Int)
  }

  /// nil for secrets.
  private let handle: OpaquePointer?
  /// The half that can be given away. For secrets, the secret.
  package let publicKey: PublicKey

  private init(takingOwnershipOf handle: OpaquePointer) throws(KeyError) {
    do {
      publicKey = try unsafe Self.publicHalf(of: handle)
      unsafe self.handle = handle
    } catch {
      // SAFETY: a class's deinit does not run when its init throws before all fields are set.
      unsafe EVP_PKEY_free(handle)
      ERR_clear_error()
      throw error
    }
  }

  /// A secret for HMAC.
  package init(secret: [UInt8]) throws(KeyError) {
    publicKey = try .secret(secret.span)
    unsafe handle = nil
  }

  deinit {
    // SAFETY: the only owner lets go. Takes nil.
    unsafe EVP_PKEY_free(handle)
  }

  /// A new key. RSA of 2048 bits takes some tens of milliseconds.
  package static func generate(_ kind: Kind) throws(KeyError) -> SigningKey {
    // SAFETY: each function gives a new object or nil, and copies its arguments.
    let handle: OpaquePointer?
    switch kind {
    case .rsa(let bitCount): unsafe handle = catraca_EVP_RSA_gen(UInt32(clamping: bitCount))
    case .ellipticCurve(let curve): unsafe handle = catraca_EVP_EC_gen(curve.rawValue)
    case .edwards(let curve): unsafe handle = catraca_EVP_PKEY_Q_keygen(curve.keyTypeName)
    case .secret(let byteCount):
      guard let bytes = RandomBytes.make(byteCount) else { throw .library }
      return try SigningKey(secret: bytes)
    }
    guard let handle = unsafe handle else {
      ERR_clear_error()
      throw .library
    }
    return try unsafe SigningKey(takingOwnershipOf: handle)
  }

  /// Reads an unencrypted private key in PEM (PKCS #8, PKCS #1 or SEC 1). Never asks for a passphrase.
  package convenience init(pem: [UInt8]) throws(KeyError) {
    // SAFETY: the memory BIO borrows `pem` for the length of the closure and is freed in it.
    let handle = unsafe pem.withUnsafeBufferPointer { bytes -> OpaquePointer? in
      guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
      defer { unsafe BIO_free(bio) }
      return unsafe catraca_PEM_read_bio_PrivateKey(bio)
    }
    guard let handle = unsafe handle else {
      ERR_clear_error()
      throw .unreadable
    }
    try unsafe self.init(takingOwnershipOf: handle)
  }

  /// The private key in PEM (PKCS #8), unencrypted. Nil for secrets.
  package func pem() -> [UInt8]? {
    // SAFETY: the BIO is ours until it is freed here. Its bytes are copied before.
    guard unsafe handle != nil, let bio = unsafe BIO_new(BIO_s_mem()) else { return nil }
    defer { unsafe BIO_free(bio) }
    guard unsafe PEM_write_bio_PKCS8PrivateKey(bio, handle, nil, nil, 0, nil, nil) == 1 else {
      ERR_clear_error()
      return nil
    }
    var start: UnsafeMutablePointer<CChar>?
    let count = unsafe catraca_BIO_get_mem_data(bio, &start)
    guard let start = unsafe start, count > 0 else { return nil }
    return unsafe UnsafeBufferPointer(start: start, count: count).map { UInt8(bitPattern: $0) }
  }

  /// The signature of `message`, ECDSA's as r ‖ s. Nil when the scheme does not fit the key.
  package func sign(_ message: Span<UInt8>, _ scheme: SignatureScheme) -> [UInt8]? {
    guard scheme.fits(publicKey.components) else { return nil }
    if case .secret(let secret) = publicKey.components, let digest = scheme.digest {
      return authenticate(message, secret, digest)
    }
    guard let signature = signWithKey(message, scheme) else {
      ERR_clear_error()
      return nil
    }
    guard case .ellipticCurve(let curve, _, _) = publicKey.components else { return signature }
    return DER.decodeSignature(signature, coordinateByteCount: curve.coordinateByteCount)
  }

  private func signWithKey(_ message: Span<UInt8>, _ scheme: SignatureScheme) -> [UInt8]? {
    // SAFETY: the context is freed here. It owns `keyContext`. Buffers are used within their counts during the calls.
    guard let context = unsafe EVP_MD_CTX_new() else { return nil }
    defer { unsafe EVP_MD_CTX_free(context) }
    var keyContext: OpaquePointer?
    guard
      unsafe EVP_DigestSignInit_ex(context, &keyContext, scheme.digest?.name, nil, nil, handle, nil) == 1
    else { return nil }
    if case .rsaPSS = scheme {
      guard unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
        unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
      else { return nil }
    }
    // Room for RSA of 8192 bits and for every other kind.
    var result = [UInt8](repeating: 0, count: 1024)
    var count = result.count
    let isDone = unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        unsafe EVP_DigestSign(context, output.baseAddress, &count, input.baseAddress, input.count) == 1
      }
    }
    return isDone ? Array(result.prefix(count)) : nil
  }

  private func authenticate(_ message: Span<UInt8>, _ secret: [UInt8], _ digest: Digest) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: digest.byteCount)
    var count = 0
    // SAFETY: buffers are used within their counts during the call.
    let isDone = unsafe result.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        unsafe EVP_Q_mac(
          nil, "HMAC", nil, digest.name, nil, secret, secret.count, input.baseAddress, input.count, output.baseAddress,
          output.count, &count) != nil
      }
    }
    return isDone && count == result.count ? result : nil
  }

  /// The public numbers of a key that the caller owns.
  private static func publicHalf(of key: OpaquePointer) throws(KeyError) -> PublicKey {
    for curve in EdwardsCurve.allCases where unsafe EVP_PKEY_is_a(key, curve.keyTypeName) == 1 {
      var bytes = [UInt8](repeating: 0, count: curve.keyByteCount)
      var count = bytes.count
      // SAFETY: the buffer's count is given.
      guard unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == bytes.count else {
        throw .unreadable
      }
      return try .edwards(curve, x: bytes.span)
    }
    if unsafe EVP_PKEY_is_a(key, "RSA") == 1 {
      let modulus = try unsafe number(catraca_param_rsa_n(), of: key, byteCount: 1025)
      let exponent = try unsafe number(catraca_param_rsa_e(), of: key, byteCount: 1025)
      return try .rsa(modulus: modulus.span, exponent: exponent.span)
    }
    guard unsafe EVP_PKEY_is_a(key, "EC") == 1 else { throw .unreadable }
    let bitCount = unsafe EVP_PKEY_get_bits(key)
    for (curve, bits) in [(EllipticCurve.p256, 256), (.p384, 384), (.p521, 521)] where bits == bitCount {
      let x = try unsafe number(catraca_param_ec_x(), of: key, byteCount: curve.coordinateByteCount)
      let y = try unsafe number(catraca_param_ec_y(), of: key, byteCount: curve.coordinateByteCount)
      // A key of another curve with as many bits is refused here: its point is not on ours.
      return try .ellipticCurve(curve, x: x.span, y: y.span)
    }
    throw .unreadable
  }

  private static func number(
    _ name: UnsafePointer<CChar>?, of key: OpaquePointer, byteCount: Int
  ) throws(KeyError) -> [UInt8] {
    var value: OpaquePointer?
    var bytes = [UInt8](repeating: 0, count: byteCount)
    // SAFETY: the number is new and freed here. BN_bn2binpad writes exactly `byteCount` bytes or fails.
    guard unsafe EVP_PKEY_get_bn_param(key, name, &value) == 1 else { throw .unreadable }
    defer { unsafe BN_clear_free(value) }
    guard unsafe BN_bn2binpad(value, &bytes, Int32(clamping: byteCount)) == byteCount else { throw .unreadable }
    return bytes
  }
}
