// The scanner that people grade servers with.

import Foundation
import TestSupport
import Testing

@Suite("A foreign scanner") struct ForeignScannerTests {
  private struct Finding: Decodable {
    let id: String
    let severity: String
    let finding: String
  }

  @Test("testssl.sh finds TLS 1.2 and 1.3, forward secrecy and nothing weak", .timeLimit(.minutes(10)))
  func testssl() async throws {
    let gateway = try await SecureGateway.start([.good, .rsa])
    let folder = try TemporaryFolder()
    let report = folder.url.appending(path: "report.json")
    let run = try await ChildProcess.run(
      "testssl",
      [
        "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "-p", "-s", "-f", "--jsonfile",
        report.path, "localhost:\(gateway.process.port)",
      ], within: .seconds(240))
    let findings = try JSONDecoder().decode([Finding].self, from: try Data(contentsOf: report))
    let byID = Dictionary(findings.map { ($0.id, $0) }) { first, _ in first }
    for (id, start) in [
      ("SSLv2", "not offered"), ("SSLv3", "not offered"), ("TLS1", "not offered"), ("TLS1_1", "not offered"),
      ("TLS1_2", "offered"), ("TLS1_3", "offered"), ("ALPN_HTTP2", "h2"), ("cipherlist_NULL", "not offered"),
      ("cipherlist_aNULL", "not offered"), ("cipherlist_EXPORT", "not offered"), ("cipherlist_LOW", "not offered"),
      ("cipherlist_3DES_IDEA", "not offered"), ("cipherlist_AVERAGE", "not offered"), ("cipherlist_STRONG", "offered"),
      ("PFS", "offered"),
    ] {
      #expect(byID[id]?.finding.hasPrefix(start) == true, "\(id): \(byID[id]?.finding ?? run.standardOutput)")
    }
    // Said of the scanner's own openssl, which cannot offer GOST on every machine.
    for finding in findings where finding.id != "engine_problem" {
      #expect(["OK", "INFO"].contains(finding.severity), "\(finding.id): \(finding.finding)")
    }
  }
}
