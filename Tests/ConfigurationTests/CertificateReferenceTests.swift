// Files of TLS are named by the reader and looked at by somebody else, whose findings are among its own.

import Testing

@testable import Configuration

@Suite("References to files of TLS")
struct CertificateReferenceTests {
  static let text = """
    listeners:
      - address: 0.0.0.0:8443
        tls:
          certificates:
            - { certificate: a.crt, key: /keys/a.key, ocsp: a.ocsp }
            - { certificate: b.crt, key: b.key }
          client_certificates: required
          client_ca: c.crt
          client_crl: c.crl
          ticket_keys: tickets
    upstreams:
      orders: { servers: ["10.0.0.1:1"], tls: { ca: ca.crt, certificate: gw.crt, key: gw.key } }
    routes:
      - { path: /a, auth: public, upstream: orders }
    """

  private func read(
    _ text: String = text, check: @escaping (CertificateReference) -> [CertificateFinding] = { _ in [] }
  ) -> Result<ConfigurationReader.Loaded, ConfigurationErrors> {
    ConfigurationReader.read(
      text: text, file: "gateway.conf", folder: "/etc/catraca", environment: [:],
      readFile: { throw FileReadError(description: "read \($0)") }, checkCertificates: check)
  }

  @Test("every file is noted with its purpose and its position, and none is read") func references() throws {
    func file(_ path: String, _ line: Int, _ column: Int) -> LocatedPath {
      LocatedPath(path: path, position: SourcePosition(line: line, column: column))
    }
    #expect(
      try read().get().certificates == [
        .server(
          certificate: file("/etc/catraca/a.crt", 5, 26), key: file("/keys/a.key", 5, 38),
          ocsp: file("/etc/catraca/a.ocsp", 5, 57)),
        .server(certificate: file("/etc/catraca/b.crt", 6, 26), key: file("/etc/catraca/b.key", 6, 38), ocsp: nil),
        .ticketKeys(file("/etc/catraca/tickets", 10, 20)),
        .clientAuthority(file("/etc/catraca/c.crt", 8, 18)),
        .clientRevocations(file("/etc/catraca/c.crl", 9, 19)),
        .upstreamAuthority(file("/etc/catraca/ca.crt", 12, 49)),
        .client(certificate: file("/etc/catraca/gw.crt", 12, 70), key: file("/etc/catraca/gw.key", 12, 83)),
      ])
  }

  @Test("what the check of them finds is reported at the path's position, sorted among the reader's own findings")
  func findings() {
    let broken = Self.text.replacing("address: 0.0.0.0:8443", with: "address: 0.0.0.0").replacing("/a,", with: "a,")
    let result = read(broken) { reference in
      switch reference {
      case .server(_, let key, .some): [CertificateFinding(.error, at: key.position, "does not fit\nthe certificate")]
      case .clientAuthority(let file): [CertificateFinding(.warning, at: file.position, "expires in 3 days")]
      default: []
      }
    }
    guard case .failure(let errors) = result else {
      Issue.record("taken")
      return
    }
    #expect(
      errors.description == """
        gateway.conf:2:14: 'address' must be host:port, not '0.0.0.0': write 0.0.0.0:8080
        gateway.conf:5:38: does not fit\\u{a}the certificate
        gateway.conf:8:18: warning: expires in 3 days
        gateway.conf:14:13: a path begins with '/': write '/a'
        """)
  }

  @Test("a finding alone refuses the file, a warning does not") func severity() throws {
    let refused = read { [CertificateFinding(.error, at: $0.files[0].position, "expired")] }
    #expect(throws: ConfigurationErrors.self) { try refused.get() }
    let taken = read { [CertificateFinding(.warning, at: $0.files[0].position, "expires soon")] }
    #expect(try taken.get().warnings.count == 7)
  }
}
