// Servers that are given by name: their addresses come from DNS servers, which change their mind, lie and fail.

import Foundation
import TestSupport
import Testing

@Suite("Names of servers")
struct NameTests {
  private static func configuration(_ server: String, port: Int, _ keys: String = "") -> String {
    """
    dns: { servers: ["\(server)"] }
    upstreams:
      service: { servers: ["app.test:\(port)"]\(keys) }
    routes:
      - { path: "/*", auth: public, upstream: service }
    """
  }

  /// Two servers on one port of different addresses.
  private static func pair() async throws -> (TestUpstream, TestUpstream) {
    let first = try await TestUpstream.answering("first", at: "127.0.0.2")
    return (first, try await TestUpstream.answering("second", at: "127.0.0.3", port: first.port))
  }

  private static let first: [UInt8] = [127, 0, 0, 2]
  private static let second: [UInt8] = [127, 0, 0, 3]

  /// IPv4 addresses, and no IPv6 ones.
  private static func say(_ addresses: [UInt8]..., seconds: UInt8 = 0) -> TestNameServer.Script {
    { query in query.answer(query.isIPv6 ? [] : addresses, seconds: seconds) }
  }

  private func texts(_ gateway: GatewayProcess, _ count: Int = 6) async throws -> Set<String> {
    let client = try await gateway.connect()
    var found: Set<String> = []
    for _ in 0..<count { found.insert(try await client.get("/").text) }
    return found
  }

  @Test("All addresses of a name are used. A change moves the requests, lets those under way end, and is logged once")
  func change() async throws {
    let gate = Gate()
    let first = try await TestUpstream.start(at: "127.0.0.2") { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/slow" { try await gate.wait() }
        try await connection.answer("first", to: request)
      }
    }
    let second = try await TestUpstream.answering("second", at: "127.0.0.3", port: first.port)
    let names = try await TestNameServer.start(Self.say(Self.first, Self.second))
    let gateway = try await GatewayProcess.start(Self.configuration(names.address, port: first.port))
    // The start waits two seconds for the name.
    try await gateway.waitUntil("both are asked") { try await texts(gateway) == ["first", "second"] }
    names.say(Self.say(Self.first))
    try await gateway.waitUntil("only the first is asked") { try await texts(gateway) == ["first"] }
    // Its idle connections are closed.
    try await second.waitForOpenConnections(0)
    let count = first.requests.count
    let slow = try await gateway.connect()
    try await slow.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await first.waitForRequests(count + 1)
    names.say(Self.say(Self.second))
    try await gateway.waitUntil("only the second is asked") { try await texts(gateway) == ["second"] }
    gate.open()
    #expect(try await slow.receiveResponse().text == "first")
    try await first.waitForOpenConnections(0)
    _ = try await gateway.waitForLog("the change") {
      $0.contains("127.0.0.3") && $0.contains("a name has other addresses")
    }
    #expect(gateway.standardError.count { $0.contains("a name has other addresses") } == 2)
    #expect(
      try await gateway.metrics().sum("catraca_dns_total", ["upstream": "service", "result": "ok"]) >= 3)
  }

  @Test("With DNS down the gateway starts, refuses with its code, and heals. A later failure keeps the addresses")
  func down() async throws {
    let (first, second) = try await Self.pair()
    let names = try await TestNameServer.start { $0.answer([], flags: [0x81, 0x82]) }
    let gateway = try await GatewayProcess.start(Self.configuration(names.address, port: first.port))
    let refused = try await gateway.get("/")
    #expect(refused.status == 503)
    #expect(refused.code == "upstream_unresolved")
    _ = try await gateway.waitForLog("the failure") { $0.contains("a name could not be resolved") }
    names.say(Self.say(Self.first))
    try await gateway.waitUntil("it heals") { try await gateway.get("/").text == "first" }
    _ = try await gateway.waitForLog("the recovery") { $0.contains("a name is resolved again") }
    for script: TestNameServer.Script in [
      { $0.answer([], flags: [0x81, 0x83]) }, { _ in [1, 2, 3] }, { query in query.answer([], flags: [0x81, 0x85]) },
    ] {
      names.say(script)
      try await names.waitForQueries(4)
      #expect(try await texts(gateway) == ["first"])
    }
    names.say(Self.say(Self.second))
    try await gateway.waitUntil("the second is asked") { try await texts(gateway) == ["second"] }
    #expect(second.failures.isEmpty)
    #expect(try await gateway.metrics().sum("catraca_dns_total", ["upstream": "service", "result": "failed"]) >= 2)
  }

  @Test("What does not fit into a datagram is asked for over TCP")
  func stream() async throws {
    let first = try await TestUpstream.answering("first", at: "127.0.0.2")
    let names = try await TestNameServer.start { query in
      if !query.isStream { return query.answer([], flags: [0x83, 0x80]) }
      return query.answer(query.isIPv6 ? [] : [Self.first], seconds: 60)
    }
    let gateway = try await GatewayProcess.start(Self.configuration(names.address, port: first.port))
    try await gateway.waitUntil("the first is asked") { try await texts(gateway) == ["first"] }
    #expect(!first.requests.isEmpty)
  }

  @Test("A reload with another name waits for it, and no request is lost")
  func reload() async throws {
    let (first, second) = try await Self.pair()
    let echo = try await TestUpstream.echo()
    let names = try await TestNameServer.start(Self.say(Self.second, seconds: 60))
    let gateway = try await GatewayProcess.start(Configurations.plain(echo))
    #expect(try await gateway.get("/").status == 200)
    try gateway.write(configuration: Self.configuration(names.address, port: first.port))
    #expect(try await gateway.reload().status == 200)
    #expect(try await texts(gateway) == ["second"])
    #expect(first.requests.isEmpty)
    #expect(!second.requests.isEmpty)
  }

  @Test("A real DNS server: addresses by hosts file, changed at run time")
  func dnsmasq() async throws {
    let program = try #require(ChildProcess.path(of: "dnsmasq"), "install dnsmasq-base")
    let (first, second) = try await Self.pair()
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-names-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let hosts = folder.appending(path: "hosts")
    try "127.0.0.2 app.test\n".write(to: hosts, atomically: true, encoding: .utf8)
    let port = try closedPort()
    let server = try ChildProcess.start(
      program,
      [
        "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--port=\(port)",
        "--listen-address=127.0.0.1", "--bind-interfaces", "--addn-hosts=\(hosts.path)", "--local=/test/",
        "--log-facility=-", "--user=\(NSUserName())",
      ])
    let gateway = try await GatewayProcess.start(Self.configuration("127.0.0.1:\(port)", port: first.port))
    try await gateway.waitUntil("the first is asked") { try await texts(gateway) == ["first"] }
    try "127.0.0.2 app.test\n127.0.0.3 app.test\n".write(to: hosts, atomically: true, encoding: .utf8)
    server.kill(SIGHUP)
    try await gateway.waitUntil("both are asked") { try await texts(gateway) == ["first", "second"] }
    try "127.0.0.3 app.test\n".write(to: hosts, atomically: true, encoding: .utf8)
    server.kill(SIGHUP)
    try await gateway.waitUntil("the second is asked") { try await texts(gateway) == ["second"] }
    #expect(second.failures.isEmpty)
  }
}
