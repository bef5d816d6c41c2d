// The certificate revocation lists (CRLs, RFC 5280 §5) of one PEM file. Owns the C objects.

internal import COpenSSL

@safe
final class RevocationLists {
  /// LIMIT: one for each authority in the chains of clients.
  private static let countMax = 1024

  let path: String
  private(set) var pointers: [OpaquePointer]

  init(_ path: String) throws(TLSError) {
    self.path = path
    let bytes = try PEMFile.read(path)
    unsafe pointers = []
    // SAFETY: each list is new, and owned by the array from there on.
    _ = unsafe PEMFile.withBIO(bytes) { bio -> Void? in
      while unsafe pointers.count <= Self.countMax, let list = unsafe PEM_read_bio_X509_CRL(bio, nil, nil, nil) {
        unsafe pointers.append(list)
      }
      return ()
    }
    guard TLSError.isEndOfPEM else {
      let number = unsafe pointers.count + 1
      let reason = TLSError.drainingQueue(otherwise: "").reason
      throw TLSError(file: path, "revocation list \(number) cannot be read: \(reason)")
    }
    ERR_clear_error()
    if unsafe pointers.isEmpty { throw TLSError(file: path, "no revocation list found") }
    if unsafe pointers.count > Self.countMax { throw TLSError(file: path, "more than \(Self.countMax) lists") }
  }

  /// When the first of the lists is due to be replaced, in seconds since 1970. Nil where none says so.
  var nextUpdate: Int64? {
    // SAFETY: the times belong to the lists, which live as long as self.
    unsafe pointers.compactMap { list in
      unsafe X509_CRL_get0_nextUpdate(list).map { unsafe CertificateInfo.unixSeconds($0) }
    }.min()
  }

  deinit {
    // SAFETY: the array owns one reference each.
    for index in unsafe pointers.indices { unsafe X509_CRL_free(pointers[index]) }
  }
}
