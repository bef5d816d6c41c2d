// A denylist that is a file: read whole, and for the commands what is wrong with it, and one more entry.

package import Configuration
internal import Glibc
internal import Tokens

package enum DenylistFile {
  enum Fault: Error {
    case unreadable(FileError)
    case invalid(DenylistError)
  }

  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - expected: how many lines there may be.
  static func table(
    _ path: String, _ files: SystemFiles, now: Int64, expected: Int = 0
  ) throws(Fault) -> DenylistTable {
    var reader = DenylistReader(now: now, expected: expected)
    var fault: DenylistError?
    do throws(FileError) {
      try files.readPieces(path, byteCountMax: DenylistReader.byteCountMax) { piece in
        if fault != nil { return }
        do throws(DenylistError) { try reader.take(piece.span) } catch { fault = error }
      }
    } catch {
      throw .unreadable(error)
    }
    if let fault { throw .invalid(fault) }
    do throws(DenylistError) { return try reader.finish() } catch { throw .invalid(error) }
  }

  /// What is wrong with the files of a configuration's issuers. A gateway goes on with the last good list, or refuses
  /// their tokens, so a mistake is an error. A file that is not there may still come.
  package static func findings(of configuration: GatewayConfiguration) -> [Diagnostic] {
    configuration.issuers.compactMap { issuer in
      guard case .file(let path) = issuer.revocation?.denylist else { return nil }
      do throws(Fault) {
        _ = try table(path, SystemFiles(), now: Int64(time(nil)))
        return nil
      } catch {
        switch error {
        case .unreadable(let error):
          let passes = issuer.revocation?.unavailable == .pass
          return Diagnostic(
            .warning, file: path, position: .start,
            message: "the denylist of issuer '\(issuer.name)' cannot be read (\(error.reason)): until it can, "
              + "its tokens \(passes ? "pass" : "are refused")")
        case .invalid(let error):
          var position = SourcePosition.start
          position.line = error.lineNumber ?? 1
          return Diagnostic(.error, file: path, position: position, message: error.words)
        }
      }
    }
  }

  /// Puts one more entry into a file, which is replaced as a whole. Others who do the same meanwhile wait.
  /// - Parameter line: the entry, without the end of its line.
  /// - Throws: why the file stays as it is.
  package static func add(_ line: String, toFileAt path: String) throws(FileError) {
    try SystemFiles().change(path, byteCountMax: DenylistReader.byteCountMax) { bytes throws(FileError) in
      do throws(DenylistError) {
        return try DenylistText.adding(Array(line.utf8), to: bytes, now: Int64(time(nil)))
      } catch {
        throw FileError("\(error)")
      }
    }
  }
}
