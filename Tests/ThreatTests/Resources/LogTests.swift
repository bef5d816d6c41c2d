// T84, T122: logs whose reader blocks, and disks that are full.

import Foundation
import TestSupport
import Testing

@Suite("Logs that cannot be written", .timeLimit(.minutes(10)))
struct LogTests {
  @Test("T84: Nobody waits for the reader of standard error, and what was said is in order when it is read again")
  func stalledReader() async throws {
    let plain = try await TestUpstream.start { connection in
      _ = try await connection.stream.receiveSome()
      try await connection.send("no TLS")
    }
    // Standard error goes through a named pipe and a process that reads it, which is stopped below.
    let script = "mkfifo own.log; cat own.log >&2 & echo $! > reader; exec \"$@\" 2> own.log"
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { broken: { servers: ["\(plain.address)"], tls: { verify: false }, connect_timeout: 1m } }
      routes:
        - { path: /broken, auth: public, upstream: broken }
        - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
      """, launcher: ["/bin/sh", "-c", script, "sh"])
    let client = try await gateway.connect()
    #expect(try await client.get("/fixed").text == "fixed")
    let file = try String(contentsOf: gateway.folder.appending(path: "reader"), encoding: .utf8)
    let reader = try #require(Int32(file.filter(\.isNumber)))
    kill(reader, SIGSTOP)
    defer { kill(reader, SIGCONT) }
    try fill(gateway.folder.appending(path: "own.log").path)
    // Each of them has something to say of it: a worker about the handshake, the control plane about the log.
    #expect(try await gateway.get("/broken").status == 502)
    gateway.signal(SIGUSR1)
    #expect(try await client.get("/fixed").text == "fixed")
    #expect(try await gateway.get("/fixed").text == "fixed")
    #expect(try await gateway.admin("/healthz").status == 200)
    gateway.terminate()
    try await client.expectClosed()
    kill(reader, SIGCONT)
    #expect(try await gateway.waitForExit() == 0)
    let said = gateway.standardError
    let order = ["listening", "ready", "TLS to an upstream failed", "draining", "stopped"].map { words in
      said.firstIndex { $0.contains(" \(words)") }
    }
    #expect(order.allSatisfy { $0 != nil } && order.compactMap(\.self) == order.compactMap(\.self).sorted(), "\(said)")
  }

  /// Writes into a pipe until it takes nothing more.
  private func fill(_ path: String) throws {
    // SAFETY: the path lives through the call.
    let descriptor = unsafe open(path, O_WRONLY | O_NONBLOCK)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    // A last line that is not whole would be glued to the gateway's next.
    let line = Array((String(repeating: "-", count: 63) + "\n").utf8)
    // SAFETY: the call reads the array's bytes.
    while unsafe write(descriptor, line, line.count) == line.count {}
  }

  @Test("T84: The process ends though nobody reads what it says")
  func end() async throws {
    let script = "mkfifo own.log; cat own.log >&2 & echo $! > reader; exec \"$@\" 2> own.log"
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: /, auth: public, respond: { status: 200 } }]", launcher: ["/bin/sh", "-c", script, "sh"])
    let file = try String(contentsOf: gateway.folder.appending(path: "reader"), encoding: .utf8)
    let reader = try #require(Int32(file.filter(\.isNumber)))
    kill(reader, SIGSTOP)
    defer { kill(reader, SIGCONT) }
    try fill(gateway.folder.appending(path: "own.log").path)
    let kept = try await gateway.connect()
    gateway.terminate()
    try await kept.expectClosed()
    try await gateway.waitUntil("the end") { !FileManager.default.fileExists(atPath: "/proc/\(gateway.processID)/exe") }
  }

  @Test("T84: What prevents a start is reported, after all that was said before it")
  func fatal() async throws {
    let taken = try await TestUpstream.echo()
    let configuration = """
      workers: 1
      listeners: [{ address: "127.0.0.1:\(taken.port)" }]
      admin: off
      limits: { connections: 1000000 }
      routes: [{ path: /, auth: public, respond: { status: 200 } }]
      """
    let ended = try await GatewayProcess.run(["run", "gateway.conf"], configuration: configuration)
    let lines = ended.standardError.split(separator: "\n")
    #expect(ended.status == 1 && lines.count == 2, "\(lines)")
    #expect(lines.first?.contains("'limits.connections'") ?? false)
    #expect(lines.last?.hasPrefix("catraca: cannot start: ") ?? false)
  }

  @Test("T122: A full disk breaks no line, and its beginning and its end are reported each time")
  func fullDisk() async throws {
    // A file may have so many bytes and no more: past it, writes fail as on a full disk, in the middle of a line.
    let gateway = try await GatewayProcess.start(
      """
      access_log: { path: access.log }
      limits: { header_timeout: 1500ms }
      routes: [{ path: "/*", auth: public, respond: { status: 200 } }]
      """, launcher: ["/bin/sh", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
    let path = gateway.folder.appending(path: "access.log").path
    let client = try await gateway.connectServed()
    var requestCount = 0
    var writtenCount = 0
    for round in 1...2 {
      try await gateway.waitUntil("lines that are lost") {
        requestCount += 1
        _ = try await client.get("/\(requestCount)")
        return gateway.standardError.count { $0.contains(" access log lines are lost ") } == round
      }
      // All of them are reported together, once it is over for a moment: this is one.
      let silent = try await gateway.connect()
      try await silent.expectClosed()
      writtenCount += try wholeLines(path)
      // SAFETY: the path lives through the call.
      #expect(unsafe truncate(path, 0) == 0)
      requestCount += 1
      _ = try await client.get("/\(requestCount)")
      try await gateway.waitUntil("lines that are written again") {
        _ = try await gateway.admin("/healthz")
        return gateway.standardError.count { $0.contains(" access log lines are written again ") } == round
      }
      #expect(gateway.standardError.count { $0.contains("lost=") } == round)
    }
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    writtenCount += try wholeLines(path)
    #expect(writtenCount > 0 && writtenCount < requestCount)
  }

  /// The number of lines in the file, each of which is a record of its own.
  private func wholeLines(_ path: String) throws -> Int {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.hasSuffix("\n") || text.isEmpty)
    let lines = text.split(separator: "\n")
    for line in lines {
      #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any], "\(line)")
    }
    return lines.count
  }
}
