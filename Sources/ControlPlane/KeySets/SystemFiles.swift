// Files of the operating system, through its own calls: a file's signature, a bounded read, an atomic replacement.
// Invariant: every descriptor opened here is closed here. A temporary file is renamed or removed.

import Configuration
import Glibc

// The system calls that methods of the same name would hide.
private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

private func readBytes(_ descriptor: Int32, _ to: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  // SAFETY: the caller passes room for `count` bytes.
  unsafe read(descriptor, to, count)
}

private func writeBytes(_ descriptor: Int32, _ from: UnsafeRawPointer?, _ count: Int) -> Int {
  // SAFETY: the caller passes `count` bytes.
  unsafe write(descriptor, from, count)
}

/// ``KeySetFiles`` on the real disk.
struct SystemFiles: KeySetFiles {
  func signature(of path: String) -> FileSignature { FileSignature(ofFileAt: path) }

  func read(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
    try read(path, byteCountMax: byteCountMax, flags: 0) { _ in nil }
  }

  func readOwn(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
    try read(path, byteCountMax: byteCountMax, flags: O_NOFOLLOW) { status in
      status.st_mode & S_IFMT == S_IFREG ? Self.problem(status, "the file \(path)") : "\(path) is not a regular file"
    }
  }

  func folderProblem(_ path: String) -> String? {
    var status = stat()
    // SAFETY: the path lives through the call, which fills `status`.
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Self.problem(status, "the folder \(path)")
  }

  /// Whether every user of the machine may read a file.
  func isOpen(_ path: String) -> Bool {
    var status = stat()
    // SAFETY: the path lives through the call, which fills `status`.
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
  }

  /// As OpenSSH's StrictModes has it: others are the group, too.
  private static func problem(_ status: stat, _ what: String) -> String? {
    let own = geteuid()
    if status.st_uid != own, status.st_uid != 0 {
      return
        "\(what) belongs to user \(status.st_uid), and the gateway is user \(own): chown it, or name another folder"
    }
    if status.st_mode & (S_IWGRP | S_IWOTH) != 0 { return "\(what) may be written by others: chmod go-w" }
    return nil
  }

