// Destinations that fail or block: workers are not held up, and neither is the end of the process.

import Configuration
import ControlPlane
import Foundation
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@Suite("Log writer")
struct LogWriterTests {
  /// What was reported to the gateway's own log.
  private final class Told: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])
    var all: [String] { lines.withLockedValue(\.self) }

    struct Handler: LogHandler {
      let told: Told
      var metadata: Logger.Metadata = [:]
      var logLevel = Logger.Level.trace
      subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
      }
      func log(event: LogEvent) {
        told.lines.withLockedValue { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
      }
    }

    var log: Logger { Logger(label: "test") { _ in Handler(told: self) } }
  }

  @Test("A pipe that nobody reads ends the wait for the last lines. One that is read gets all of them")
  func stuckPipe() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "catraca-pipe-\(UUID().uuidString)").path
    #expect(try await ChildProcess.run("mkfifo", [path]).status == 0)
    defer { try? FileManager.default.removeItem(atPath: path) }
    // For both directions, so that opening waits for nobody.
    let end = try #require(FileHandle(forUpdatingAtPath: path))
    let writer = LogWriter(log: Told().log)
    try writer.open(.file(path))
    let lines = Array(repeatElement("a line of the access log\n".utf8, count: 20_000).joined())
    writer.write(lines)
    #expect(await writer.flush(patience: .milliseconds(50)) == false)
    // On a thread of its own: a read that waits would hold up others' tests.
    async let read = withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var count = 0
        while count < lines.count, let more = try? end.read(upToCount: lines.count - count) { count += more.count }
        continuation.resume(returning: count)
      }
    }
    #expect(await writer.flush(patience: .seconds(60)))
    #expect(await read == lines.count)
  }

  @Test("Lines that a full disk does not take are counted, and it is reported once until the log is reopened")
  func fullDisk() async throws {
    let told = Told()
    let writer = LogWriter(log: told.log)
    try writer.open(.file("/dev/full"))
    for _ in 0..<3 { writer.write(Array("one\ntwo\n".utf8)) }
    #expect(await writer.flush(patience: .seconds(60)))
    #expect(writer.droppedLineCount == 6)
    #expect(told.all.count == 1 && told.all[0].hasPrefix("error") && told.all[0].contains("No space left"))
    try writer.reopen()
    writer.write(Array("three\n".utf8))
    #expect(await writer.flush(patience: .seconds(60)))
    #expect(told.all.count == 2)
  }
}
