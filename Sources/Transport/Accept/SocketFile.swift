// The file of a Unix socket: who may connect to it, and that it goes with its listener.

import Glibc

enum SocketFile {
  /// Sets the permission bits. False when that failed: then nobody should listen there.
  static func setMode(_ mode: UInt16, of path: String) -> Bool {
    // SAFETY: the path lives through the call.
    unsafe chmod(path, mode_t(mode)) == 0
  }

  static func remove(_ path: String) {
    // SAFETY: as above.
    _ = unsafe unlink(path)
  }

  /// Takes a socket away that is left over. Any other file stays, and is in the way.
  static func removeSocket(_ path: String) {
    var facts = stat()
    // SAFETY: the path lives through the call, which fills the structure.
    if unsafe lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFSOCK { remove(path) }
  }
}
