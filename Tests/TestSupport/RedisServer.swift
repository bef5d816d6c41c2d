// Redis as a process, for tests of what the gateway keeps there, and a server that speaks a little of it by a script.

package import Foundation
import Synchronization

/// A Redis server on a port of its own. Killed when the object goes.
package final class RedisServer: Sendable {
  package let port: Int
  package let folder: URL
  private let command: [String]
  private let child: Mutex<ChildProcess>

  private init(port: Int, folder: URL, command: [String], child: ChildProcess) {
    self.port = port
    self.folder = folder
    self.command = command
    self.child = Mutex(child)
  }

  deinit {
    child.withLock { $0.kill(SIGKILL) }
    try? FileManager.default.removeItem(at: folder)
  }

  package var address: String { "127.0.0.1:\(port)" }

  /// - Parameters:
  ///   - options: added to those of a server that keeps nothing on disk.
  ///   - isSentinel: runs as a sentinel, with `configuration`.
  package static func start(
    _ options: [String] = [], configuration: String = "", isSentinel: Bool = false
  ) async throws -> RedisServer {
    let port = try closedPort()
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-redis-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // Where localhost is both addresses, others may take either.
    let file = folder.appending(path: "redis.conf")
    try "port \(port)\nbind 127.0.0.1 -::1\ndir \(folder.path)\n\(configuration)\n".write(
      to: file, atomically: true, encoding: .utf8)
    let command =
      isSentinel
      ? ["redis-server", file.path, "--sentinel"]
      : ["redis-server", file.path, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"] + options
    return RedisServer(
      port: port, folder: folder, command: command, child: try await start(command, isSentinel: isSentinel))
  }

  private static func start(_ command: [String], isSentinel: Bool = false) async throws -> ChildProcess {
    let child = try ChildProcess.start("/usr/bin/env", command)
    _ = try await child.output.wait(for: "Redis to be ready") { output in
      if let status = output.status { throw StreamFailure.malformed("redis-server: \(status) \(output)") }
      let mark = isSentinel ? "monitor master" : "Ready to accept connections"
      return output.standardOutput.contains { $0.contains(mark) } ? true : nil
    }
    return child
  }

  /// Ends it at once, and waits until it is gone.
  package func kill() async throws {
    let child = child.withLock { $0 }
    child.kill(SIGKILL)
    _ = try await child.waitForExit()
  }

  /// On the same port, without what it had.
  package func restart() async throws {
    let fresh = try await Self.start(command)
    child.withLock { $0 = fresh }
  }

  package func signal(_ number: Int32) { child.withLock { $0.kill(number) } }

  /// The answer to one command, as redis-cli prints it.
  @discardableResult
  package func ask(_ words: String..., options: [String] = []) async throws -> String {
    try await ChildProcess.run("redis-cli", ["-p", "\(port)"] + options + words).standardOutput
  }
}

extension ByteStream {
  /// A command as clients send it to Redis: its parts.
  package func receiveCommand() async throws -> [String] {
    func number() async throws -> Int {
      let line = latin1(try await receive(through: "\r\n"))
      guard let number = Int(line.filter(\.isNumber)) else { throw StreamFailure.malformed("command: \(line)") }
      return number
    }
    var parts: [String] = []
    for _ in 0..<(try await number()) {
      parts.append(latin1(try await receive(try await number())))
      _ = try await receive(2)
    }
    return parts
  }
}

extension TestUpstream {
  /// Answers as Redis does, and to commands other than the greeting with what `answer` says, in pieces of `pieceCount`
  /// bytes. An empty answer is none.
  package static func redis(
    pieceByteCount: Int = .max, _ answer: @escaping @Sendable ([String]) async throws -> String
  ) async throws -> TestUpstream {
    try await start { connection in
      while true {
        let command = try await connection.stream.receiveCommand()
        let reply: String
        switch command.first {
        case "HELLO": reply = "%1\r\n+proto\r\n:3\r\n"
        case "PING": reply = "+PONG\r\n"
        default: reply = try await answer(command)
        }
        var rest = Array(reply.utf8)[...]
        while !rest.isEmpty {
          try await connection.send(Array(rest.prefix(pieceByteCount)))
          rest = rest.dropFirst(pieceByteCount)
        }
      }
    }
  }
}
