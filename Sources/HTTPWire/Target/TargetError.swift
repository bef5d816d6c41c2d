// Why a request target has no normal form.

/// What is wrong with a path or query. The raw values are stable codes for refusals, logs and metrics.
package enum TargetError: String, Sendable, CaseIterable, Error {
  /// The path does not begin with `/`.
  case notAPath = "path_invalid"
  /// A byte that no path or query holds: a control, a space, `#`, `\`, or one beyond ASCII.
  case byteInvalid = "target_byte_invalid"
  /// `%` without two hexadecimal digits behind it.
  case percentInvalid = "target_percent_invalid"
  /// `%00` to `%1F` or `%7F`.
  case encodedControl = "path_encoded_control"
  /// `%2F` or `%5C`.
  case encodedSlash = "path_encoded_slash"
  /// `%80` to `%FF` that are not UTF-8.
  case notUTF8 = "path_not_utf8"
  /// What is for `/`, `\`, `%`, a control or a dot segment once it is decoded twice.
  case doubleEncoding = "path_double_encoded"
  /// `..` where nothing is left to go up from.
  case aboveRoot = "path_above_root"
  /// `.`, `..` or nothing at all, with parameters: `/..;a/`, `/;a/b`.
  case emptyParameters = "path_parameters_ambiguous"
  /// More segments than ``NormalTarget/segmentCountMax``.
  case tooManySegments = "path_too_deep"
}
