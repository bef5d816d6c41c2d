// What a path has that servers read in different ways, and that a route may let through.

package struct PathOddities: OptionSet, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `.` or `..`, which the normal form leaves out.
  package static let dotSegments = PathOddities(rawValue: 1)
  /// Segments without a name, which the normal form leaves out.
  package static let emptySegments = PathOddities(rawValue: 2)
  /// `%2F` or `%5C`, which the normal form keeps as bytes of their segments.
  package static let encodedSlash = PathOddities(rawValue: 4)
  /// `%252F`, `%255C` or `%2525`, which the normal form keeps as bytes of their segments: to a server that decodes
  /// twice they are a slash.
  package static let twiceEncodedSlash = PathOddities(rawValue: 8)
}
