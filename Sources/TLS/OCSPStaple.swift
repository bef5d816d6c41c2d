// An OCSP response from a file, to be sent along with its certificate (RFC 6066 §8).
// Invariant: it says "good" about the certificate that it was made for. Its signature is the client's to check.

internal import COpenSSL

struct OCSPStaple: Sendable, Equatable {
  let bytes: [UInt8]
  /// Unix seconds. From then on it is not sent. nil when it does not end.
  let nextUpdate: Int64?

  /// - Parameter certificate: an X509 that lives through the call.
  init(_ path: String, for certificate: OpaquePointer) throws(TLSError) {
    let bytes = try PEMFile.read(path)
    // SAFETY: the response is new and freed here. The basic response too. The rest belongs to these.
    let response = unsafe PEMFile.withBIO(bytes) { unsafe catraca_d2i_OCSP_RESPONSE_bio($0) }
    guard let response = unsafe response else {
      ERR_clear_error()
      throw TLSError(file: path, "not an OCSP response in DER")
    }
    defer { unsafe OCSP_RESPONSE_free(response) }
    guard unsafe OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
      let basic = unsafe OCSP_response_get1_basic(response)
    else {
      ERR_clear_error()
      throw TLSError(file: path, "the OCSP responder did not answer")
    }
    defer { unsafe OCSP_BASICRESP_free(basic) }
    guard let single = unsafe Self.find(certificate, in: basic) else {
      throw TLSError(file: path, "the OCSP response is for another certificate")
    }
    var nextUpdate: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
    guard unsafe OCSP_single_get0_status(single, nil, nil, nil, &nextUpdate) == V_OCSP_CERTSTATUS_GOOD else {
      throw TLSError(file: path, "the OCSP response does not say that the certificate is good")
    }
    self.bytes = bytes
    self.nextUpdate = unsafe nextUpdate.map { unsafe CertificateInfo.unixSeconds(UnsafePointer($0)) }
  }

  private static func find(_ certificate: OpaquePointer, in basic: OpaquePointer) -> OpaquePointer? {
    // SAFETY: all belongs to the response or the certificate.
    let serial = unsafe X509_get0_serialNumber(certificate)
    for index in unsafe 0..<max(0, OCSP_resp_count(basic)) {
      guard let single = unsafe OCSP_resp_get0(basic, index) else { continue }
      if unsafe catraca_OCSP_single_is_for(single, serial) == 1 { return unsafe single }
    }
    return nil
  }
}
