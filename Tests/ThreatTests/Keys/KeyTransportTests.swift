// Keys over https: the certificate decides, and nothing turns that off. T25.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct KeyTransportTests {
  @Test(
    "T25 Keys come over https only from whom the issuer's ca, or the system, vouches for under that name",
    .needs("openssl"), .needs("python3"))
  func certificates() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-https-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let key = try TestKey(.es256)
    try Data(keySetText(key).utf8).write(to: folder.appending(path: "keys.json"))
    try Data(Self.script.utf8).write(to: folder.appending(path: "serve.py"))
    // One for this machine's loopback address, one for another name.
    for (name, subject) in [("good", "IP:127.0.0.1"), ("other", "DNS:other.example")] {
      let made = try await ChildProcess.run(
        "openssl",
        [
          "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
          "/CN=\(name)", "-addext", "subjectAltName=\(subject)", "-keyout", "\(name).key", "-out", "\(name).crt",
        ], in: folder)
      try #require(made.status == 0, "\(made.standardError)")
    }
    let good = try await serve("good", folder)
    let other = try await serve("other", folder)
    let certificates = try ["good", "other"].map {
      try String(contentsOf: folder.appending(path: "\($0).crt"), encoding: .utf8)
    }
    func entry(_ name: String, _ port: Int, _ more: [String]) -> String {
      issuerConfiguration(name: name, issuer: name, jwks: "https://127.0.0.1:\(port)/keys.json", more: more)
    }
    let names = ["trusted", "unknown", "wrong", "misnamed", "insecure"]
    let issuers = [
      entry("trusted", good.port, ["ca: good.crt"]), entry("unknown", good.port, []),
      entry("wrong", good.port, ["ca: other.crt"]), entry("misnamed", other.port, ["ca: other.crt"]),
      // This one allows plain http. It takes no certificate on trust.
      entry("insecure", good.port, ["insecure: true"]),
    ]
    let door = try await TokenDoor.start(
      issuers: issuers.joined(), auth: "{ issuers: [\(names.joined(separator: ", "))] }",
      files: ["good.crt": certificates[0], "other.crt": certificates[1]])
    let metrics = try await door.gateway.waitForMetrics("each issuer to have been asked") { metrics in
      names.allSatisfy { metrics.sum("catraca_jwks_refresh_total", ["issuer": $0]) > 0 }
    }
    #expect(metrics.sum("catraca_jwks_refresh_total", ["issuer": "trusted", "result": "success"]) == 1)
    for name in names.dropFirst() {
      #expect(metrics.sum("catraca_jwks_refresh_total", ["issuer": name, "result": "success"]) == 0, "\(name)")
      #expect(metrics.sum("catraca_jwks_refresh_total", ["issuer": name, "result": "tls_failed"]) > 0, "\(name)")
    }
    #expect(
      try await door.verdicts(names.map { makeToken(issuer: $0, key: key) })
        == ["passed"] + names.dropFirst().map { _ in "keys_unavailable" })
    for python in [good.python, other.python] { python.kill(SIGKILL) }
  }

  private func serve(_ name: String, _ folder: URL) async throws -> (port: Int, python: ChildProcess) {
    let python = try ChildProcess.start("/usr/bin/env", ["python3", "-u", "serve.py", name], in: folder)
    let port = try await python.output.wait(for: "the https server's port") { output -> Int? in
      if let status = output.status { throw StreamFailure.malformed("\(status) \(output.standardError)") }
      return output.standardOutput.first.flatMap { Int($0) }
    }
    return (port, python)
  }

  private static let script = """
    import http.server, ssl, sys
    name = sys.argv[1]
    class Quiet(http.server.SimpleHTTPRequestHandler):
      def log_message(self, *words): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(name + ".crt", name + ".key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1])
    server.serve_forever()
    """
}
