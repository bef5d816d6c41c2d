// `catraca version`: what a report of a fault has to name.

import ArgumentParser
import CBuild
import Compression
import Configuration
import HTTP2
import TLS

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the version, what it was built from, and the libraries that are loaded.")

  func run() throws {
    // SAFETY: both are strings of the program itself.
    let (commit, swift) = unsafe (String(cString: catraca_build_commit()), String(cString: catraca_build_swift()))
    let facts = [
      ("catraca", Catraca.version),
      ("commit", commit),
      ("Swift", swift),
      ("architecture", Self.architecture),
      ("OpenSSL", Self.withoutName(TLSLibrary.version)),
      ("nghttp2", HTTP2Library.version),
      ("zlib", CompressionLibraries.zlib),
      ("igzip", CompressionLibraries.igzip),
      ("Brotli", CompressionLibraries.brotli),
      ("libyaml", YAMLLibrary.version),
    ]
    let lines = facts.map { name, value in
      name + String(repeating: " ", count: 14 - name.count)
        + (value.isEmpty ? "unknown: not built by make release" : value) + "\n"
    }
    try writeOutputOrExit(lines.joined())
  }

  /// OpenSSL begins with its own name.
  private static func withoutName(_ version: String) -> String {
    version.hasPrefix("OpenSSL ") ? String(version.dropFirst(8)) : version
  }

  private static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "arm64"
    #else
      "another"
    #endif
  }
}
