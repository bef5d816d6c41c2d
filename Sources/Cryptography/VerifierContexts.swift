// The C objects that one verifier works with, fetched and set up once.
//
// Invariant: each handle is nil or owned here, and freed once, in `deinit`.

internal import COpenSSL

@safe
struct VerifierContexts: ~Copyable {
  /// A duplicate of the key: its locks, caches and reference counts stay with one worker.
  private(set) var key: OpaquePointer?
  /// Padding and digest are set. Good for any number of EVP_PKEY_verify calls.
  private(set) var keyContext: OpaquePointer?
  private(set) var messageDigest: OpaquePointer?
  private(set) var digestContext: OpaquePointer?
  private var authenticator: OpaquePointer?
  private(set) var authenticatorContext: OpaquePointer?

  private init() {}

  deinit {
    // SAFETY: contexts first, then what they refer to. Every free function takes nil.
    unsafe EVP_PKEY_CTX_free(keyContext)
    unsafe EVP_MD_CTX_free(digestContext)
    unsafe EVP_MD_free(messageDigest)
    unsafe EVP_PKEY_free(key)
    unsafe EVP_MAC_CTX_free(authenticatorContext)
    unsafe EVP_MAC_free(authenticator)
  }

  /// nil when OpenSSL cannot do it. The key must fit the scheme.
  static func make(_ source: PublicKey, _ scheme: SignatureScheme) -> VerifierContexts? {
    var contexts = VerifierContexts()
    if case .secret(let secret) = source.components {
      return contexts.prepareAuthenticator(secret, scheme) ? consume contexts : nil
    }
    // SAFETY: the source lives through the call. The duplicate is owned by `contexts` from here on.
    unsafe contexts.key = withExtendedLifetime(source) { unsafe EVP_PKEY_dup(source.handle) }
    guard unsafe contexts.key != nil else { return nil }
    unsafe contexts.digestContext = EVP_MD_CTX_new()
    guard unsafe contexts.digestContext != nil else { return nil }
    guard let digest = scheme.digest else { return contexts.prepareEdwards() ? consume contexts : nil }
    return contexts.prepareDigest(digest) && contexts.prepareKeyContext(scheme) ? consume contexts : nil
  }

  private mutating func prepareDigest(_ digest: Digest) -> Bool {
    unsafe messageDigest = EVP_MD_fetch(nil, digest.name, nil)
    return unsafe messageDigest != nil
  }

  private mutating func prepareKeyContext(_ scheme: SignatureScheme) -> Bool {
    // SAFETY: every call works on objects that this struct owns.
    unsafe keyContext = EVP_PKEY_CTX_new_from_pkey(nil, key, nil)
    guard unsafe keyContext != nil, unsafe EVP_PKEY_verify_init(keyContext) == 1 else { return false }
    if case .rsaPKCS1 = scheme {
      guard unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PADDING) == 1 else { return false }
    }
    if case .rsaPSS = scheme {
      guard unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1 else { return false }
    }
    guard unsafe EVP_PKEY_CTX_set_signature_md(keyContext, messageDigest) == 1 else { return false }
    guard case .rsaPSS = scheme else { return true }
    // The salt's length is not left to the signature: RFC 7518 §3.5 fixes it.
    return unsafe EVP_PKEY_CTX_set_rsa_mgf1_md(keyContext, messageDigest) == 1
      && EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
  }

  private mutating func prepareEdwards() -> Bool {
    // SAFETY: as above. The context takes a reference to the key of its own.
    unsafe EVP_DigestVerifyInit_ex(digestContext, nil, nil, nil, nil, key, nil) == 1
  }

  private mutating func prepareAuthenticator(_ secret: [UInt8], _ scheme: SignatureScheme) -> Bool {
    guard let digest = scheme.digest else { return false }
    unsafe authenticator = EVP_MAC_fetch(nil, "HMAC", nil)
    guard unsafe authenticator != nil else { return false }
    unsafe authenticatorContext = EVP_MAC_CTX_new(authenticator)
    guard unsafe authenticatorContext != nil else { return false }
    var name = Array(digest.name.utf8CString)
    // SAFETY: the parameters point to `name`, which is only read during the call. The key is copied by it.
    return unsafe name.withUnsafeMutableBufferPointer { name in
      let parameters = unsafe [
        OSSL_PARAM_construct_utf8_string(catraca_param_digest(), name.baseAddress, 0), OSSL_PARAM_construct_end(),
      ]
      return unsafe EVP_MAC_init(authenticatorContext, secret, secret.count, parameters) == 1
    }
  }
}
