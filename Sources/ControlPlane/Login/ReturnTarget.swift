// Where a browser is sent after a login: only ever a path of the host that it came from (T107). Anything that some
// browser may read as another host, or as no path at all, becomes the place that the file names.

enum ReturnTarget {
  /// LIMIT: bytes of a path with its query. A longer one would not fit into the cookie of the login.
  static let byteCountMax = 1024

  /// - Returns: the text when it is a path of this host, with or without a query. Nil otherwise.
  static func checked(_ text: String?) -> String? {
    guard let text, text.utf8.count <= byteCountMax, text.utf8.first == UInt8(ascii: "/") else { return nil }
    // Browsers leave out tabs and line feeds, read a backslash as a slash, and encode what is not ASCII themselves.
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
    let path = text.prefix { $0 != "?" && $0 != "#" }
    let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    for segment in segments where isDots(segment) { return nil }
    if segments.count > 1, let first = segments.first, first.isEmpty { return nil }
    // Some servers and scripts decode before they look.
    let decoded = path.dropFirst().prefix(3).lowercased()
    return decoded == "%2f" || decoded == "%5c" ? nil : text
  }

  /// `.` or `..`, written in any way.
  private static func isDots(_ segment: Substring) -> Bool {
    let plain = segment.lowercased().replacing("%2e", with: ".")
    return plain == "." || plain == ".."
  }
}
