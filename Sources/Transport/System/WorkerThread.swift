// A thread of its own for each worker.

import CLinux
import Glibc

enum WorkerThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread that runs this and ends with it.
  static func start(name: String, _ run: @escaping @Sendable () -> Void) throws(SystemError) {
    // SAFETY: the box is handed to the thread, which takes it over exactly once.
    let box = unsafe Unmanaged.passRetained(
      Body {
        blockBrokenPipes()
        run()
      })
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, box.toOpaque())
    if code != 0 {
      unsafe box.release()
      throw SystemError(code: code)
    }
    // SAFETY: the name is copied.
    _ = unsafe pthread_setname_np(thread, name)
    pthread_detach(thread)
  }

  /// Sends say that the peer is gone by their result. What is relayed has no flag against the signal that would end the
  /// process.
  private static func blockBrokenPipes() {
    var signals = sigset_t()
    // SAFETY: the calls fill and read the set that they are given.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
  }
}