  /// - Parameter problem: what is wrong with the file that was opened.
  private func read(
    _ path: String, byteCountMax: Int, flags: Int32, problem: (stat) -> String?
  ) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    try readPieces(path, byteCountMax: byteCountMax, flags: flags, problem: problem) { bytes += $0 }
    return bytes
  }

  /// Reads a file that is too large to be held.
  /// - Parameter take: gets one piece after the other.
  func readPieces(_ path: String, byteCountMax: Int, _ take: (ArraySlice<UInt8>) -> Void) throws(FileError) {
    try readPieces(path, byteCountMax: byteCountMax, flags: 0, problem: { _ in nil }, take)
  }

  private func readPieces(
    _ path: String, byteCountMax: Int, flags: Int32, problem: (stat) -> String?, _ take: (ArraySlice<UInt8>) -> Void
  ) throws(FileError) {
    // Not blocking, so that a FIFO in the file's place cannot hold us up.
    // SAFETY: the path lives through the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags)
    guard descriptor >= 0 else { throw Self.lastError() }
    defer { _ = closeDescriptor(descriptor) }
    var status = stat()
    // SAFETY: the call fills `status`.
    guard unsafe fstat(descriptor, &status) == 0 else { throw Self.lastError() }
    if let problem = problem(status) { throw FileError(problem) }
    try readPieces(of: descriptor, byteCountMax: byteCountMax, take)
  }

  private func readPieces(
    of descriptor: Int32, byteCountMax: Int, _ take: (ArraySlice<UInt8>) -> Void
  ) throws(FileError) {
    var byteCount = 0
    var block = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let size = block.count
      // SAFETY: at most `size` bytes are written to the array.
      let count = unsafe block.withUnsafeMutableBytes { unsafe readBytes(descriptor, $0.baseAddress, size) }
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Self.lastError() }
      if count == 0 { return }
      byteCount += count
      guard byteCount <= byteCountMax else { throw FileError("larger than \(byteCountMax) bytes") }
      take(block[..<min(count, size)])
    }
  }

  /// Replaces a file by what is made of it, with its owner and its rights. Others who change it in this way meanwhile
  /// wait.
  func change(
    _ path: String, byteCountMax: Int, _ make: ([UInt8]) throws(FileError) -> [UInt8]
  ) throws(FileError) {
    while true {
      // The file that a link leads to is replaced, and not the link.
      // SAFETY: the path lives through the call. What realpath has allocated is copied, and freed at once.
      guard let resolved = unsafe realpath(path, nil) else { throw Self.lastError() }
      let place = unsafe String(cString: resolved)
      unsafe free(resolved)
      // SAFETY: paths live through their calls, which fill the statuses.
      let descriptor = unsafe open(place, O_RDWR | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else { throw Self.lastError() }
      defer { _ = closeDescriptor(descriptor) }
      guard lockf(descriptor, F_LOCK, 0) == 0 else { throw Self.lastError() }
      var (opened, current) = (stat(), stat())
      guard unsafe fstat(descriptor, &opened) == 0, unsafe stat(place, &current) == 0 else { throw Self.lastError() }
      // Another one has replaced it while this one waited.
      if opened.st_ino != current.st_ino { continue }
      // By the same descriptor: to close another one of the file would give the lock back.
      var bytes: [UInt8] = []
      try readPieces(of: descriptor, byteCountMax: byteCountMax) { bytes += $0 }
      return try replace(place, with: try make(bytes), like: opened)
    }
  }

  func replace(_ path: String, with bytes: [UInt8]) throws(FileError) { try replace(path, with: bytes, like: nil) }

  /// - Parameter known: whose owner and rights the file gets. Its own user's and nobody else's without.
  private func replace(_ path: String, with bytes: [UInt8], like known: stat?) throws(FileError) {
    // One writer a path: the registry writes an issuer's file from one place only. The process id distinguishes copies.
    let temporary = "\(path).\(getpid()).tmp"
    // SAFETY: paths live through their calls.
    _ = unsafe unlink(temporary)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    var descriptor = unsafe open(temporary, flags, 0o600)
    if descriptor < 0, errno == ENOENT, let slash = path.lastIndex(of: "/") {
      // The first time, the folder itself may not be there yet.
      _ = unsafe mkdir(String(path[..<slash]), 0o700)
      descriptor = unsafe open(temporary, flags, 0o600)
    }
    guard descriptor >= 0 else { throw Self.lastError() }
    do throws(FileError) {
      if let known {
        guard fchown(descriptor, known.st_uid, known.st_gid) == 0, fchmod(descriptor, known.st_mode & 0o777) == 0
        else { throw Self.lastError() }
      }
      try Self.write(bytes, to: descriptor)
      // The rename must not reach the disk before the content.
      guard fsync(descriptor) == 0 else { throw Self.lastError() }
    } catch {
      _ = closeDescriptor(descriptor)
      // SAFETY: the path lives through the call, and so do both in those below.
      _ = unsafe unlink(temporary)
      throw error
    }
    _ = closeDescriptor(descriptor)
    guard unsafe rename(temporary, path) == 0 else {
      let error = Self.lastError()
      _ = unsafe unlink(temporary)
      throw error
    }
  }

  /// A file that cannot be removed stays.
  func remove(_ path: String) {
    // SAFETY: the path lives through the call.
    _ = unsafe unlink(path)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(FileError) {
    var offset = 0
    while offset < bytes.count {
      let rest = bytes[offset...]
      // SAFETY: reads as many bytes as the slice holds.
      let count = unsafe rest.withUnsafeBytes { unsafe writeBytes(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw lastError() }
      offset += count
    }
  }

  private static func lastError() -> FileError {
    FileError(SystemFiles.words(of: errno))
  }

  /// What the system says of an error's number.
  static func words(of number: CInt) -> String {
    // SAFETY: strerror gives a C string that stays valid until the next call on this thread. It is copied at once.
    unsafe String(cString: strerror(number))
  }
}
