// What a command was asked for, on standard output. A full disk or a pipe that nobody reads is an error and not a
// success.

import ArgumentParser
import Foundation

/// Writes all of the text, or says why it cannot be written.
func writeOutput(_ text: String) throws {
  do {
    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  } catch {
    throw TokenError("standard output cannot be written: \(reason(of: error))")
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

/// The system's words for a failed write.
func reason(of error: any Error) -> String {
  let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
  guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
  return POSIXError.text(Int32(clamping: underlying.code))
}
