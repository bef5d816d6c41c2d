// Client certificates: who is asked for one, who is accepted, and what is reported of them.

import Bytes
import COpenSSL
import TestSupport
import Testing

@testable import TLS

@Suite struct ClientCertificateTests {
  let contexts: TestContexts
  let authority: String

  init() async throws {
    contexts = try await TestContexts()
    authority = contexts.certificates.authority
  }

  private func ends(
    _ policy: ClientCertificatePolicy, _ kind: TestCertificates.Kind?
  ) throws -> Ends {
    let client = try contexts.client { $0.certificate = kind.map { contexts.paths($0) } }
    return try Ends.make(client, try contexts.server(.good) { $0.clientCertificates = policy })
  }

  @Test("A good client certificate is forwarded with subject, names and thumbprint", arguments: [true, false])
  func good(isRequired: Bool) async throws {
    let policy: ClientCertificatePolicy =
      isRequired ? .required(authority: authority) : .optional(authority: authority)
    var ends = try ends(policy, .client)
    ends.run()
    let told = ends.server.clientCertificate()
    let certificate = try #require(told)
    #expect(certificate.subject == "CN=caller,O=Test\\, Inc.")
    #expect(
      certificate.alternativeNames == "DNS:caller.test,URI:spiffe://test/caller,email:a@b.test,IP:10.0.0.7,IP:::1")
    let printed = try await ChildProcess.run(
      "openssl", ["x509", "-in", contexts.certificates.certificate(.client), "-noout", "-fingerprint", "-sha256"])
    let expected = try #require(printed.standardOutput.split(separator: "=").last).filter { $0 != ":" && $0 != "\n" }
    #expect(certificate.thumbprint == expected.lowercased())
    #expect(certificate.thumbprintBase64URL.count == 43)
    #expect(!certificate.thumbprintBase64URL.contains { "+/=".contains($0) })
  }

  @Test("Both forms of the thumbprint are the same number")
  func thumbprintForms() throws {
    var ends = try ends(.required(authority: authority), .client)
    ends.run()
    let told = ends.server.clientCertificate()
    let certificate = try #require(told)
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    let bits = certificate.thumbprintBase64URL.flatMap { digit -> [Int] in
      let value = digits.firstIndex(of: digit) ?? 0
      return (0..<6).map { value >> (5 - $0) & 1 }
    }
    let bytes = stride(from: 0, to: 256, by: 8).map { start in
      UInt8(truncatingIfNeeded: bits[start..<start + 8].reduce(0) { $0 << 1 | $1 })
    }
    #expect(hexadecimal(bytes) == certificate.thumbprint)
  }

  @Test("Without a certificate: none and optional let in, required does not")
  func missing() throws {
    for policy in [ClientCertificatePolicy.none, .optional(authority: authority)] {
      var ends = try ends(policy, nil)
      ends.run()
      let (areEstablished, certificate) = (ends.areEstablished, ends.server.clientCertificate())
      #expect(areEstablished && certificate == nil)
    }
    var refused = try ends(.required(authority: authority), nil)
    let (client, server) = refused.run()
    #expect(failure(server)?.result == .certificateRequired)
    #expect(failure(client)?.reason == "tlsv13 alert certificate required")
  }

  @Test("No certificate is asked for under none, so none is forwarded")
  func unasked() throws {
    var ends = try ends(.none, .client)
    ends.run()
    let (areEstablished, certificate) = (ends.areEstablished, ends.server.clientCertificate())
    #expect(areEstablished && certificate == nil)
  }

  @Test(
    "A certificate that has expired or that another authority signed is refused, optional or not",
    arguments: [TestCertificates.Kind.expiredClient, .foreignClient])
  func bad(kind: TestCertificates.Kind) throws {
    for policy in [ClientCertificatePolicy.optional(authority: authority), .required(authority: authority)] {
      var ends = try ends(policy, kind)
      let (client, server) = ends.run()
      let error = failure(server)
      #expect(error?.result == .certificateInvalid)
      #expect(
        error?.reason == "certificate verify failed: "
          + (kind == .expiredClient ? "certificate has expired" : "unable to get local issuer certificate"))
      #expect(failure(client)?.result == .refusedByPeer)
    }
  }

  private func revoking(_ list: String, tickets: TicketKeys? = nil) throws -> ServerContext {
    try contexts.server(.good, tickets: try tickets ?? TicketKeys()) {
      $0.clientCertificates = .optional(authority: authority)
      $0.clientRevocations = contexts.certificates.file(list)
    }
  }

  @Test(
    "A certificate on its authority's revocation list is refused, and every one once the list is overdue",
    arguments: [
      ("revokesNobody.crl", nil), ("revokesClient.crl", "certificate revoked"), ("overdue.crl", "CRL has expired"),
    ] as [(String, String?)])
  func revoked(list: String, reason: String?) throws {
    let client = try contexts.client { $0.certificate = contexts.paths(.client) }
    var ends = try Ends.make(client, try revoking(list))
    let (_, server) = ends.run()
    let areEstablished = ends.areEstablished
    #expect(areEstablished == (reason == nil))
    if let reason { #expect(failure(server)?.reason == "certificate verify failed: \(reason)") }
    // A client without one is not compared with any list.
    var anonymous = try Ends.make(try contexts.client(), try revoking(list))
    anonymous.run()
    let isAnonymousIn = anonymous.areEstablished
    #expect(isAnonymousIn)
  }

  @Test("A session that began before its certificate was revoked is not resumed")
  func resumptionOfRevoked() throws {
    let tickets = try TicketKeys()
    let client = try contexts.client {
      $0.certificate = contexts.paths(.client)
      $0.keepsSessions = true
    }
    var first = try Ends.make(client, try revoking("revokesNobody.crl", tickets: tickets))
    first.run()
    let resumption = first.client.takeResumption()
    #expect(resumption != nil)
    var second = try Ends.make(client, try revoking("revokesClient.crl", tickets: tickets), resuming: resumption)
    let (_, server) = second.run()
    #expect(failure(server)?.result == .certificateInvalid)
  }

  @Test("What is not a revocation list is reported when the file is checked")
  func badLists() throws {
    let certificates = contexts.certificates
    #expect(throws: TLSError.self) { try TLSFiles.checkRevocations(certificates.authority) }
    #expect(throws: TLSError.self) { try TLSFiles.checkRevocations(certificates.file("missing.crl")) }
    #expect(try TLSFiles.checkRevocations(certificates.file("overdue.crl")) == 1_577_923_200)
  }

  @Test("The authorities' names are sent, so that a client can choose")
  func authorityNames() throws {
    var ends = try ends(.optional(authority: authority), nil)
    ends.run()
    let names = unsafe SSL_get0_peer_CA_list(ends.client.ssl)
    #expect(unsafe names != nil)
  }

  @Test("A certificate is forwarded after resumption too, and not under another policy")
  func resumption() throws {
    let tickets = try TicketKeys()
    let required = try contexts.server(.good, tickets: tickets) {
      $0.clientCertificates = .required(authority: authority)
    }
    let client = try contexts.client {
      $0.certificate = contexts.paths(.client)
      $0.keepsSessions = true
    }
    var first = try Ends.make(client, required)
    first.run()
    let certificate = first.server.clientCertificate()
    let resumption = first.client.takeResumption()
    var second = try Ends.make(client, required, resuming: resumption)
    second.run()
    let (facts, again) = (second.server.facts(), second.server.clientCertificate())
    #expect(facts.isResumed && again == certificate && certificate != nil)
    for policy in [ClientCertificatePolicy.none, .optional(authority: authority)] {
      let other = try contexts.server(.good, tickets: tickets) { $0.clientCertificates = policy }
      var third = try Ends.make(client, other, resuming: second.client.takeResumption() ?? resumption)
      third.run()
      let facts = third.server.facts()
      let areEstablished = third.areEstablished
      #expect(areEstablished && !facts.isResumed)
    }
  }
}
