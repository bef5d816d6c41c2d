// A gateway with TLS on its first listener, and the clients that come to it.

import Foundation
import TLS
import TestSupport

/// What the tests of TLS start and ask. Certificates are those of the test run.
struct SecureGateway {
  let certificates: TestCertificates
  let process: GatewayProcess

  /// - Parameters:
  ///   - kinds: the listener's certificates, in order.
  ///   - tls: more keys of the listener's `tls`.
  ///   - rest: routes and whatever else.
  static func start(
    _ kinds: [TestCertificates.Kind] = [.good], tls: String = "", rest: String = answering
  ) async throws -> SecureGateway {
    let certificates = try await TestCertificates.shared()
    let process = try await GatewayProcess.start(try await listener(kinds, tls: tls) + rest)
    return SecureGateway(certificates: certificates, process: process)
  }

  static let answering = "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]\n"

  static func listener(_ kinds: [TestCertificates.Kind] = [.good], tls: String = "", keys: String = "") async throws
    -> String
  {
    let certificates = try await TestCertificates.shared()
    let list = kinds.map { kind in
      let ocsp = kind == .good || kind == .rsa ? ", ocsp: \"\(certificates.file("\(kind.rawValue).ocsp"))\"" : ""
      return "{ certificate: \"\(certificates.certificate(kind))\", key: \"\(certificates.key(kind))\"\(ocsp) }"
    }
    let patience = tls.contains("handshake_timeout") ? "" : ", handshake_timeout: 10m"
    return listener(
      "certificates: [\(list.joined(separator: ", "))]\(tls.isEmpty ? "" : ", ")\(tls)\(patience)", keys: keys)
  }

  /// - Parameter settings: of the listener's `tls`.
  static func listener(_ settings: String, keys: String = "") -> String {
    "listeners: [{ address: \"127.0.0.1:0\"\(keys.isEmpty ? "" : ", ")\(keys), tls: { \(settings) } }]\n"
  }

  /// A client of the harness that trusts the test run's root.
  func connect(showing kind: TestCertificates.Kind? = nil) async throws -> RawClient {
    try await RawClient.connect(port: process.port, secure: try await Self.client(showing: kind))
  }

  static func client(
    showing kind: TestCertificates.Kind? = nil, protocols: [String] = ["http/1.1"]
  ) async throws -> ClientContext {
    let certificates = try await TestCertificates.shared()
    var options = ClientOptions(trust: .file(certificates.authority))
    options.certificate = kind.map {
      CertificatePaths(certificate: certificates.certificate($0), key: certificates.key($0))
    }
    options.applicationProtocols = protocols
    return try ClientContext(options)
  }

  /// A server of the harness.
  static func server(
    _ kind: TestCertificates.Kind = .good, protocols: [String] = [], isClientAsked: Bool = false
  ) async throws -> ServerContext {
    let certificates = try await TestCertificates.shared()
    var options = ServerOptions(certificates: [
      CertificatePaths(certificate: certificates.certificate(kind), key: certificates.key(kind))
    ])
    options.applicationProtocols = protocols
    if isClientAsked { options.clientCertificates = .required(authority: certificates.authority) }
    return try ServerContext(options, tickets: try TicketKeys())
  }

  /// What `openssl s_client` prints, with the answer to one request.
  func sClient(_ arguments: String, path: String = "/") async throws -> String {
    let command =
      "printf 'GET \(path) HTTP/1.1\\r\\nHost: test\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client -ign_eof "
      + "-connect 127.0.0.1:\(process.port) -CAfile \(certificates.authority) \(arguments) 2>&1"
    return try await ChildProcess.run("sh", ["-c", command]).standardOutput
  }

  func curl(_ arguments: [String], host: String = "localhost", path: String = "/") async throws -> (Int32, String) {
    let result = try await ChildProcess.run(
      "curl",
      [
        "-sS", "--noproxy", "*", "--max-time", "100", "--cacert", certificates.authority, "--resolve",
        "\(host):\(process.port):127.0.0.1",
      ] + arguments + ["https://\(host):\(process.port)\(path)"])
    return (result.status, result.status == 0 ? result.standardOutput : result.standardError)
  }

  func waitForHandshakes(_ result: String, _ count: Double) async throws {
    try await process.waitForMetrics("\(count) handshakes that are \(result)") {
      $0.sum("catraca_tls_handshakes_total", ["result": result]) == count
    }
  }
}
