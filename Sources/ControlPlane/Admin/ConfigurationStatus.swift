// The configuration in the status document: what was read, and what became of it.

import Configuration
import FoundationEssentials

/// In the document the names are in snake case: `last_reload_errors`.
struct ConfigurationStatus: Encodable {
  /// As the operator named it.
  var file: String
  /// It and all others that were read, by path.
  var files: [String]
  /// Nil before the first.
  var lastReload: String?
  /// Why the last reload was refused, one finding a line. Empty when it took over.
  var lastReloadErrors: [String]

  /// LIMIT: paths that are shown.
  private static let fileCountMax = 100

  init(file: String, _ reloads: ReloadRecord) {
    self.file = file
    files = Array(reloads.sources.files.keys.sorted().prefix(Self.fileCountMax))
    lastReload = reloads.lastTime.map { timeText(unixMilliseconds: $0 &* 1000) }
    lastReloadErrors = reloads.errors
  }
}

/// A moment in the status document: in UTC, to the second.
func timeText(unixMilliseconds: Int64) -> String {
  Date(timeIntervalSince1970: Double(unixMilliseconds) / 1000).formatted(.iso8601)
}
