// Certificates, keys, OCSP responses and ticket keys as files: what can be used says of itself what can be written
// down.

import Cryptography
import Glibc
import TLS

@_cdecl("fuzz_certificates")
func libFuzzCertificates(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzCertificates)
}

/// The first byte says what the rest is.
func fuzzCertificates(_ input: [UInt8]) throws {
  guard let first = input.first else { return }
  let file = try MemoryFile(Array(input.dropFirst()))
  let certificate = try certificateFile.get()
  let key = try keyFile.get()
  var infos: [CertificateInfo] = []
  switch first % 6 {
  case 0: infos += check(CertificatePaths(certificate: file.path, key: key.path))
  case 1: infos += check(CertificatePaths(certificate: certificate.path, key: file.path))
  case 2: infos += check(CertificatePaths(certificate: certificate.path, key: key.path, ocsp: file.path))
  case 3: infos += (try? TLSFiles.checkAuthority(file.path)) ?? []
  case 4: try? TLSFiles.checkTicketKeys(file.path)
  default: _ = (try? SigningKey(pem: Array(input.dropFirst())))?.pem()
  }
  for info in infos { try check(info) }
}

private let certificateFile = Result { try MemoryFile(Array(testCertificate.utf8)) }
private let keyFile = Result { try MemoryFile(Array(testCertificateKey.utf8)) }

private func check(_ paths: CertificatePaths) -> [CertificateInfo] { (try? TLSFiles.check(paths)).map { [$0] } ?? [] }

private func check(_ info: CertificateInfo) throws {
  for name in info.names + [info.keyType] {
    try expect(!name.unicodeScalars.contains { $0.value < 0x20 }, "a name that no line can hold")
  }
}

/// A file of these bytes that has a path and is gone with its owner.
private final class MemoryFile: Sendable {
  private let descriptor: Int32
  var path: String { "/proc/self/fd/\(descriptor)" }

  init(_ bytes: [UInt8]) throws {
    // SAFETY: the template is written to by the call only. The bytes are as many as is said. deinit closes the
    // descriptor.
    var template = Array("/tmp/fuzz-XXXXXX".utf8CString)
    descriptor = unsafe mkstemp(&template)
    guard descriptor >= 0 else { throw Fault("no file can be made") }
    _ = unsafe unlink(template)
    let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    try expect(count == bytes.count, "a file is not written")
  }

  deinit { close(descriptor) }
}

/// Made for this file, and used for nothing else.
private let testCertificate = """
  -----BEGIN CERTIFICATE-----
  MIIBrDCCAVOgAwIBAgIUN1ZbsKgYH3L/uh0nkPv5nzNR3zYwCgYIKoZIzj0EAwIw
  FjEUMBIGA1UEAwwLYXBwLmV4YW1wbGUwIBcNMjYxMTI5MTg1NTEwWhgPMjEyNjEx
  MDUxODU1MTBaMBYxFDASBgNVBAMMC2FwcC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
  KoZIzj0DAQcDQgAEzjhMrlgX6ioRCtjj6oBnHxQg5d46OKEivm/NYQfxCbhwTCfH
  cva0mluHRXp3aCo1B1EGXQNzVULsDSfeEnAJQKN9MHswHQYDVR0OBBYEFOdG5a6l
  GCVMfDBpNfZr8bG63kXSMB8GA1UdIwQYMBaAFOdG5a6lGCVMfDBpNfZr8bG63kXS
  MA8GA1UdEwEB/wQFMAMBAf8wKAYDVR0RBCEwH4ILYXBwLmV4YW1wbGWHBMAAAgGG
  Cmh0dHBzOi8vYS8wCgYIKoZIzj0EAwIDRwAwRAIgJTol/jdWQXEPaakVbhCeEuK4
  6B3/Ba6LbDfUiAP7PdoCIFUeTQPTfWAQYG2xCnyNfW6SqkYoRqUt4ttaBqNP692v
  -----END CERTIFICATE-----
  """

/// The key of the certificate above.
private let testCertificateKey = """
  -----BEGIN PRIVATE KEY-----
  MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwcBUXZ8JxtZdg7pV
  jpRqSaC8W1NCC6IrJQT6vrxs7EKhRANCAATOOEyuWBfqKhEK2OPqgGcfFCDl3jo4
  oSK+b81hB/EJuHBMJ8dy9rSaW4dFendoKjUHUQZdA3NVQuwNJ94ScAlA
  -----END PRIVATE KEY-----
  """
