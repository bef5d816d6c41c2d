// A program that is started with descriptors of this process.

import Glibc

struct ChildProcess: Sendable {
  let processID: Int32

  /// - Parameter copies: descriptors of this process, and what each is called in the new one. All others of this
  ///   process are closed there.
  static func start(
    _ path: String, _ arguments: [String], _ environment: [String: String], _ copies: [(from: Int32, to: Int32)]
  ) throws(SystemError) -> ChildProcess {
    // SAFETY: the calls get structures of ours, which are destroyed behind their last use. The texts live until they
    // are freed behind it.
    var processID: pid_t = 0
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    for copy in copies { unsafe posix_spawn_file_actions_adddup2(&actions, copy.from, copy.to) }
    // Signals that are waited for here are ignored otherwise, which a new process would inherit.
    var signals = sigset_t()
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var texts = unsafe arguments.map { unsafe strdup($0) }
    var variables = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") }
    unsafe texts.append(nil)
    unsafe variables.append(nil)
    let code = unsafe posix_spawn(&processID, path, &actions, &attributes, &texts, &variables)
    // SAFETY: each text was made by strdup above and is freed once.
    for index in unsafe texts.indices { unsafe free(texts[index]) }
    for index in unsafe variables.indices { unsafe free(variables[index]) }
    if code != 0 { throw SystemError(code: code) }
    return ChildProcess(processID: processID)
  }

  func end() {
    kill(processID, SIGKILL)
    _ = awaitEnd()
  }

  /// Blocks until the process has ended, and says how. To be called once.
  func awaitEnd() -> String {
    var status: CInt = 0
    // SAFETY: the call fills the integer.
    while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
  }
}
