// A key that checks signatures, made from the numbers of a JWK (RFC 7517, RFC 7518 §6, RFC 8037). Weak and broken keys
// do not become one (T09).
//
// Invariant: the C object has this one owner and is not changed after `init`.

internal import Bytes
internal import COpenSSL

/// The curves of ECDSA keys, with their names in JWK.
package enum EllipticCurve: String, Sendable, CaseIterable, Hashable {
  case p256 = "P-256"
  case p384 = "P-384"
  case p521 = "P-521"

  /// Bytes of one coordinate, and of each half of a signature (RFC 7518 §6.2.1.2).
  package var coordinateByteCount: Int {
    switch self {
    case .p256: 32
    case .p384: 48
    case .p521: 66
    }
  }
}

/// The curves of EdDSA keys, with their names in JWK.
package enum EdwardsCurve: String, Sendable, CaseIterable, Hashable {
  case ed25519 = "Ed25519"
  case ed448 = "Ed448"

  package var keyByteCount: Int { self == .ed25519 ? 32 : 57 }

  package var signatureByteCount: Int { self == .ed25519 ? 64 : 114 }
}

/// Why numbers did not become a key.
package enum KeyError: Error, Sendable, Equatable {
  /// RSA below 2048 bits (RFC 7518 §3.3), above 8192, or a modulus that is even or has another small factor.
  case modulusUnfit
  /// Even, below 3, or above 64 bits.
  case exponentUnfit
  /// A coordinate or an Edwards key of another length than its curve's.
  case lengthWrong
  case pointNotOnCurve
  /// An Edwards key that anybody can sign for, or one that is written in a second way.
  case pointWeak
  case secretEmpty
  /// PEM that holds no unencrypted private key of a kind known here.
  case unreadable
  /// OpenSSL refused for a reason of its own.
  case library
}

