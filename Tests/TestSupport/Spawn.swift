// Starting a program by posix_spawn. Foundation's Process reads past the end of a list of open descriptors when there
// are some 1,350 of them, which a busy test run has.

import CLinux
import Foundation
import Glibc

enum Spawn {
  struct Failure: Error, CustomStringConvertible {
    let program: String
    let code: Int32
    var description: String { "\(program) cannot be started: error \(code)" }
  }

  /// Starts a program with an empty input and these two descriptors, and no other, for its output.
  /// - Parameter onEnd: gets the exit status, or the negative number of the signal that ended it.
  static func start(
    _ program: String, _ arguments: [String], in folder: URL?, environment: [String: String],
    standardOutput: Int32, standardError: Int32, onEnd: @escaping @Sendable (Int32, Int32) -> Void
  ) throws -> Int32 {
    // SAFETY: actions, attributes and texts live through the call and are freed behind it.
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, standardOutput, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, standardError, 2)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    if let folder { unsafe posix_spawn_file_actions_addchdir_np(&actions, folder.path) }
    // The threads of Dispatch have all signals blocked, and a program would have them so, too.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    // A group of its own, by which a program is ended with all that it started.
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var texts = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    var settings = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer {
      let all = unsafe texts + settings
      for index in unsafe all.indices { unsafe free(all[index]) }
    }
    var child: Int32 = 0
    let code = unsafe posix_spawn(&child, program, &actions, &attributes, &texts, &settings)
    if code != 0 { throw Failure(program: program, code: code) }
    let started = child
    Thread.detachNewThread { onEnd(started, wait(for: started)) }
    return child
  }

  private static func wait(for child: Int32) -> Int32 {
    var status: Int32 = 0
    // SAFETY: the call fills the integer that it is given.
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return signal == 0 ? status >> 8 & 0xFF : -signal
  }
}
