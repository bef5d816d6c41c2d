// Certificates and listeners that change while the gateway runs.

import Foundation
import TestSupport
import Testing

@Suite("TLS while it runs", .needs("openssl"), .needs("curl"))
struct RenewalTests {
  private let certificates: TestCertificates

  init() async throws { certificates = try await TestCertificates.shared() }

  private static let configuration =
    SecureGateway.listener("certificates: [{ certificate: a.crt, key: a.key }]") + SecureGateway.answering

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  private func start() async throws -> SecureGateway {
    let process = try await GatewayProcess.start(
      Self.configuration,
      files: ["a.crt": text(certificates.certificate(.good)), "a.key": text(certificates.key(.good))])
    return SecureGateway(certificates: certificates, process: process)
  }

  private func replace(_ kind: TestCertificates.Kind, in gateway: SecureGateway) throws {
    try gateway.process.write(file: "a.key", text(certificates.key(kind)))
    try gateway.process.write(file: "a.crt", text(certificates.certificate(kind)))
  }

  @Test("A reload takes in renewed files, and connections that are open live on")
  func reload() async throws {
    let gateway = try await start()
    let kept = try await gateway.connect()
    #expect(try await kept.get("/").text == "ok")
    try replace(.wildcard, in: gateway)
    #expect(try await gateway.process.reload().status == 200)
    #expect(try await gateway.curl([], host: "a.apps.test").0 == 0)
    #expect(try await gateway.curl([]).0 == 60)
    #expect(try await kept.get("/").text == "ok")
  }

  @Test("Renewed files are used without a reload, again and again. A bad renewal changes nothing and is logged")
  func byThemselves() async throws {
    let gateway = try await start()
    try replace(.wildcard, in: gateway)
    try await gateway.process.waitUntil("the new certificate") {
      try await gateway.curl([], host: "a.apps.test").0 == 0
    }
    try gateway.process.write(file: "a.crt", "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    // The gateway may have looked between the two files, and then it has reported the new key, too.
    _ = try await gateway.process.waitForLog("the bad renewal") {
      $0.contains("certificates not renewed") && $0.contains("a.crt") && $0.contains("error")
        && !$0.contains("does not belong")
    }
    #expect(try await gateway.curl([], host: "a.apps.test").0 == 0)
    // A key that does not fit is as bad. With its certificate it is good again.
    let wrongKey = { (line: String) in line.contains("certificates not renewed") && line.contains("does not belong") }
    let count = gateway.process.standardError.count(where: wrongKey)
    try gateway.process.write(file: "a.crt", text(certificates.certificate(.good)))
    try await gateway.process.waitUntil("the wrong key to be reported") {
      gateway.process.standardError.count(where: wrongKey) > count
    }
    #expect(try await gateway.curl([], host: "a.apps.test").0 == 0)
    try gateway.process.write(file: "a.key", text(certificates.key(.good)))
    try await gateway.process.waitUntil("the first certificate again") { try await gateway.curl([]).0 == 0 }
    #expect(gateway.process.standardError.allSatisfy { !$0.contains("PRIVATE KEY") })
  }

  @Test("A renewal right behind a reload is not overlooked")
  func behindReload() async throws {
    let gateway = try await start()
    for kind in [TestCertificates.Kind.wildcard, .good, .wildcard] {
      #expect(try await gateway.process.reload().status == 200)
      try replace(kind, in: gateway)
      let host = kind == .good ? "localhost" : "a.apps.test"
      try await gateway.process.waitUntil("the certificate of \(host)") {
        try await gateway.curl([], host: host).0 == 0
      }
    }
  }

  @Test("A reload with a bad file is refused with its place, and what was in use stays")
  func badReload() async throws {
    let gateway = try await start()
    try gateway.process.write(file: "a.key", "no key at all")
    let response = try await gateway.process.reload()
    #expect(response.status == 422)
    #expect(response.text.contains("a.key"))
    #expect(response.text.contains("gateway.conf:"))
    #expect(!response.text.contains("no key at all"))
    #expect(try await gateway.curl([]).0 == 0)
  }

  @Test("A reload puts TLS on a listener and takes it away. Kept connections of the other kind end")
  func onAndOff() async throws {
    let plain = "listeners: [{ address: \"127.0.0.1:0\" }]\n" + SecureGateway.answering
    let gateway = try await start()
    let secure = try await gateway.connect()
    #expect(try await secure.get("/").status == 200)
    try gateway.process.write(configuration: plain)
    #expect(try await gateway.process.reload().status == 200)
    #expect(try await gateway.process.get("/").text == "ok")
    #expect(try await gateway.curl([]).0 == 35)
    try await secure.expectClosed()
    let open = try await gateway.process.connect()
    #expect(try await open.get("/").status == 200)
    try gateway.process.write(configuration: Self.configuration)
    #expect(try await gateway.process.reload().status == 200)
    #expect(try await gateway.curl([]).1 == "ok")
    #expect(try await gateway.process.get("/").status == 400)
    // Nobody goes on in the clear where TLS was asked for.
    try await open.expectClosed()
  }

  @Test("A listener that a reload adds speaks TLS from its first connection on")
  func addedListener() async throws {
    let gateway = try await start()
    let tls = "tls: { certificates: [{ certificate: a.crt, key: a.key }] }"
    try gateway.process.write(
      configuration: "listeners: [{ address: \"127.0.0.1:0\", \(tls) }, { address: \"127.0.0.2:0\", \(tls) }]\n"
        + SecureGateway.answering)
    #expect(try await gateway.process.reload().status == 200)
    let line = try await gateway.process.waitForLog("the new listener") { $0.contains("address=127.0.0.2:") }
    let port = try #require(line.firstMatch(of: /127\.0\.0\.2:(\d+)/).flatMap { Int($0.1) })
    let client = try await RawClient.connect(port: port, host: "127.0.0.2", secure: try await SecureGateway.client())
    #expect(try await client.get("/").text == "ok")
  }
}
