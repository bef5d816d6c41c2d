// Client certificates: who must show one, whose are accepted, and what the upstream learns of them.

import Foundation
import TestSupport
import Testing

@Suite("Client certificates", .needs("curl"), .needs("openssl"))
struct ClientCertificateTests {
  private func start(_ policy: String, _ upstream: TestUpstream) async throws -> SecureGateway {
    let authority = try await TestCertificates.shared().authority
    return try await SecureGateway.start(
      tls: "client_certificates: \(policy), client_ca: \"\(authority)\"",
      rest: """
        upstreams: { service: { servers: ["\(upstream.address)"] } }
        routes:
          - path: /*
            auth: public
            identity: { headers: { X-Subject: tls.subject, X-San: tls.san, X-Thumbprint: tls.thumbprint } }
            upstream: service
        """)
  }

  private func shown(_ kind: TestCertificates.Kind, _ gateway: SecureGateway) -> [String] {
    ["--cert", gateway.certificates.certificate(kind), "--key", gateway.certificates.key(kind)]
  }

  /// The upstream's echo has the request's head in it.
  private static let forged = ["-H", "X-Subject: CN=admin", "-H", "x-san: DNS:admin", "-H", "X-Thumbprint: forged"]

  @Test(
    "A certificate is forwarded to the upstream in headers that no client can send",
    arguments: ["optional", "required"])
  func identity(_ policy: String) async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await start(policy, upstream)
    for version in ["1.2", "1.3"] {
      let (status, text) = try await gateway.curl(
        shown(.client, gateway) + Self.forged + ["--tls-max", version, "--http1.1"])
      #expect(status == 0, "\(text)")
      #expect(text.contains("X-Subject: CN=caller,O=Test\\, Inc.\r\n"), "\(text)")
      #expect(text.contains("X-San: DNS:caller.test,URI:spiffe://test/caller,email:a@b.test,IP"), "\(text)")
      let thumbprint = try await ChildProcess.run(
        "sh",
        [
          "-c",
          "openssl x509 -in \(gateway.certificates.certificate(.client)) -outform DER | openssl dgst -sha256 -binary "
            + "| base64 | tr '+/' '-_' | tr -d '='",
        ])
      #expect(text.contains("X-Thumbprint: \(thumbprint.standardOutput)\r\n"), "\(text)")
      #expect(!text.contains("admin") && !text.contains("forged"), "\(text)")
    }
  }

  @Test("Without a certificate the headers are left out, whatever the client sends")
  func anonymous() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await start("optional", upstream)
    let (status, text) = try await gateway.curl(Self.forged)
    #expect(status == 0 && text.hasPrefix("GET / HTTP/1.1"), "\(text)")
    for name in ["X-Subject", "X-San", "X-Thumbprint"] { #expect(!text.lowercased().contains(name.lowercased())) }
  }

  @Test("Where nobody is asked, a certificate that a client has makes no difference")
  func none() async throws {
    let gateway = try await SecureGateway.start()
    #expect(try await gateway.curl(shown(.foreignClient, gateway)).1 == "ok")
    #expect(try await !gateway.sClient("").contains("Acceptable client certificate CA names"))
  }

  @Test(
    "One that is missing where it is required, out of date or of another authority ends in an alert and is counted",
    arguments: ["-tls1_2", "-tls1_3"])
  func refused(_ version: String) async throws {
    let upstream = try await TestUpstream.echo()
    let required = try await start("required", upstream)
    let optional = try await start("optional", upstream)
    let none = try await required.sClient(version)
    #expect(none.contains("alert") && !none.contains("HTTP/1.1 200"), "\(none)")
    try await required.waitForHandshakes("certificate_required", 1)
    for gateway in [required, optional] {
      for (kind, word) in [(TestCertificates.Kind.expiredClient, "expired"), (.foreignClient, "unknown ca")] {
        let certificates = gateway.certificates
        let printed = try await gateway.sClient(
          "\(version) -cert \(certificates.certificate(kind)) -key \(certificates.key(kind))")
        #expect(printed.contains("alert") && printed.contains(word), "\(kind): \(printed)")
        #expect(!printed.contains("HTTP/1.1 200"))
      }
      try await gateway.waitForHandshakes("certificate_invalid", 2)
    }
    #expect(upstream.requests.isEmpty)
    #expect(try await optional.curl([]).0 == 0)
  }

  @Test("A session is not resumed under another policy: a reload that asks for certificates asks everybody")
  func policyChange() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await start("optional", upstream)
    let folder = try TemporaryFolder()
    let session = folder.url.appending(path: "session").path
    let kept = try await gateway.connect()
    #expect(try await kept.get("/").status == 200)
    #expect(try await gateway.sClient("-sess_out \(session)").contains("HTTP/1.1 200"))
    try gateway.process.write(
      configuration: try await SecureGateway.listener(
        tls: "client_certificates: required, client_ca: \"\(gateway.certificates.authority)\"")
        + SecureGateway.answering)
    #expect(try await gateway.process.reload().status == 200)
    #expect(try await !gateway.sClient("-sess_in \(session)").contains("HTTP/1.1 200"))
    // A connection that was let in without one does not outlive the rule.
    try await kept.expectClosed()
    #expect(try await gateway.connect(showing: .client).get("/").status == 200)
  }

  @Test("A certificate that is revoked while the gateway runs is refused at its next handshake, without a reload")
  func revocation() async throws {
    let certificates = try await TestCertificates.shared()
    func text(_ name: String) throws -> String { try String(contentsOfFile: certificates.file(name), encoding: .utf8) }
    let upstream = try await TestUpstream.echo()
    let process = try await GatewayProcess.start(
      try await SecureGateway.listener(
        tls: "client_certificates: required, client_ca: \"\(certificates.authority)\", client_crl: clients.crl")
          + """
          upstreams: { service: { servers: ["\(upstream.address)"] } }
          routes:
            - { path: /*, auth: public, upstream: service }
          """,
      files: ["clients.crl": text("revokesNobody.crl")])
    let gateway = SecureGateway(certificates: certificates, process: process)
    #expect(try await gateway.curl(shown(.client, gateway)).0 == 0)
    try process.write(file: "clients.crl", text("revokesClient.crl"))
    try await process.waitUntil("the list") { try await gateway.curl(shown(.client, gateway)).0 != 0 }
    try await gateway.waitForHandshakes("certificate_invalid", 1)
  }
}
