// A program that a test runs: its output by lines, its end. Nothing here blocks a thread.

package import Foundation
import NIOCore
import NIOPosix

/// A child process. Killed with all that it started when the object goes.
package final class ChildProcess: Sendable {
  package struct Output: Sendable {
    package var standardOutput: [String] = []
    package var standardError: [String] = []
    /// Exit status, or the negative number of the signal that ended it. Set once both outputs are read to their end.
    package var status: Int32?
    fileprivate var exitStatus: Int32?
    fileprivate var openPipes = 2
    fileprivate mutating func settle() { if openPipes == 0 { status = exitStatus } }
  }

  package let output: Monitor<Output>
  package let processID: Int32

  private init(output: Monitor<Output>, processID: Int32) {
    self.output = output
    self.processID = processID
  }

  deinit { if output.current.exitStatus == nil { _ = Foundation.kill(-processID, SIGKILL) } }

  /// - Parameter environment: added to that of the test process.
  package static func start(
    _ program: String, _ arguments: [String], in folder: URL? = nil, environment: [String: String] = [:]
  ) throws -> ChildProcess {
    let output = Monitor(Output()) { output in
      "status \(output.status.map { "\($0)" } ?? "none"), stderr: \(output.standardError.suffix(12)), "
        + "stdout: \(output.standardOutput.suffix(6))"
    }
    let (standardOutput, standardError) = (Pipe(), Pipe())
    let processID = try Spawn.start(
      program, arguments, in: folder, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
      standardOutput: standardOutput.fileHandleForWriting.fileDescriptor,
      standardError: standardError.fileHandleForWriting.fileDescriptor
    ) { processID, status in
      Watchdog.shared.ended(processID)
      output.update { output in
        output.exitStatus = status
        output.settle()
      }
    }
    Watchdog.shared.started(processID)
    try? standardOutput.fileHandleForWriting.close()
    try? standardError.fileHandleForWriting.close()
    readLines(of: standardOutput.fileHandleForReading, into: output, isError: false)
    readLines(of: standardError.fileHandleForReading, into: output, isError: true)
    return ChildProcess(output: output, processID: processID)
  }

  private static func readLines(of handle: FileHandle, into output: Monitor<Output>, isError: Bool) {
    let reader = NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(LineReader(output, isError: isError))
        }
      }
      // A copy of the descriptor, since the handle closes its own.
      .takingOwnershipOfDescriptor(input: dup(handle.fileDescriptor))
    reader.whenFailure { error in
      output.update { output in
        output.standardError.append("cannot read the process's output: \(error)")
        output.openPipes -= 1
        output.settle()
      }
    }
  }

  /// Cuts one of the two outputs into lines.
  private final class LineReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let output: Monitor<Output>
    private let isError: Bool
    private var rest: [UInt8] = []

    init(_ output: Monitor<Output>, isError: Bool) {
      self.output = output
      self.isError = isError
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      rest += unwrapInboundIn(data).readableBytesView
      var lines = rest.split(separator: 0x0A, omittingEmptySubsequences: false)
      rest = Array(lines.removeLast())
      append(lines.map { String(decoding: $0, as: UTF8.self) }, isLast: false)
    }

    func channelInactive(context: ChannelHandlerContext) {
      append(rest.isEmpty ? [] : [String(decoding: rest, as: UTF8.self)], isLast: true)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func append(_ lines: [String], isLast: Bool) {
      let isError = isError
      output.update { output in
        if isError { output.standardError += lines } else { output.standardOutput += lines }
        if isLast {
          output.openPipes -= 1
          output.settle()
        }
      }
    }
  }

  package func kill(_ signal: Int32) {
    // Once it was waited for, the number may be another's.
    if output.current.exitStatus == nil { _ = Foundation.kill(processID, signal) }
  }

  package func waitForExit(within limit: Duration = Deadline.standard) async throws -> Int32 {
    try await output.wait(for: "the process to end", within: limit) { $0.status }
  }

  /// Waits for the end and gives all that was printed.
  package func finish(
    within limit: Duration = Deadline.standard
  ) async throws -> (status: Int32, standardOutput: String, standardError: String) {
    let status = try await waitForExit(within: limit)
    let output = output.current
    return (
      status, output.standardOutput.joined(separator: "\n"), output.standardError.joined(separator: "\n")
    )
  }

  /// Runs a tool found in PATH to its end.
  package static func run(
    _ program: String, _ arguments: [String], in folder: URL? = nil, within limit: Duration = Deadline.standard
  ) async throws -> (status: Int32, standardOutput: String, standardError: String) {
    try await start("/usr/bin/env", [program] + arguments, in: folder).finish(within: limit)
  }

  /// Whether a tool is in PATH or in /usr/sbin.
  package static func isInstalled(_ program: String) -> Bool { path(of: program) != nil }

  package static func path(of program: String) -> String? {
    let folders =
      (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin"]
    return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
