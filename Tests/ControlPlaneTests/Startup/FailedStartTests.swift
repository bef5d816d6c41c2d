// A start that fails takes back what it has opened.

import Configuration
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport

@testable import ControlPlane

@Suite("A start that fails")
struct FailedStartTests {
  @Test("Where a passed socket is no listener's, nobody listens on the admin address afterwards")
  func unusedSocket() async throws {
    let port = try closedPort()
    let text = """
      workers: 1
      listeners: [{ address: "127.0.0.1:0" }]
      admin: { address: "127.0.0.1:\(port)" }
      routes: [{ path: /*, auth: public, respond: { status: 200 } }]
      """
    let read: ConfigurationSource = {
      ConfigurationReader.read(
        text: text, file: "gateway.conf", folder: "", environment: [:], readFile: { try readWholeFile($0) },
        checkCertificates: CertificateCheck.findings)
    }
    let passed = try listeningDescriptor(on: Address(host: "127.0.0.1", port: 0))
    var inheritance = try Inheritance.read(["CATRACA_SOCKETS": "\(passed)=127.0.0.1:1"])
    inheritance.mustBeUsed = true
    let process = ProcessFacts(version: "0", file: "gateway.conf", log: OwnLog(), inheritance: inheritance)
    await #expect(throws: UnusedSocketError.self) {
      _ = try await RunningGateway.start(try read().get(), reading: read, process: process)
    }
    let client = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    await #expect(throws: (any Error).self) { try await client.connect(host: "127.0.0.1", port: port).get() }
  }
}
