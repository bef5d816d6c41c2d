// The built gateway as a process: started in a folder of its own on free ports, watched, and ended with its test.

package import Foundation
import Synchronization

/// A running gateway. Killed when the object goes.
package final class GatewayProcess: Sendable {
  package struct StartFailure: Error, CustomStringConvertible {
    package var description: String
    package init(description: String) { self.description = description }
  }

  let child: ChildProcess
  package let folder: URL
  /// The first listener's port.
  package let port: Int
  /// Of all listeners, in the file's order.
  package let ports: [Int]
  package let adminPort: Int
  private let slot: TestSlots.Slot
  private let serverPorts: Mutex<[ServerPorts]>

  private init(
    child: ChildProcess, folder: URL, ports: [Int], adminPort: Int, slot: TestSlots.Slot, serverPorts: ServerPorts
  ) {
    self.slot = slot
    self.serverPorts = Mutex([serverPorts])
    self.child = child
    self.folder = folder
    self.ports = ports
    port = ports.first ?? 0
    self.adminPort = adminPort
  }

  deinit {
    let output = child.output.current
    if let status = output.status, status < 0, status != -SIGKILL, status != -SIGTERM {
      // A test may only have seen its connection end: this is why.
      let trace = output.standardError.suffix(120).joined(separator: "\n")
      FileHandle.standardError.write(Data("the gateway was ended by signal \(-status):\n\(trace)\n".utf8))
    }
    child.kill(SIGKILL)
    try? FileManager.default.removeItem(at: folder)
  }

  /// Writes the configuration and `files` into a fresh folder and starts the gateway there, once it says that it is
  /// ready.
  ///
  /// Where the text names no `workers`, `admin` or `listeners`, it gets one worker, and free ports on 127.0.0.1.
  /// - Parameter launcher: a command that runs the gateway's, which is put behind it.
  package static func start(
    _ configuration: String, files: [String: String] = [:], environment: [String: String] = [:],
    launcher: [String] = [], arguments: [String] = []
  ) async throws -> GatewayProcess {
    let slot = try await TestSlots.take()
    let serverPorts = ServerPorts(configuration)
    let folder = try makeFolder(configuration, files)
    do {
      let command = try launcher + [binary(), "run", "gateway.conf"] + arguments
      let child = try ChildProcess.start(
        command[0], Array(command.dropFirst()), in: folder, environment: environment)
      let (ports, adminPort) = try await child.output.wait(for: "the gateway to be ready") { output in
        if output.standardError.contains(where: { $0.contains(" notice ready: ") }) {
          return (listenerPorts(output.standardError), port(of: "admin", in: output.standardError).last ?? 0)
        }
        if let status = output.status {
          throw StartFailure(description: "exit status \(status): \(output.standardError)")
        }
        return nil
      }
      return GatewayProcess(
        child: child, folder: folder, ports: ports, adminPort: adminPort, slot: slot, serverPorts: serverPorts)
    } catch {
      try? FileManager.default.removeItem(at: folder)
      throw error
    }
  }

  /// Runs the gateway's command to its end in a folder with `gateway.conf` and `files`.
  /// - Parameter launcher: a command that runs the gateway's, which is put behind it.
  package static func run(
    _ arguments: [String], configuration: String? = nil, files: [String: String] = [:],
    environment: [String: String] = [:], launcher: [String] = []
  ) async throws -> (status: Int32, standardOutput: String, standardError: String) {
    let folder = try makeFolder(configuration, files, isCompleted: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let command = try launcher + [binary()] + arguments
    let child = try ChildProcess.start(command[0], Array(command.dropFirst()), in: folder, environment: environment)
    return try await child.finish()
  }

  /// `CATRACA_BINARY`, or what was built last in this package.
  package static func binary() throws -> String {
    if let path = ProcessInfo.processInfo.environment["CATRACA_BINARY"] { return path }
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let built = ["debug", "release"].compactMap { kind -> (path: String, date: Date)? in
      let path = root.appending(path: ".build/\(kind)/catraca").path
      let date = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
      return date.map { (path, $0) }
    }
    guard let newest = built.max(by: { $0.date < $1.date }) else {
      throw StartFailure(description: "no catraca in .build: build it, or set CATRACA_BINARY")
    }
    return newest.path
  }

  private static func makeFolder(
    _ configuration: String?, _ files: [String: String], isCompleted: Bool = true
  ) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, text) in files {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      // The check warns of private keys that others may read.
      if name.hasSuffix(".key") {
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      }
    }
    if let configuration {
      try Data((isCompleted ? completed(configuration) : configuration).utf8).write(
        to: folder.appending(path: "gateway.conf"))
    }
    return folder
  }

  private static func completed(_ configuration: String) -> String {
    let lines = configuration.split(separator: "\n")
    var text = ""
    let defaults = [
      ("workers:", "workers: 1"), ("admin:", "admin: { address: \"127.0.0.1:0\" }"),
      ("listeners:", "listeners: [{ address: \"127.0.0.1:0\" }]"),
    ]
    for (key, line) in defaults where !lines.contains(where: { $0.hasPrefix(key) }) { text += line + "\n" }
    return text + patient(configuration) + "\n"
  }

  /// Gives clients and servers all the time that a busy machine may take, where the test does not limit it.
  private static func patient(_ configuration: String) -> String {
    var isOfStores = false
    var lines = configuration.components(separatedBy: "\n").map { line in
      if line.first?.isLetter == true { isOfStores = line.hasPrefix("redis:") }
      return line.contains("response_timeout:") || line.hasPrefix("dns:") || isOfStores
        ? line : line.replacing("{ servers: [", with: "{ response_timeout: 30m, servers: [")
    }
    let index = lines.firstIndex { $0.hasPrefix("limits:") }
    let own = index.map { lines[$0] } ?? "limits: { }"
    let beginning = "limits: {"
    guard own.hasPrefix(beginning) else { return lines.joined(separator: "\n") }
    let added = [("header_timeout", "10m"), ("body_timeout", "30m"), ("idle_timeout", "1h")].map { key, value in
      own.contains("\(key):") ? "" : " \(key): \(value),"
    }
    let line = beginning + added.joined() + own.dropFirst(beginning.count)
    if let index { lines[index] = line } else { lines.insert(line, at: 0) }
    return lines.joined(separator: "\n")
  }

  private static func listenerPorts(_ lines: [String]) -> [Int] { port(of: "listening", in: lines) }

  private static func port(of event: String, in lines: [String]) -> [Int] {
    lines.filter { $0.contains(" notice \(event) address=") }.compactMap { line in
      guard let address = line.components(separatedBy: "address=").last?.prefix(while: { $0 != " " }) else {
        return nil
      }
      return address.components(separatedBy: ":").last.flatMap { Int($0) }
    }
  }

  package var processID: Int32 { child.processID }

  // MARK: Clients

  package func connect(isReading: Bool = true, receiveBufferByteCount: Int? = nil) async throws -> RawClient {
    try await RawClient.connect(port: port, isReading: isReading, receiveBufferByteCount: receiveBufferByteCount)
  }

  /// One request on a connection of its own.
  package func exchange(_ request: String, method: String? = nil) async throws -> RawResponse {
    try await connect().exchange(request, method: method)
  }

  package func get(_ path: String, method: String = "GET", _ fields: [String] = []) async throws -> RawResponse {
    try await connect().get(path, method: method, fields)
  }

  /// One request to the admin listener.
  package func admin(
    _ path: String, method: String = "GET", host: String? = nil, _ fields: [String] = [], body: String = "",
    port: Int? = nil
  ) async throws -> RawResponse {
    let port = port ?? adminPort
    let length = method == "POST" ? ["Content-Length: \(body.utf8.count)"] : []
    let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host ?? "127.0.0.1:\(port)")", "Connection: close"]
    let head = (lines + length + fields).joined(separator: "\r\n")
    return try await RawClient.connect(port: port).exchange(head + "\r\n\r\n" + body, method: method)
  }

  /// The port of `admin.metrics`.
  package var metricsPort: Int? { Self.port(of: "metrics", in: standardError).last }

  package func metrics() async throws -> MetricsReading { try MetricsReading(try await admin("/metrics").text) }

  /// Reads the metrics until `condition` holds.
  @discardableResult
  package func waitForMetrics(
    _ awaited: String, _ condition: (MetricsReading) -> Bool
  ) async throws -> MetricsReading {
    var last = try await metrics()
    try await poll(awaited, seen: "\(last.samples.filter { $0.value != 0 })") {
      if condition(last) { return true }
      last = try await metrics()
      return condition(last)
    }
    return last
  }

  // MARK: What it says

  /// Lines of its own log so far.
  package var standardError: [String] { child.output.current.standardError }
  /// Lines of the access log so far, when that goes to stdout.
  package var accessLog: [String] { child.output.current.standardOutput }

  package func waitForLog(_ awaited: String, _ isIt: @Sendable @escaping (String) -> Bool) async throws -> String {
    try await child.output.wait(for: "a log line: \(awaited)") { $0.standardError.last(where: isIt) }
  }

  /// The access log once it has `count` lines.
  package func waitForAccessLog(_ count: Int, within limit: Duration = Deadline.standard) async throws -> [String] {
    try await child.output.wait(for: "\(count) access log lines", within: limit) { output in
      output.standardOutput.count >= count ? output.standardOutput : nil
    }
  }

  /// The first access log line that contains all of these texts.
  package func waitForAccessLog(
    containing texts: String..., within limit: Duration = Deadline.standard
  ) async throws -> String {
    try await child.output.wait(for: "an access log line with \(texts)", within: limit) { output in
      output.standardOutput.first { line in texts.allSatisfy { line.contains($0) } }
    }
  }

  // MARK: What is done to it

  /// Replaces the configuration file. ``reload()`` makes it count.
  package func write(configuration: String) throws {
    serverPorts.withLock { $0.append(ServerPorts(configuration)) }
    try Data(Self.completed(configuration).utf8).write(to: folder.appending(path: "gateway.conf"), options: .atomic)
  }

  package func write(file name: String, _ text: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name), options: .atomic)
  }

  /// `POST /reload`, which answers when the new configuration has taken over.
  @discardableResult
  package func reload() async throws -> RawResponse { try await admin("/reload", method: "POST") }

  package func signal(_ number: Int32) { child.kill(number) }

  package func terminate() { child.kill(SIGTERM) }

  /// The exit status once the process has ended. The negative signal number when a signal ended it.
  package func waitForExit() async throws -> Int32 { try await child.waitForExit() }

  /// Whether the process still runs.
  package var isRunning: Bool { child.output.current.status == nil }

  package enum Memory: String, Sendable {
    case now = "VmRSS:"
    case peak = "VmHWM:"
  }

  /// Resident memory of the process in bytes, from /proc.
  package func residentByteCount(_ kind: Memory = .now) throws -> Int {
    try byteCount(of: kind.rawValue, in: "status")
  }

  /// Memory of the process's own in bytes, page by page: what ``residentByteCount(_:)`` gives may be some 100 KiB
  /// behind.
  package func anonymousByteCount() throws -> Int { try byteCount(of: "Anonymous:", in: "smaps_rollup") }

  /// Memory of its own in bytes, from which ``peakByteCount()`` counts on.
  package func beginPeak() throws -> Int {
    try "5".write(toFile: "/proc/\(child.processID)/clear_refs", atomically: false, encoding: .utf8)
    return try byteCount(of: "RssAnon:", in: "status")
  }

  /// The most memory of its own in bytes that it had since ``beginPeak()``: without pages of the program, which come as
  /// they are used.
  package func peakByteCount() throws -> Int {
    try residentByteCount(.peak) - byteCount(of: "RssFile:", in: "status")
  }

  /// Seconds of processor time that the process has used.
  package func processorSeconds() throws -> Double {
    let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      throw StartFailure(description: "no times in /proc: \(text)")
    }
    return (user + system) / 100
  }

  private func byteCount(of name: String, in file: String) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(child.processID)/\(file)", encoding: .utf8)
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
      let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Int($0) })
    else { throw StartFailure(description: "no \(name) in /proc") }
    return kibibytes * 1024
  }
}
