// How a file is seen to have changed without reading it.

import Glibc

/// What identifies a version of a file.
package enum FileSignature: Sendable, Hashable {
  case missing
  case present(inode: UInt64, byteCount: Int64, modifiedSeconds: Int64, modifiedNanoseconds: Int64)

  /// Of the file that a path leads to, through links.
  package init(ofFileAt path: String) {
    var status = stat()
    // SAFETY: the path lives through the call, which fills `status`.
    guard unsafe stat(path, &status) == 0 else {
      self = .missing
      return
    }
    self = .present(
      inode: UInt64(status.st_ino), byteCount: Int64(status.st_size), modifiedSeconds: Int64(status.st_mtim.tv_sec),
      modifiedNanoseconds: Int64(status.st_mtim.tv_nsec))
  }
}
