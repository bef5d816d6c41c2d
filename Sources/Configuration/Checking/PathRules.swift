// Paths as they are in a route: in the same normal form that requests are brought to before they are compared (RFC 3986
// §6.2.2), so that a route cannot be written that no request matches (T39, T40, T42).

import Bytes
import HTTPWire

enum PathRules {
  /// The pattern, or what is wrong with it and what to write instead.
  static func pattern(_ text: String) -> Result<PathPattern, Problem> {
    if let url = ForeignURL(text) {
      let path = url.path.isEmpty ? "/*" : url.path
      return .failure(Problem("a path begins with '/': write host: \(url.host.shown) and path: \(path.shown)"))
    }
    if let start = SuspiciousValues.plainStart(ofExpression: text) {
      return .failure(
        Problem(
          "a path is not a regular expression: write \("\(start)/{id}".quoted), where {id} is any segment, "
            + "or \("\(start)/*".quoted) for everything below"))
    }
    guard text.hasPrefix("/") else {
      let body = text.hasPrefix("*") ? String(text.dropFirst()) : text
      return .failure(Problem("a path begins with '/': write \(("/" + (text == "*" ? "*" : body)).quoted)"))
    }
    var body = text
    var isPrefix = false
    if text.hasSuffix("/*") {
      isPrefix = true
      body = String(Substring(text.utf8.dropLast(2)))
    }
    if body.contains("*") {
      let stem = body.prefix { $0 != "*" }
      let advice = (stem.hasSuffix("/") ? stem + "*" : stem + "/*")
      return .failure(
        Problem(
          "'*' is allowed only at the end of a path, as '/*': write \(String(advice).quoted), "
            + "or '{name}' for one segment"))
    }
    if isPrefix, body.isEmpty {
      return .success(PathPattern(segments: [], isPrefix: true, hasTrailingSlash: false))
    }
    let (literal, names) = withoutParameters(body)
    if let problem = problem(ofLiteral: literal, as: text, maySlashBeEncoded: true) { return .failure(problem) }
    return segments(of: body, names: names, isPrefix: isPrefix, text: text)
  }

  struct Problem: Error {
    var message: String
    init(_ message: String) { self.message = message }
  }

  /// What is wrong with a path that is not a pattern (a rewrite, a redirect), or nil.
  static func problem(ofPath text: String) -> String? {
    guard text.hasPrefix("/") else { return "a path begins with '/': write \(("/" + text).quoted)" }
    return problem(ofLiteral: text, as: text)?.message
  }

  /// The body with each `{name}` segment as `~1~`, `~2~`…, and whether any brace was there.
  private static func withoutParameters(_ body: String) -> (literal: String, hasNames: Bool) {
    guard body.contains(anyOf: "{}") else { return (body, false) }
    var count = 0
    let parts = body.pieces(between: "/").map { part in
      guard part.utf8.first == UInt8(ascii: "{"), part.utf8.last == UInt8(ascii: "}") else { return String(part) }
      count += 1
      return "~\(count)~"
    }
    return (parts.joined(separator: "/"), true)
  }

  private static func segments(of body: String, names: Bool, isPrefix: Bool, text: String) -> Result<
    PathPattern, Problem
  > {
    var parts = body.pieces(between: "/").dropFirst()
    let hasTrailingSlash = !isPrefix && parts.last?.isEmpty == true
    if parts.last?.isEmpty == true { parts.removeLast() }
    var result: [PathPattern.Segment] = []
    for part in parts {
      guard names, part.utf8.first == UInt8(ascii: "{") else {
        result.append(.literal(String(part)))
        continue
      }
      // The brace at its end was found before.
      let name = String(Substring(part.utf8.dropFirst().dropLast()))
      guard isParameterName(name) else {
        return .failure(
          Problem("\(String(part).quoted) is not a valid segment name: write letters, digits and '_', such as {id}"))
      }
      // LIMIT: a path of 2048 bytes has few of them.
      guard !result.contains(.parameter(name)) else {
        return .failure(Problem("\("{\(name)}".quoted) appears twice in this path: give each segment its own name"))
      }
      result.append(.parameter(name))
    }
    return .success(PathPattern(segments: result, isPrefix: isPrefix, hasTrailingSlash: hasTrailingSlash))
  }

  /// Whether a route with the pattern takes only paths that have `%2F` or `%5C`.
  static func hasEncodedSlash(_ pattern: PathPattern) -> Bool {
    pattern.segments.contains { segment in
      if case .literal(let text) = segment { text.contains("%2F") || text.contains("%5C") } else { false }
    }
  }

  /// Whether a route with the pattern takes only paths that have `%252F`, `%255C` or `%2525`.
  static func hasTwiceEncodedSlash(_ pattern: PathPattern) -> Bool {
    pattern.segments.contains { segment in
      guard case .literal(let text) = segment, text.contains("%") else { return false }
      let folded = text.lowercased()
      return ["%252f", "%255c", "%2525"].contains(where: folded.contains)
    }
  }

  static func isParameterName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy { $0.isAlphanumeric || $0 == UInt8(ascii: "_") }
  }

  private static func problem(
    ofLiteral literal: String, as text: String, maySlashBeEncoded: Bool = false
  ) -> Problem? {
    if literal.contains(anyOf: "?#") {
      return Problem("\(text.quoted) has a query or a fragment: a path ends before '?' and '#'")
    }
    if literal.contains(anyOf: "{}") {
      return Problem("'{name}' must be a whole segment between two '/': \(text.quoted)")
    }
    if literal.contains("\\") { return Problem("\(text.quoted) contains '\\': write '/'") }
    if literal.contains(";") {
      return Problem("\(text.quoted) contains ';': remove it, because paths are matched without parameters")
    }
    switch normalForm(literal, maySlashBeEncoded: maySlashBeEncoded) {
    case .failure(let error):
      return Problem("\(text.quoted) can never match: \(explanation(of: error))")
    case .success(let normal):
      guard let normal, normal != literal else { return nil }
      return Problem(
        "\(text.quoted) is not in normal form, so no request would match: write \(restored(normal, as: text).quoted)")
    }
  }

  private static func explanation(of error: TargetError) -> String {
    switch error {
    case .notAPath: "a path begins with '/'"
    case .byteInvalid: "it contains a character that is not allowed in a request target"
    case .percentInvalid: "'%' must be followed by two hexadecimal digits"
    case .encodedControl: "it contains an encoded control character"
    case .encodedSlash: "it contains an encoded '/' or '\\', and such requests are refused"
    case .notUTF8: "it contains encoded bytes that are not UTF-8, and such requests are refused"
    case .doubleEncoding:
      "it would contain '/', '\\', '%', a control or a dot segment if decoded twice, and such requests are refused"
    case .aboveRoot: "'..' goes above the root"
    case .emptyParameters: "it contains ';' after an empty name"
    case .tooManySegments: "it has more than \(NormalTarget.segmentCountMax) segments"
    }
  }

  /// The advice carries the parameters and the star again.
  private static func restored(_ normal: String, as text: String) -> String {
    let names = text.split(separator: "/").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }
    var result = normal
    for (index, name) in names.enumerated() { result = result.replacing("~\(index + 1)~", with: String(name)) }
    return text.hasSuffix("/*") ? result + "/*" : result
  }

  /// What a request for this path is brought to before it is compared. Bytes that a client would have to encode are
  /// encoded first, so that the advice is a path that works.
  /// Nil for a path that is as it should be.
  private static func normalForm(_ path: String, maySlashBeEncoded: Bool) -> Result<String?, TargetError> {
    var target = NormalTarget()
    if path.utf8.span.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      if let error = target.normalize(path.utf8.span) { return .failure(error) }
      if target.oddities.isEmpty, !target.hasEncodedDelimiter, target.bytes.span.equals(path.utf8.span) {
        return .success(nil)
      }
    } else {
      var raw: [UInt8] = []
      let digits = Array("0123456789ABCDEF".utf8)
      for byte in path.utf8 {
        if byte <= 0x20 || byte >= 0x7F {
          raw += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        } else {
          raw.append(byte)
        }
      }
      if let error = target.normalize(raw.span) { return .failure(error) }
    }
    if target.oddities.contains(.encodedSlash), !maySlashBeEncoded { return .failure(.encodedSlash) }
    if target.oddities.contains(.twiceEncodedSlash), !maySlashBeEncoded { return .failure(.doubleEncoding) }
    return .success(target.hasEncodedDelimiter ? target.plainPath.span.text() : target.bytes.span.text())
  }
}
