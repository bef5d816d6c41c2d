// What is asked of a descriptor that somebody else opened.

import CLinux
import Glibc

extension Descriptor {
  /// Whether it is a stream socket that listens.
  var isListening: Bool { option(SO_ACCEPTCONN) == 1 && option(SO_TYPE) == CInt(SOCK_STREAM.rawValue) }

  /// Whether other sockets may listen on its address (SO_REUSEPORT).
  var sharesAddress: Bool { option(SO_REUSEPORT) == 1 }

  /// It does not block, and goes to no other program by accident.
  func becomeOurs() {
    _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    // Sockets that are accepted inherit it.
    set(CInt(IPPROTO_TCP), TCP_NODELAY, CInt(1))
  }

  /// Another descriptor of the same socket. Nil when there is none left.
  func duplicate() -> Descriptor? {
    let number = fcntl(self.number, F_DUPFD_CLOEXEC, 3)
    return number < 0 ? nil : Descriptor(number: number)
  }

  /// Nil where it is not set, or there is no socket.
  private func option(_ name: CInt) -> CInt? {
    var value: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    // SAFETY: the call fills the integer that it is given.
    return unsafe getsockopt(number, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
  }
}
