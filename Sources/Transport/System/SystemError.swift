// Why a call of the system failed.

import Glibc

/// A failed call, by its `errno`.
struct SystemError: Error, CustomStringConvertible {
  let code: CInt

  /// The process or the machine lacks something, whatever was asked for.
  var isOwnShortage: Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL].contains(code) }

  var description: String {
    // SAFETY: strerror gives a text that lasts until the next call on this thread. It is copied here.
    unsafe String(cString: strerror(code))
  }
}
