// What `catraca check` looks at in files of TLS.

import Configuration
import Testing
import Tokens

@testable import ControlPlane

@Suite("Files of TLS")
struct CertificateCheckTests {
  private func located(_ path: String, _ column: Int) -> LocatedPath {
    LocatedPath(path: path, position: SourcePosition(line: 3, column: column))
  }

  @Test("each file of a reference that cannot be read is an error at its own place") func unreadable() {
    let reference = CertificateReference.server(
      certificate: located("/nonexistent/a.crt", 5), key: located("/dev/null", 20), ocsp: located("/", 40))
    let findings = CertificateCheck.findings(reference)
    #expect(findings.map(\.position.column) == [5, 40])
    #expect(findings.allSatisfy { $0.severity == .error })
    #expect(findings.first?.message == "the file '/nonexistent/a.crt' cannot be read: No such file or directory")
  }

  @Test("a file without a key that signs is an error that shows nothing of it") func signingKey() {
    let findings = CertificateCheck.findings(.signingKey(located("/etc/hostname", 7)))
    #expect(findings.map(\.severity) == [.error] && findings.map(\.position.column) == [7])
    #expect(findings.first?.message == "\(ClientKey.fault) in '/etc/hostname'")
  }

  @Test("a file that never ends is an error, not a hang") func endless() {
    #expect(CertificateCheck.findings(.ticketKeys(located("/dev/zero", 1))).map(\.severity) == [.error])
  }
}
