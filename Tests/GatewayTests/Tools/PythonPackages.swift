// Libraries of Python's that Debian has too old or not at all: taken from the system where they are, else installed
// with pip into a virtual environment under .build, once for all runs.

import Foundation
import TestSupport

enum PythonPackages {
  /// A python3 that has `websockets` (13 or later) and `h2`. Nil, with a line that says so, where they are not
  /// available.
  static let webSockets = Task { () -> String? in
    let check = ["-c", "import h2.connection, websockets.asyncio.client"]
    if await passes("python3", check) { return "python3" }
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build/python-websockets")
    let python = folder.appending(path: "bin/python").path
    if await passes(python, check) { return python }
    if await passes("python3", ["-m", "venv", folder.path]),
      await passes(python, ["-m", "pip", "install", "--quiet", "websockets>=13", "h2"]), await passes(python, check)
    {
      return python
    }
    print("Skipped: python3 has no websockets and h2 here (pip install websockets h2).")
    return nil
  }

  private static func passes(_ program: String, _ arguments: [String]) async -> Bool {
    let outcome = try? await ChildProcess.run(program, arguments, within: .seconds(180))
    return outcome?.status == 0
  }
}
