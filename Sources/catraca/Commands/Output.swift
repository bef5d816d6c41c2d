// What a command was asked for, on standard output, and what it reads. A full disk or a pipe that nobody reads is an
// error and not a success.

import ArgumentParser
import Glibc

/// Writes all of the text, or says why it cannot be written.
func writeOutput(_ text: String) throws {
  do {
    try writeAll(text, to: STDOUT_FILENO)
  } catch {
    throw TokenError("standard output cannot be written: \(error)")
  }
}

/// The same, for commands that end with status 1 when it fails.
func writeOutputOrExit(_ text: String) throws {
  do {
    try writeOutput(text)
  } catch {
    printError("catraca: \(error)")
    throw ExitCode(1)
  }
}

func printError(_ text: String) {
  // Nobody is left to be told.
  try? writeAll(text + "\n", to: STDERR_FILENO)
}

/// Why the system did not do something, in its own words.
struct SystemRefusal: Error, CustomStringConvertible {
  let code: CInt

  var description: String {
    // SAFETY: strerror answers a C string for every number. It is copied at once.
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}

func writeAll(_ text: String, to descriptor: CInt) throws(SystemRefusal) {
  var left = Array(text.utf8)[...]
  while !left.isEmpty {
    // SAFETY: the call reads the slice's own bytes, and keeps nothing.
    let count = unsafe left.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count >= 0 {
      left = left.dropFirst(count)
    } else if errno != EINTR {
      throw SystemRefusal(code: errno)
    }
  }
}

/// All of the text in a file that did not exist. Half a file is none.
func writeNewFile(_ text: String, to path: String, mode: mode_t) throws {
  // SAFETY: the path is copied by the call.
  let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
  guard descriptor >= 0 else {
    let reason = errno == EEXIST ? "there is such a file, and it stays" : "\(SystemRefusal(code: errno))"
    throw TokenError("\(path) cannot be written: \(reason)")
  }
  defer { close(descriptor) }
  do {
    try writeAll(text, to: descriptor)
  } catch {
    // SAFETY: the path is copied by the call.
    unsafe unlink(path)
    throw TokenError("\(path) cannot be written: \(error)")
  }
}

/// Standard input to its end, or as much of it as is allowed.
func readStandardInput(byteCountMax: Int) throws(SystemRefusal) -> [UInt8] {
  var result: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 64 * 1024)
  while result.count < byteCountMax {
    let room = min(chunk.count, byteCountMax - result.count)
    // SAFETY: the call fills the buffer's own bytes, at most as many as it has.
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, room) }
    if count == 0 { break }
    if count > 0 {
      result += chunk[..<count]
    } else if errno != EINTR {
      throw SystemRefusal(code: errno)
    }
  }
  return result
}

/// Calls `body` with each line, without its line break.
/// - Parameter path: `-` is standard input.
func forEachLine(of path: String, _ body: ([UInt8]) -> Void) throws {
  // SAFETY: the descriptor is closed below. Each read is given the buffer's own size.
  let descriptor = unsafe path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw SystemRefusal(code: errno) }
  defer { if descriptor != STDIN_FILENO { close(descriptor) } }
  var rest: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 256 * 1024)
  // LIMIT: a longer line is none of an access log.
  let lineByteCountMax = 1 << 20
  while true {
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    if count < 0 { throw SystemRefusal(code: errno) }
    if count == 0 { break }
    var start = 0
    for index in 0..<count where chunk[index] == 0x0A {
      rest += chunk[start..<index]
      body(rest)
      rest.removeAll(keepingCapacity: true)
      start = index + 1
    }
    rest += chunk[start..<count]
    if rest.count > lineByteCountMax { rest.removeLast(rest.count - lineByteCountMax) }
  }
  if !rest.isEmpty { body(rest) }
}
