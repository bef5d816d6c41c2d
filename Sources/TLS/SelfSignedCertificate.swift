// A certificate that vouches for itself: for `catraca demo`, where nobody else could.

internal import COpenSSL

/// A key and its certificate, both in PEM.
package struct SelfSignedCertificate: Sendable {
  package let certificate: [UInt8]
  package let key: [UInt8]

  /// An ECDSA P-256 key with a certificate for these names, in the form of OpenSSL's subjectAltName:
  /// `DNS:localhost,IP:127.0.0.1`.
  package init(names: String, commonName: String, days: Int) throws(TLSError) {
    ERR_clear_error()
    // SAFETY: each object is freed by the defer behind its making. What is added to the certificate is copied by it.
    guard let key = unsafe catraca_EVP_EC_gen("P-256") else { throw TLSError.drainingQueue(otherwise: "no key") }
    defer { unsafe EVP_PKEY_free(key) }
    guard let made = unsafe X509_new() else { throw TLSError.drainingQueue(otherwise: "no certificate") }
    defer { unsafe X509_free(made) }
    var serial: Int64 = 0
    let hasSerial = unsafe withUnsafeMutableBytes(of: &serial) { bytes in
      unsafe RAND_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count)) == 1
    }
    guard hasSerial, unsafe X509_set_version(made, 2) == 1,
      unsafe ASN1_INTEGER_set_int64(X509_get_serialNumber(made), serial & Int64.max) == 1,
      unsafe X509_gmtime_adj(X509_getm_notBefore(made), -3600) != nil,
      unsafe X509_gmtime_adj(X509_getm_notAfter(made), days * 24 * 3600) != nil,
      unsafe X509_set_pubkey(made, key) == 1,
      let subject = unsafe X509_get_subject_name(made),
      unsafe X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, commonName, -1, -1, 0) == 1,
      unsafe X509_set_issuer_name(made, subject) == 1,
      unsafe Self.extend(made, NID_basic_constraints, "critical,CA:TRUE"),
      unsafe Self.extend(made, NID_subject_alt_name, names),
      unsafe X509_sign(made, key, EVP_sha256()) > 0
    else { throw TLSError.drainingQueue(otherwise: "the certificate cannot be made") }
    certificate = try unsafe Self.pem { unsafe PEM_write_bio_X509($0, made) }
    self.key = try unsafe Self.pem { unsafe PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }
  }

  private static func extend(_ certificate: OpaquePointer, _ identifier: Int32, _ value: String) -> Bool {
    // SAFETY: the extension is ours until it is freed here. The certificate takes a copy.
    guard let made = unsafe X509V3_EXT_conf_nid(nil, nil, identifier, value) else { return false }
    defer { unsafe X509_EXTENSION_free(made) }
    return unsafe X509_add_ext(certificate, made, -1) == 1
  }

  private static func pem(_ write: (OpaquePointer) -> Int32) throws(TLSError) -> [UInt8] {
    // SAFETY: the BIO is ours until it is freed here. Its bytes are copied before.
    guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw TLSError.drainingQueue(otherwise: "no memory") }
    defer { unsafe BIO_free(bio) }
    var bytes: UnsafeMutablePointer<CChar>?
    guard unsafe write(bio) == 1, case let count = unsafe catraca_BIO_get_mem_data(bio, &bytes), count > 0,
      let start = unsafe bytes
    else { throw TLSError.drainingQueue(otherwise: "no PEM") }
    return unsafe UnsafeRawBufferPointer(start: start, count: count).map { $0 }
  }
}
