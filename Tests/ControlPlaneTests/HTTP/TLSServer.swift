// `openssl s_server` as an https server of files: another implementation's end of the connection.

import Foundation
import TestSupport

/// Serves the certificates' folder until it goes away.
final class TLSServer {
  let port: Int
  private let process = Process()

  init(_ certificates: TestCertificates, _ kind: TestCertificates.Kind) throws {
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "openssl", "s_server", "-accept", "127.0.0.1:0", "-WWW", "-cert", certificates.certificate(kind), "-key",
      certificates.key(kind),
    ]
    process.currentDirectoryURL = certificates.folder
    process.standardInput = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    // It prints `ACCEPT 127.0.0.1:PORT` once it listens.
    var text = ""
    while true {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw CocoaError(.fileReadUnknown) }
      text += String(decoding: more, as: UTF8.self)
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("ACCEPT ") }), text.hasSuffix("\n"),
        let colon = line.lastIndex(of: ":"), let port = Int(line[line.index(after: colon)...])
      else { continue }
      self.port = port
      return
    }
  }

  deinit {
    // Not `terminate`: the signal mask that the child inherits from the test runner may hold SIGTERM back.
    kill(process.processIdentifier, SIGKILL)
  }
}
