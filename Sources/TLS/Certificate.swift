// A certificate with its key, chain and OCSP response, as their files have them. Owns the C objects.
// Invariant: the key belongs to the certificate.

internal import COpenSSL

/// The files of one certificate. The chain follows the certificate in its file.
package struct CertificatePaths: Sendable, Hashable {
  package var certificate: String
  package var key: String
  /// An OCSP response in DER, to be stapled.
  package var ocsp: String?

  package init(certificate: String, key: String, ocsp: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.ocsp = ocsp
  }
}

/// What is worth knowing of a certificate: for metrics and diagnostics.
package struct CertificateInfo: Sendable, Equatable {
  /// The names in lower case that it is for, `*.example.com` among them. Addresses as text.
  package var names: [String]
  /// Unix seconds.
  package var notBefore: Int64
  package var notAfter: Int64
  /// Such as `RSA 2048`, `EC P-256` or `ED25519`.
  package var keyType: String
  /// When the stapled response ends, in unix seconds.
  package var ocspNextUpdate: Int64?
}

@safe
final class Certificate {
  /// LIMIT: certificates in one file of a chain.
  private static let chainCountMax = 16

  let paths: CertificatePaths
  let leaf: OpaquePointer
  private(set) var issuers: [OpaquePointer]
  let key: OpaquePointer
  let ocsp: OCSPStaple?
  let info: CertificateInfo

  init(_ paths: CertificatePaths) throws(TLSError) {
    let chain = try CertificateChain(paths.certificate, countMax: Self.chainCountMax)
    let key = try PrivateKey(paths.key)
    guard let leaf = unsafe chain.certificates.first else {
      throw TLSError(file: paths.certificate, "no certificate found")
    }
    // SAFETY: both objects are alive: their owners are.
    guard unsafe X509_check_private_key(leaf, key.pointer) == 1 else {
      ERR_clear_error()
      throw TLSError(file: paths.key, "the key does not belong to the certificate in \(paths.certificate)")
    }
    let staple: OCSPStaple? =
      if let path = paths.ocsp { try unsafe OCSPStaple(path, for: leaf) } else { nil }
    ocsp = staple
    var info = unsafe CertificateInfo(of: leaf)
    info.ocspNextUpdate = staple?.nextUpdate
    self.info = info
    self.paths = paths
    // SAFETY: references of our own. deinit gives them back.
    for index in unsafe chain.certificates.indices { unsafe X509_up_ref(chain.certificates[index]) }
    unsafe EVP_PKEY_up_ref(key.pointer)
    unsafe self.leaf = leaf
    unsafe self.key = key.pointer
    unsafe issuers = Array(chain.certificates.dropFirst())
  }

  deinit {
    // SAFETY: the references that init took.
    unsafe X509_free(leaf)
    for index in unsafe issuers.indices { unsafe X509_free(issuers[index]) }
    unsafe EVP_PKEY_free(key)
  }
}

/// Owner of the certificates of one PEM file, in their order.
@safe
final class CertificateChain {
  private(set) var certificates: [OpaquePointer]

  init(_ path: String, countMax: Int = .max) throws(TLSError) {
    let bytes = try PEMFile.read(path)
    unsafe certificates = []
    // SAFETY: each certificate is new, and owned by the array from there on.
    _ = unsafe PEMFile.withBIO(bytes) { bio -> Void? in
      while unsafe certificates.count <= countMax, let certificate = unsafe catraca_PEM_read_bio_X509(bio) {
        unsafe certificates.append(certificate)
      }
      return ()
    }
    guard TLSError.isEndOfPEM else {
      let number = unsafe certificates.count + 1
      throw TLSError(
        file: path, "certificate \(number) cannot be read: \(TLSError.drainingQueue(otherwise: "").reason)")
    }
    ERR_clear_error()
    if unsafe certificates.isEmpty { throw TLSError(file: path, "no certificate found") }
    if unsafe certificates.count > countMax { throw TLSError(file: path, "more than \(countMax) certificates") }
  }

  deinit {
    // SAFETY: the array owns one reference each.
    for index in unsafe certificates.indices { unsafe X509_free(certificates[index]) }
  }
}

/// Owner of the private key of one PEM file.
@safe
private final class PrivateKey {
  let pointer: OpaquePointer

  init(_ path: String) throws(TLSError) {
    let bytes = try PEMFile.read(path)
    if PEMFile.contains("ENCRYPTED", in: bytes) {
      throw TLSError(file: path, "the key is encrypted, and the gateway cannot ask for a passphrase: decrypt the file")
    }
    // SAFETY: the key is new and owned by self.
    guard let pointer = unsafe PEMFile.withBIO(bytes, { unsafe catraca_PEM_read_bio_PrivateKey($0) }) else {
      ERR_clear_error()
      throw TLSError(file: path, "no private key found")
    }
    unsafe self.pointer = pointer
    // What decoders tried before the one that fitted.
    ERR_clear_error()
  }

  deinit {
    // SAFETY: the one reference.
    unsafe EVP_PKEY_free(pointer)
  }
}
