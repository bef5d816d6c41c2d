// Refusals over HTTP/2 before a request's body was read, as curl sees them.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Early answers over HTTP/2", .needs("curl"), .timeLimit(.minutes(10)))
struct EarlyAnswerTests {
  @Test("T118 curl gets each refusal of a body that it still sends", arguments: [12, 5_000, 60_000, 2_000_000])
  func refusedBody(byteCount: Int) async throws {
    let certificates = try await TestCertificates.shared()
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - address: "127.0.0.1:0"
          tls: { certificates: [{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }] }
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
      routes:
        - { path: /token, auth: login, respond: { status: 200, body: ok } }
        - { path: /small, auth: public, body_size: 4B, respond: { status: 200, body: ok } }
      """, files: ["keys.json": keySetText(try TestKey(.es256))])
    let folder = try TemporaryFolder()
    try folder.write("body", Data(repeating: 97, count: byteCount))
    let body = folder.url.appending(path: "body").path
    for (path, status, code) in [("token", 401, "token_missing"), ("small", 413, "body_too_large")] {
      for round in 1...20 {
        let result = try await ChildProcess.run(
          "curl",
          [
            "-sS", "--noproxy", "*", "--http2", "--cacert", certificates.authority, "-H", "Expect:",
            "--data-binary", "@\(body)", "-w", "[%{http_code}]", "https://localhost:\(gateway.port)/\(path)",
          ])
        #expect(
          result.status == 0 && result.standardOutput.contains(code) && result.standardOutput.hasSuffix("[\(status)]"),
          "\(path), round \(round): \(result)")
      }
    }
  }
}