/// An RSA, elliptic-curve, Edwards-curve or secret key. Shared by all workers.
@safe
package final class PublicKey: @unchecked Sendable {
  // SAFETY (Sendable): all fields are constants, and nothing changes the EVP_PKEY after `init`. Each verifier works on
  // a duplicate of its own.

  /// The numbers that the key is made of, big-endian. RSA's without leading zeros, coordinates in full length.
  package enum Components: Sendable, Equatable {
    case rsa(modulus: [UInt8], exponent: [UInt8])
    case ellipticCurve(EllipticCurve, x: [UInt8], y: [UInt8])
    case edwards(EdwardsCurve, x: [UInt8])
    /// For HMAC: no public key at all, never written out.
    case secret([UInt8])
  }

  package let components: Components
  /// nil for secrets.
  let handle: OpaquePointer?

  private init(takingOwnershipOf handle: OpaquePointer?, _ components: Components) {
    unsafe self.handle = handle
    self.components = components
  }

  deinit {
    // SAFETY: the only owner lets go. EVP_PKEY_free takes nil.
    unsafe EVP_PKEY_free(handle)
  }

  /// RSA from `n` and `e`. Leading zeros do not count.
  package static func rsa(modulus: Span<UInt8>, exponent: Span<UInt8>) throws(KeyError) -> PublicKey {
    let n = withoutLeadingZeros(modulus)
    let e = withoutLeadingZeros(exponent)
    let bitCount = n.count * 8 - (n.first?.leadingZeroBitCount ?? 0)
    // LIMIT: below 2048 bits a key can be broken, above 8192 a verification takes too long.
    guard bitCount >= 2048, bitCount <= 8192, let nLast = n.last, nLast & 1 == 1 else { throw .modulusUnfit }
    guard e.count <= 8, let eLast = e.last, eLast & 1 == 1, e.count > 1 || eLast >= 3 else { throw .exponentUnfit }
    if RSAModulus.hasSmallFactor(n) { throw .modulusUnfit }
    guard let handle = unsafe makeRSA(modulus: n, exponent: e) else { throw .library }
    return unsafe PublicKey(takingOwnershipOf: handle, .rsa(modulus: n, exponent: e))
  }

  /// A point of a NIST curve. Checked to be on the curve and not at infinity.
  package static func ellipticCurve(
    _ curve: EllipticCurve, x: Span<UInt8>, y: Span<UInt8>
  ) throws(KeyError) -> PublicKey {
    let length = curve.coordinateByteCount
    guard x.count == length, y.count == length else { throw .lengthWrong }
    let (xBytes, yBytes) = (x.copied(), y.copied())
    guard let handle = unsafe makeEllipticCurve(curve, x: xBytes, y: yBytes) else { throw .pointNotOnCurve }
    let key = unsafe PublicKey(takingOwnershipOf: handle, .ellipticCurve(curve, x: xBytes, y: yBytes))
    // SAFETY: the context borrows the key's handle for the length of the call and is freed after it.
    let isValid = withExtendedLifetime(key) {
      guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, handle, nil) else { return false }
      defer { unsafe EVP_PKEY_CTX_free(context) }
      // None of these curves has a smaller group: what is on the curve needs no multiplication to be checked, which
      // would take nearly as long as a verification.
      return unsafe EVP_PKEY_public_check_quick(context) == 1
    }
    if !isValid {
      ERR_clear_error()
      throw .pointNotOnCurve
    }
    return key
  }

  /// Ed25519 or Ed448 from its encoded point (RFC 8032).
  package static func edwards(_ curve: EdwardsCurve, x: Span<UInt8>) throws(KeyError) -> PublicKey {
    guard x.count == curve.keyByteCount else { throw .lengthWrong }
    if !EdwardsPoint.mayBeKey(curve, x) { throw .pointWeak }
    // SAFETY: the bytes are only read during the call.
    let handle = unsafe x.withUnsafeBufferPointer { bytes in
      unsafe EVP_PKEY_new_raw_public_key_ex(nil, curve.keyTypeName, nil, bytes.baseAddress, bytes.count)
    }
    guard let handle = unsafe handle else {
      ERR_clear_error()
      throw .library
    }
    return unsafe PublicKey(takingOwnershipOf: handle, .edwards(curve, x: x.copied()))
  }

  /// A shared secret for HMAC.
  package static func secret(_ bytes: Span<UInt8>) throws(KeyError) -> PublicKey {
    if bytes.isEmpty { throw .secretEmpty }
    return unsafe PublicKey(takingOwnershipOf: nil, .secret(bytes.copied()))
  }

  /// An EVP_PKEY, owned by the caller, or nil.
  private static func makeRSA(modulus: [UInt8], exponent: [UInt8]) -> OpaquePointer? {
    // OpenSSL's numbers here are in the order of the machine, which has the last byte first.
    var (modulus, exponent) = ([UInt8](modulus.reversed()), [UInt8](exponent.reversed()))
    // SAFETY: the parameters point to these bytes, which are only read during the call.
    return unsafe modulus.withUnsafeMutableBufferPointer { n in
      unsafe exponent.withUnsafeMutableBufferPointer { e in
        unsafe make(
          "RSA",
          [
            OSSL_PARAM_construct_BN(catraca_param_rsa_n(), n.baseAddress, n.count),
            OSSL_PARAM_construct_BN(catraca_param_rsa_e(), e.baseAddress, e.count), OSSL_PARAM_construct_end(),
          ])
      }
    }
  }

  /// An EVP_PKEY, owned by the caller, or nil.
  private static func makeEllipticCurve(_ curve: EllipticCurve, x: [UInt8], y: [UInt8]) -> OpaquePointer? {
    var name = Array(curve.rawValue.utf8CString)
    // The point in uncompressed form (SEC 1 §2.3.3).
    var point = [4] + x + y
    // SAFETY: the parameters point to these bytes, which are only read during the call.
    return unsafe name.withUnsafeMutableBufferPointer { name in
      unsafe point.withUnsafeMutableBufferPointer { point in
        unsafe make(
          "EC",
          [
            OSSL_PARAM_construct_utf8_string(catraca_param_group_name(), name.baseAddress, 0),
            OSSL_PARAM_construct_octet_string(catraca_param_public_key(), point.baseAddress, point.count),
            OSSL_PARAM_construct_end(),
          ])
      }
    }
  }

  /// From numbers, since OpenSSL 3 looks up its decoders of DER for each key, which takes longer than the key itself.
  private static func make(_ type: String, _ parameters: [OSSL_PARAM]) -> OpaquePointer? {
    var (handle, parameters): (OpaquePointer?, [OSSL_PARAM]) = unsafe (nil, parameters)
    // SAFETY: the context is freed below, and the caller owns what it made.
    let context = unsafe EVP_PKEY_CTX_new_from_name(nil, type, nil)
    defer { unsafe EVP_PKEY_CTX_free(context) }
    guard unsafe context != nil, unsafe EVP_PKEY_fromdata_init(context) == 1,
      unsafe EVP_PKEY_fromdata(context, &handle, catraca_EVP_PKEY_PUBLIC_KEY(), &parameters) == 1
    else {
      ERR_clear_error()
      return nil
    }
    return unsafe handle
  }

  private static func withoutLeadingZeros(_ bytes: Span<UInt8>) -> [UInt8] {
    var start = 0
    while start < bytes.count, bytes[start] == 0 { start += 1 }
    return bytes.extracting(start..<bytes.count).copied()
  }
}

extension EdwardsCurve {
  /// OpenSSL's name of the key type.
  var keyTypeName: String { self == .ed25519 ? "ED25519" : "ED448" }
}
