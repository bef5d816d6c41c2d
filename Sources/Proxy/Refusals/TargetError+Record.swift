// What the gateway answers where a target has no normal form, and what to do about it.

package import HTTPWire

extension TargetError {
  package var record: RefusalRecord {
    switch self {
    case .notAPath:
      .init(400, .internal, "The path does not begin with `/`.", advice: "Send a path that begins with `/`.")
    case .byteInvalid:
      .init(
        400, .internal,
        """
        A control, a space, `#` or a byte beyond ASCII in the path or the query, or `\\` in the path.
        """, advice: "Percent-encode these bytes.")
    case .percentInvalid:
      .init(
        400, .internal, "`%` without two hexadecimal digits in the path.",
        advice: "Write a percent sign itself as `%25`.")
    case .encodedControl:
      .init(400, .internal, "`%00` to `%1F`, or `%7F`.", advice: "Leave control characters out of paths.")
    case .encodedSlash:
      .init(
        400, .internal,
        """
        `%2F` or `%5C` on a route without `encoded_slash: keep`: servers disagree on whether these separate segments. \
        On any route where `.` or `..` is beside them.
        """, advice: "Send such a name in the query, or write `encoded_slash: keep` on its route.")
    case .notUTF8:
      .init(
        400, .internal, "`%80` to `%FF` that do not make UTF-8, overlong forms among them (`%C0%AF`).",
        advice: "Encode the path's text as UTF-8 before percent-encoding it.")
    case .doubleEncoding:
      .init(
        400, .internal,
        """
        `%25` with what would become `/`, `\\`, `%`, a control, `.` or `..` as a segment if it were decoded once more: \
        `%252F`, `%252E%252E`. `My%2520File.txt` passes. With `encoded_slash: keep`, `%252F`, `%255C` and `%2525` do too.
        """, advice: "Look for code that encodes the path twice, or write `encoded_slash: keep` on the route.")
    case .aboveRoot:
      .init(
        400, .internal, "`..` with nothing left to go up from.", advice: "Send the path that is meant, without `..`.")
    case .emptyParameters:
      .init(
        400, .internal, "`.`, `..` or an empty segment, with `;parameters`.", advice: "Leave the parameters out.")
    case .tooManySegments:
      .init(400, .internal, "The path has more segments than the gateway reads.", advice: "Shorten the path.")
    }
  }
}
