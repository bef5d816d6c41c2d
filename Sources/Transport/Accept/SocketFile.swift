// The file of a Unix socket: who may connect to it, and that it goes with its listener.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

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
}
