// A new configuration takes over whole or not at all, and nobody notices.

import Foundation
import TestSupport
import Testing

@Suite("Reload", .timeLimit(.minutes(10)))
struct ReloadTests {
  private func file(_ body: String, more: String = "") -> String {
    "\(more)\nroutes:\n  - { path: /a, auth: public, respond: { status: 200, body: \(body) } }\n"
  }

  @Test("POST /reload changes routes, and connections that are open live on")
  func post() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    let client = try await gateway.connect()
    #expect(try await client.get("/a").text == "one")
    #expect(try await client.get("/b").status == 404)
    try gateway.write(configuration: file("two") + "  - { path: /b, auth: public, respond: { status: 204 } }\n")
    let response = try await gateway.reload()
    #expect(response.status == 200)
    #expect(response.text == "reloaded\nchanged: routes\n")
    #expect(try await client.get("/a").text == "two")
    #expect(try await client.get("/b").status == 204)
    #expect(try await gateway.metrics().sum("catraca_config_reloads_total", ["result": "ok"]) == 1)
    #expect(try await gateway.admin("/status").text.contains("\"generation\" : 2"))
  }

  @Test("SIGHUP does the same")
  func signal() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    let client = try await gateway.connect()
    #expect(try await client.get("/a").text == "one")
    try gateway.write(configuration: file("two"))
    gateway.signal(SIGHUP)
    _ = try await gateway.waitForLog("reloaded") { $0.contains(" notice reloaded ") }
    #expect(try await client.get("/a").text == "two")
    gateway.signal(SIGHUP)
    try await gateway.waitForMetrics("two reloads") { $0.sum("catraca_config_reloads_total", ["result": "ok"]) == 2 }
  }

  @Test("SIGHUP and SIGUSR1 at the first moment do not end the gateway, and count")
  func earlySignals() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    gateway.signal(SIGHUP)
    gateway.signal(SIGUSR1)
    _ = try await gateway.waitForLog("reloaded") { $0.contains(" notice reloaded ") }
    _ = try await gateway.waitForLog("reopened") { $0.contains("access log reopened") }
    #expect(try await gateway.get("/a").text == "one")
  }

  @Test("A named pipe in the place of the file, or of one that it names, does not hold a reload up")
  func namedPipe() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    #expect(try await ChildProcess.run("mkfifo", ["pipe"], in: gateway.folder).status == 0)
    try gateway.write(configuration: file("file:pipe"))
    #expect(try await gateway.reload().text.contains("'pipe' cannot be read: it is a named pipe, not a file"))
    #expect(try await ChildProcess.run("mv", ["pipe", "gateway.conf"], in: gateway.folder).status == 0)
    let refused = try await gateway.reload()
    #expect(refused.status == 422)
    #expect(refused.text.contains("gateway.conf:1:1: cannot be read: it is a named pipe, not a file"))
    #expect(try await gateway.get("/a").text == "one")
  }

  @Test("What only a start can change is reported by a reload")
  func onlyAtStart() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    try gateway.write(configuration: file("two", more: "workers: 2\nstate_directory: state"))
    let response = try await gateway.reload()
    #expect(response.status == 200)
    let lines = response.text.split(separator: "\n").map(String.init)
    #expect(lines.prefix(2) == ["reloaded", "changed: workers, state_directory, routes"], "\(lines)")
    #expect(try await gateway.reload().text.hasPrefix("reloaded\nchanged: nothing\n"))
    for key in ["workers", "state_directory"] {
      #expect(lines.contains("'\(key)' changes at the next start only"), "\(lines)")
      _ = try await gateway.waitForLog(key) { $0.contains("warning") && $0.contains("'\(key)' changes at the next") }
    }
    #expect(try await gateway.get("/a").text == "two")
  }

  @Test("A reload does not share a port with another gateway")
  func otherGateway() async throws {
    let other = try await GatewayProcess.start(file("other"))
    let gateway = try await GatewayProcess.start(file("one"))
    let both = "listeners: [{ address: \"127.0.0.1:0\" }, { address: \"127.0.0.1:\(other.port)\" }]"
    try gateway.write(configuration: file("two", more: both))
    let response = try await gateway.reload()
    #expect(response.status == 422)
    #expect(response.text.contains("127.0.0.1:\(other.port): the address is in use"))
    #expect(try await gateway.get("/a").text == "one")
  }

  @Test("A running request ends as it began, though its route, its upstream and its header rules are gone")
  func running() async throws {
    let (begun, go) = (Gate(), Gate())
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
      begun.open()
      try await go.wait()
      try await connection.send("then")
      try await connection.send("!")
      _ = try await connection.receiveRequest()
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { slow: { servers: ["\(upstream.address)"] } }
      routes: [{ path: /slow, auth: public, upstream: slow, response_headers: { set: { X-Old: yes } } }]
      """)
    let client = try await gateway.connect()
    try await client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    try gateway.write(configuration: file("new"))
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/slow").status == 404)
    go.open()
    let response = try await client.receiveResponse()
    #expect(response.status == 200)
    #expect(response.text == "firstthen!")
    #expect(response["X-Old"] == "yes")
    #expect(try await client.get("/a").text == "new")
    // The pool of an upstream that is gone keeps nothing open.
    try await upstream.waitForOpenConnections(0)
    let line = try await gateway.waitForAccessLog(containing: "\"path\":\"/slow\"", "\"status\":200")
    #expect(line.contains("\"upstream\":\"slow\""))
  }

  @Test("A bad file changes nothing. Its errors are reported with their positions, logged and counted")
  func bad() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    try gateway.write(configuration: file("two", more: "limits: { headers: none }\nlimit: {}"))
    let response = try await gateway.reload()
    #expect(response.status == 422)
    #expect(response.text.contains("gateway.conf:"))
    #expect(response.text.contains("'limits'"))
    #expect(response.text.split(separator: "\n").count >= 2)
    gateway.signal(SIGHUP)
    try await gateway.waitForMetrics("two failures") {
      $0.sum("catraca_config_reloads_total", ["result": "error"]) == 2
    }
    _ = try await gateway.waitForLog("what stays") {
      $0.contains("error") && $0.contains("running configuration stays")
    }
    _ = try await gateway.waitForLog("the place of an error") { $0.contains("gateway.conf:") }
    #expect(try await gateway.get("/a").text == "one")
    try FileManager.default.removeItem(at: gateway.folder.appending(path: "gateway.conf"))
    #expect(try await gateway.reload().status == 422)
    #expect(try await gateway.get("/a").text == "one")
    try gateway.write(configuration: file("three"))
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/a").text == "three")
  }

  @Test("A reload adds a listener and takes it away. Connections to it end after their request")
  func listeners() async throws {
    func listeners(_ addresses: String...) -> String {
      "listeners: [" + addresses.map { "{ address: \"\($0):0\" }" }.joined(separator: ", ") + "]"
    }
    let gateway = try await GatewayProcess.start(file("one", more: listeners("127.0.0.1")))
    let first = try await gateway.connect()
    #expect(try await first.get("/a").status == 200)
    try gateway.write(configuration: file("two", more: listeners("127.0.0.1", "127.0.0.2")))
    #expect(try await gateway.reload().status == 200)
    #expect(try await port(of: "127.0.0.1", gateway) == gateway.port)
    let second = try #require(try await port(of: "127.0.0.2", gateway))
    _ = try await gateway.waitForLog("the new listener") {
      $0.contains("address=127.0.0.2:\(second)") && $0.contains("listening")
    }
    let curl = try await ChildProcess.run("curl", ["-s", "http://127.0.0.2:\(second)/a"])
    #expect(curl.status == 0)
    #expect(curl.standardOutput == "two")
    try gateway.write(configuration: file("three", more: listeners("127.0.0.2")))
    #expect(try await gateway.reload().status == 200)
    // The kept connection of the first listener is closed, and nobody listens there.
    try await first.expectClosed()
    await #expect(throws: (any Error).self) { try await gateway.connect() }
    let again = try await ChildProcess.run("curl", ["-s", "http://127.0.0.2:\(second)/a"])
    #expect(again.standardOutput == "three")
    let metrics = try await gateway.metrics()
    #expect(metrics.samples.allSatisfy { $0.value >= 0 })
  }

  /// The port of a listener's address according to /status.
  private func port(of host: String, _ gateway: GatewayProcess) async throws -> Int? {
    let object = try JSONSerialization.jsonObject(with: Data(try await gateway.admin("/status").body)) as? [String: Any]
    let listeners = (object?["listeners"] as? [[String: Any]] ?? []).compactMap { $0["address"] as? String }
    return listeners.first { $0.hasPrefix(host + ":") }.flatMap { Int($0.dropFirst(host.count + 1)) }
  }

  @Test(
    "A listener, log file or admin address that is not available refuses the reload, and everything stays as it was")
  func unavailable() async throws {
    let taken = try await TestUpstream.echo()
    let format = "access_log: { path: access.log, format: \"{path} {status}\" }\n"
    let gateway = try await GatewayProcess.start(format + file("one"))
    let admin = "admin: { address: \"127.0.0.1:\(taken.port)\" }"
    for more in [
      "listeners: [{ address: \"127.0.0.1:0\" }, { address: \"127.0.0.1:\(taken.port)\" }]\n" + format,
      "access_log: { path: no/such/folder.log }", admin + "\naccess_log: { path: other.log }",
    ] {
      try gateway.write(configuration: file("two", more: more))
      let response = try await gateway.reload()
      #expect(response.status == 422, "\(more)")
      #expect(
        response.text.contains("\(taken.port)") || response.text.contains("no/such/folder.log"), "\(response.text)")
      #expect(try await gateway.get("/a").text == "one", "\(more)")
    }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    let log = try String(contentsOf: gateway.folder.appending(path: "access.log"), encoding: .utf8)
    #expect(log == "/a 200\n/a 200\n/a 200\n")
    let other = gateway.folder.appending(path: "other.log").path
    #expect(((try? String(contentsOfFile: other, encoding: .utf8)) ?? "").isEmpty)
  }

  @Test("Reloads that are asked for all at once happen one after the other, and each is answered")
  func together() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    try gateway.write(configuration: file("two"))
    let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await gateway.reload().status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(statuses == Array(repeating: 200, count: 20))
    #expect(try await gateway.get("/a").text == "two")
    #expect(try await gateway.admin("/status").text.contains("\"generation\" : 21"))
  }

  @Test("A reload moves the admin listener, and still answers the request that asked for it")
  func adminMoves() async throws {
    let gateway = try await GatewayProcess.start(file("one"))
    try gateway.write(configuration: file("two", more: "admin: { address: \"127.0.0.2:0\" }"))
    #expect(try await gateway.reload().status == 200)
    let line = try await gateway.waitForLog("the new admin address") {
      $0.contains(" notice admin address=127.0.0.2:")
    }
    let port = try #require(line.firstMatch(of: /127\.0\.0\.2:(\d+)/)?.1)
    let curl = try await ChildProcess.run("curl", ["-s", "http://127.0.0.2:\(port)/healthz"])
    #expect(curl.standardOutput == "ok")
    #expect(try await gateway.get("/a").text == "two")
    try await gateway.waitUntil("the old admin listener to be closed") {
      (try? await gateway.admin("/healthz")) == nil
    }
  }
}
