// Files as operators have them: what is wrong with one is said with its name.

import Bytes
import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import TLS

@Suite struct FileTests {
  let contexts: TestContexts

  init() async throws { contexts = try await TestContexts() }

  private func fault(_ certificate: String, _ key: String, ocsp: String? = nil) -> TLSError? {
    do throws(TLSError) {
      try TLSFiles.check(CertificatePaths(certificate: certificate, key: key, ocsp: ocsp))
      return nil
    } catch { return error }
  }

  private func write(_ text: String, _ name: String) throws -> String {
    let path = contexts.certificates.file(name)
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  @Test("What a certificate is for is reported: names, time, key")
  func info() throws {
    let info = try TLSFiles.check(contexts.paths(.wildcard))
    #expect(info.names == ["*.apps.test", "apps.test"] && info.keyType == "EC P-256" && info.ocspNextUpdate == nil)
    let now = Int64(Date().timeIntervalSince1970)
    #expect(info.notAfter > now + 29 * 86_400 && info.notAfter < now + 31 * 86_400)
    #expect(info.notBefore <= now && info.notBefore > now - 3_600)
    #expect(try TLSFiles.check(contexts.paths(.commonName)).names == ["old.test"])
    #expect(try TLSFiles.check(contexts.paths(.address)).names == ["127.0.0.1"])
    #expect(try TLSFiles.check(contexts.paths(.expired)).notAfter < now)
    #expect(try TLSFiles.check(contexts.paths(.rsa, ocsp: true)).ocspNextUpdate.map { $0 > now } == true)
    #expect(try TLSFiles.checkAuthority(contexts.certificates.authority).count == 1)
  }

  @Test("Each fault names its file and says what is wrong")
  func faults() throws {
    let (good, key) = (contexts.certificates.certificate(.good), contexts.certificates.key(.good))
    let other = contexts.certificates.key(.rsa)
    let missing = "/nonexistent/a.pem"
    let empty = try write("", "empty.pem")
    let broken = try write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "broken.crt")
    let tail = try write(
      try String(contentsOfFile: good, encoding: .utf8) + "-----BEGIN CERTIFICATE-----\nA", "tail.crt")
    for (error, file, words) in [
      (fault(missing, key), missing, "No such file"), (fault(good, missing), missing, "No such file"),
      (fault(empty, key), empty, "empty"), (fault(key, key), key, "no certificate found"),
      (fault(good, good), good, "no private key found"), (fault(good, other), other, "does not belong"),
      (fault(broken, key), broken, "certificate 1 cannot be read"),
      (fault(tail, key), tail, "certificate 2 cannot be read"),
      (
        fault(good, contexts.certificates.file("encrypted.key")), contexts.certificates.file("encrypted.key"),
        "encrypted"
      ),
      (
        fault(good, contexts.certificates.file("encryptedOld.key")), contexts.certificates.file("encryptedOld.key"),
        "encrypted"
      ),
      (fault(good, key, ocsp: good), good, "not an OCSP response"),
      (
        fault(good, key, ocsp: contexts.certificates.file("rsa.ocsp")), contexts.certificates.file("rsa.ocsp"),
        "another"
      ),
      (fault("/tmp", key), "/tmp", "directory"), (fault("a\0b", key), "a\0b", "opened"),
    ] {
      #expect(error?.file == file && error?.reason.hasPrefix("\(file): ") == true, "\(String(describing: error))")
      #expect(error?.reason.lowercased().contains(words.lowercased()) == true, "\(String(describing: error))")
    }
    #expect(throws: TLSError.self) { try TLSFiles.checkAuthority(key) }
    #expect(throws: TLSError.self) { try ServerContext(ServerOptions(certificates: []), tickets: try TicketKeys()) }
    #expect(ERR_peek_error() == 0)
  }

  @Test("A stapled response is of the certificate that is shown")
  func ocsp() throws {
    var options = ServerOptions(certificates: [contexts.paths(.good, ocsp: true), contexts.paths(.rsa, ocsp: true)])
    options.certificates.append(contexts.paths(.wildcard))
    let server = try ServerContext(options, tickets: try TicketKeys())
    for (signatures, host, name) in [
      ("ECDSA+SHA256", "idp.test", "good.ocsp" as String?), ("RSA-PSS+SHA256", "idp.test", "rsa.ocsp"),
      ("ECDSA+SHA256", "a.apps.test", nil),
    ] {
      var ends = try Ends.make(try contexts.client(), server, host: host)
      _ = unsafe signatures.withCString {
        unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_SIGALGS_LIST, 0, UnsafeMutableRawPointer(mutating: $0))
      }
      _ = unsafe SSL_ctrl(
        ends.client.ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE, Int(TLSEXT_STATUSTYPE_ocsp), nil)
      ends.run()
      var bytes: UnsafeMutablePointer<UInt8>?
      let count = unsafe withUnsafeMutablePointer(to: &bytes) {
        unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP, 0, $0)
      }
      let shown = unsafe bytes.map { unsafe Data(bytes: $0, count: max(0, count)) }
      let expected = try name.map { try Data(contentsOf: URL(filePath: contexts.certificates.file($0))) }
      #expect(shown == expected)
    }
  }
}
