// SIGUSR2: a new process of the program takes over, and no client notices.

import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Upgrade", .timeLimit(.minutes(10)))
struct UpgradeTests {
  private static func configuration(_ socket: String = "/tmp/catraca-\(UUID().uuidString).sock") -> String {
    """
    workers: 2
    listeners: [{ address: "127.0.0.1:0" }, { address: "unix:\(socket)" }]
    limits: { drain_timeout: 1h }
    routes: [{ path: "/*", auth: public, respond: { status: 200, body: ok } }]
    """
  }

  /// The processes that followed, to be ended with the test.
  private final class Successors: Sendable {
    private let numbers = Mutex<[Int32]>([])
    deinit { for number in numbers.withLock(\.self) { kill(number, SIGKILL) } }
    func add(_ number: Int32) { numbers.withLock { $0.append(number) } }
    var last: Int32? { numbers.withLock(\.last) }
    var count: Int { numbers.withLock(\.count) }
  }

  /// Asks the current process for an upgrade, and waits until it is gone.
  private func upgrade(_ gateway: GatewayProcess, _ successors: Successors) async throws {
    let before = successors.last ?? gateway.processID
    kill(before, SIGUSR2)
    let count = successors.count
    try await gateway.waitUntil("the new process") {
      gateway.standardError.count { $0.contains(" notice the new process takes over ") } == count + 1
    }
    let line = gateway.standardError.last { $0.contains(" notice the new process takes over ") }
    let number = line?.components(separatedBy: "pid=").last.flatMap { Int32($0.prefix { $0.isNumber }) }
    successors.add(try #require(number))
    try await gateway.waitUntil("the end of the old process") {
      gateway.standardError.count { $0.hasSuffix(" notice stopped") } == count + 1
    }
  }

  /// Asks on a kept connection, and on a new one where the gateway has ended it, until told to stop.
  private func ask(_ gateway: GatewayProcess, keeps: Bool, _ isOver: Gate) async throws -> Int {
    var client = try await gateway.connect()
    var count = 0
    while !isOver.isOpen {
      let response = try await client.get("/", keeps ? [] : ["Connection: close"])
      #expect(response.status == 200)
      #expect(response.text == "ok")
      count += 1
      if response["Connection"] == "close" { client = try await gateway.connect() }
    }
    return count
  }

  @Test("Requests on kept and on new connections go on while process follows process")
  func underLoad() async throws {
    let socket = "/tmp/catraca-\(UUID().uuidString).sock"
    let gateway = try await GatewayProcess.start(Self.configuration(socket))
    let successors = Successors()
    let isOver = Gate()
    let count = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<6 { group.addTask { try await ask(gateway, keeps: number % 2 == 0, isOver) } }
      for _ in 0..<3 { try await upgrade(gateway, successors) }
      isOver.open()
      return try await group.reduce(0, +)
    }
    #expect(count > 6)
    #expect(try await gateway.get("/").text == "ok")
    #expect(try await gateway.admin("/readyz").status == 200)
    #expect(FileManager.default.fileExists(atPath: socket), "the socket's file belongs to the new process")
    let last = try #require(successors.last)
    // No descriptor of the processes before it is left.
    let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(last)/fd")
    #expect(names.count < 60, "\(names.count)")
    kill(last, SIGTERM)
    try await gateway.waitUntil("its end") { gateway.standardError.count { $0.hasSuffix(" notice stopped") } == 4 }
    #expect(!FileManager.default.fileExists(atPath: socket))
  }

  /// A gateway with a request that is answered when the gate opens.
  private func busy() async throws -> (gateway: GatewayProcess, client: RawClient, upstream: TestUpstream, go: Gate) {
    let (begun, go) = (Gate(), Gate())
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      begun.open()
      try await go.wait()
      try await connection.answer("late", to: request)
    }
    let gateway = try await GatewayProcess.start(
      """
      limits: { drain_timeout: 1h }
      upstreams: { u: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: /late, auth: public, upstream: u }
        - { path: /*, auth: public, respond: { status: 200, body: ok } }
      """)
    let client = try await gateway.connect()
    try await client.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    try await begun.wait()
    return (gateway, client, upstream, go)
  }

  @Test("A long request ends in the old process while the new one serves")
  func longRequest() async throws {
    let (gateway, client, upstream, go) = try await busy()
    let successors = Successors()
    async let upgraded: Void = upgrade(gateway, successors)
    _ = try await gateway.waitForLog("the drain") { $0.contains(" notice draining: ") && $0.contains("active=1") }
    #expect(try await gateway.get("/").text == "ok")
    go.open()
    #expect(try await client.receiveResponse().text == "late")
    try await upgraded
    withExtendedLifetime(upstream) {}
  }

  @Test("SIGTERM leaves an old process that drains its time, and a second one ends it at once", arguments: [1, 2])
  func signalsOfOldProcess(_ count: Int) async throws {
    let (gateway, client, upstream, go) = try await busy()
    let successors = Successors()
    async let upgraded: Void = upgrade(gateway, successors)
    _ = try await gateway.waitForLog("the drain") { $0.contains(" notice draining: ") && $0.contains("active=1") }
    gateway.terminate()
    _ = try await gateway.waitForLog("the answer to the signal") { $0.contains(" notice already draining: ") }
    if count == 2 {
      gateway.terminate()
      try await client.waitUntilGone()
    } else {
      go.open()
      #expect(try await client.receiveResponse().text == "late")
    }
    try await upgraded
    #expect(try await gateway.get("/").text == "ok")
    withExtendedLifetime(upstream) {}
  }

  @Test("A new process that does not start changes nothing")
  func badFile() async throws {
    let gateway = try await GatewayProcess.start(Self.configuration())
    try gateway.write(file: "gateway.conf", "routes: [\n")
    gateway.signal(SIGUSR2)
    let line = try await gateway.waitForLog("the failure") { $0.contains(" error the new process did not start") }
    #expect(line.contains("this one goes on"), "\(line)")
    #expect(line.contains("status 1"), "\(line)")
    #expect(try await gateway.get("/").text == "ok")
    #expect(try await gateway.admin("/readyz").status == 200)
    // And it can be tried again.
    try gateway.write(configuration: Self.configuration())
    try await upgrade(gateway, Successors())
  }
}
