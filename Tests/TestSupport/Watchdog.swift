// Sees to it that no program that a test started outlives the test process, even when that one crashes or is killed.

import Foundation
import Synchronization

/// A shell that knows which processes run, and ends those that are left, with all that they started, when its parent is
/// gone.
final class Watchdog: Sendable {
  static let shared = Watchdog()
  private struct State: Sendable {
    var input: FileHandle?
    var running: Set<Int32> = []
    /// Ended before they were said to have started: a short program may be that quick.
    var early: Set<Int32> = []

    func tell(_ line: String) { try? input?.write(contentsOf: Data(line.utf8)) }
  }

  private let state: Mutex<State>

  private static let script = """
    trap '' INT
    left=' '
    while read -r id; do
      case $id in
        -*) id=${id#-}; left="${left%% $id *} ${left#* $id }" ;;
        *) left="$left$id " ;;
      esac
    done
    for id in $left; do kill -9 "-$id" 2>/dev/null; done
    """

  private init() {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", Self.script]
    let pipe = Pipe()
    process.standardInput = pipe
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do {
      try process.run()
      state = Mutex(State(input: pipe.fileHandleForWriting))
    } catch {
      state = Mutex(State())
    }
  }

  func started(_ processID: Int32) {
    state.withLock { state in
      if state.early.remove(processID) != nil { return }
      state.running.insert(processID)
      state.tell("\(processID)\n")
    }
  }

  func ended(_ processID: Int32) {
    state.withLock { state in
      if state.running.remove(processID) == nil {
        state.early.insert(processID)
      } else {
        state.tell("-\(processID)\n")
      }
    }
  }
}
