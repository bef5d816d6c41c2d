// What `run` and `check` say of a file, and of addresses that are not available.

import Foundation
import TestSupport
import Testing

@Suite("Start and check", .timeLimit(.minutes(10)))
struct StartTests {
  private static let good = """
    listeners: [{ address: "127.0.0.1:0" }]
    admin: { address: "127.0.0.1:0" }
    routes: [{ path: /, auth: public, respond: { status: 200 } }]
    """

  @Test("A wrong file is reported with all its errors and their positions. Nothing is bound and the exit status is 1")
  func allErrors() async throws {
    let wrong = """
      listeners: [{ adress: "127.0.0.1:0" }]
      limits: { header_timeout: 10 }
      access_log: { path: made-by-mistake.log }
      upstreams: { orders: { servers: ["127.0.0.1"] } }
      routes:
        - { path: orders, auth: public, upstream: ordrs }
        - { path: /b, upstream: orders }
      """
    for command in ["run", "check"] {
      let (status, output, errors) = try await GatewayProcess.run([command], configuration: wrong)
      #expect(status == 1)
      #expect(output.isEmpty)
      for place in ["1:", "2:", "4:", "6:", "7:"] {
        #expect(errors.contains("gateway.conf:\(place)"), "\(command) \(place): \(errors)")
      }
      #expect(errors.contains("address") && errors.contains("'orders'"))
      #expect(!errors.contains("listening"))
    }
  }

  @Test("check takes the example, and says of a good file that it is good")
  func example() async throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let example = root.appending(path: "gateway.conf.example").path
    let checked = try await GatewayProcess.run(["check", example], environment: ["STATE_DIRECTORY": "/tmp"])
    #expect(checked.status == 0, "\(checked.standardError)")
    #expect(checked.standardOutput.contains("ok"))
    let good = try await GatewayProcess.run(["check"], configuration: Self.good)
    #expect(good.status == 0)
    #expect(good.standardOutput.contains("gateway.conf: ok, 1 route"))
    let absent = try await GatewayProcess.run(["check", "no-such.conf"])
    #expect(absent.status == 1)
    #expect(absent.standardError.contains("no-such.conf"))
  }

  @Test("A file of TLS that is not there is an error at its path's place, for check and run alike")
  func certificateFiles() async throws {
    let tls = "tls: { certificates: [{ certificate: none.crt, key: none.key }] }"
    let file = Self.good.replacing(
      "listeners: [{ address: \"127.0.0.1:0\"", with: "listeners: [{ \(tls), address: \"127.0.0.1:0\"")
    for command in ["check", "run"] {
      let (status, _, errors) = try await GatewayProcess.run([command], configuration: file)
      #expect(status == 1)
      #expect(errors.contains("gateway.conf:1:52: the file"), "\(errors)")
      #expect(errors.contains("none.crt' cannot be read: No such file or directory"), "\(errors)")
      #expect(errors.contains("none.key' cannot be read"), "\(errors)")
    }
  }

  @Test("A private key that every user may read is a warning at its path's place")
  func openKey() async throws {
    let made = try await TestCertificates.shared()
    let key = try String(contentsOfFile: made.key(.good), encoding: .utf8)
    let tls = "tls: { certificates: [{ certificate: \(made.certificate(.good)), key: NAME }] }"
    let file = Self.good.replacing(
      "listeners: [{ address: \"127.0.0.1:0\"", with: "listeners: [{ \(tls), address: \"127.0.0.1:0\"")
    for (name, isOpen) in [("server.pem", true), ("server.key", false)] {
      let (status, _, errors) = try await GatewayProcess.run(
        ["check"], configuration: file.replacing("NAME", with: name), files: [name: key])
      #expect(status == 0)
      #expect(errors.contains("warning: every user of this machine may read the key") == isOpen, "\(errors)")
    }
  }

  @Test("A port in use is a clear error and exit status 1, for the listener and for admin")
  func portInUse() async throws {
    let other = try await TestUpstream.echo()
    // The second ends while workers start, which is a matter of moments: so it is tried some times.
    for line in ["listeners: [{ address"] + Array(repeating: "admin: { address", count: 20) {
      let file = Self.good.replacing(line + ": \"127.0.0.1:0", with: line + ": \"127.0.0.1:\(other.port)")
      let (status, output, errors) = try await GatewayProcess.run(["run"], configuration: file)
      #expect(status == 1)
      #expect(output.isEmpty)
      #expect(
        errors.contains("cannot start: cannot listen on 127.0.0.1:\(other.port): the address is in use"), "\(errors)")
      #expect(!errors.contains(" notice ready"))
    }
  }

  @Test("A second gateway does not share the first one's port")
  func secondGateway() async throws {
    let file = Self.good.replacing("admin: { address: \"127.0.0.1:0\" }", with: "admin: off")
    let first = try await GatewayProcess.start(Self.good)
    let (status, _, errors) = try await GatewayProcess.run(
      ["run"], configuration: file.replacing("127.0.0.1:0", with: "127.0.0.1:\(first.port)"))
    #expect(status == 1)
    #expect(errors.contains("cannot listen on 127.0.0.1:\(first.port): the address is in use"), "\(errors)")
    #expect(try await first.get("/").status == 200)
  }

  @Test("All addresses of IPv4 and of IPv6 are side by side on one port")
  func bothFamilies() async throws {
    let port = try closedPort()
    let gateway = try await GatewayProcess.start(
      """
      listeners: [{ address: "[::]:\(port)" }, { address: "0.0.0.0:\(port)" }]
      routes: [{ path: /, auth: public, respond: { status: 200, body: ok } }]
      """)
    #expect(gateway.ports == [port, port])
    for host in ["127.0.0.1", "[::1]"] {
      let curl = try await ChildProcess.run("curl", ["-s", "http://\(host):\(port)/"])
      #expect(curl.standardOutput == "ok", "\(host)")
    }
  }

  @Test("A log file that cannot be opened is a clear error and exit status 1")
  func logFile() async throws {
    let (status, _, errors) = try await GatewayProcess.run(
      ["run"], configuration: Self.good + "\naccess_log: { path: no/such/folder/access.log }")
    #expect(status == 1)
    #expect(errors.contains("no/such/folder/access.log"), "\(errors)")
    #expect(!errors.contains("listening"))
  }
}
