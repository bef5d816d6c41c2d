// Looks whether files can be used, for the check of a configuration. Nothing is kept.

internal import COpenSSL

package enum TLSFiles {
  /// A certificate with its key, chain and OCSP response.
  @discardableResult
  package static func check(_ paths: CertificatePaths) throws(TLSError) -> CertificateInfo {
    let certificate = try Certificate(paths)
    // Keys that are too small, or certificates that are signed too weakly, are refused here.
    try ContextHandle(isServer: true, minimumVersion: .tls12).use(certificate)
    return certificate.info
  }

  /// Anchors of trust, for servers or for clients.
  @discardableResult
  package static func checkAuthority(_ path: String) throws(TLSError) -> [CertificateInfo] {
    let chain = try CertificateChain(path)
    try ContextHandle(isServer: false, minimumVersion: .tls12).trust(path)
    // SAFETY: the chain owns its certificates, and lives through the calls.
    return unsafe chain.certificates.map { unsafe CertificateInfo(of: $0) }
  }

  /// - Returns: when the first of the file's revocation lists is due to be replaced, in seconds since 1970.
  package static func checkRevocations(_ path: String) throws(TLSError) -> Int64? {
    try RevocationLists(path).nextUpdate
  }

  package static func checkTicketKeys(_ path: String) throws(TLSError) { _ = try TicketKeys(file: path) }
}
