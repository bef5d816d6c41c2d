// The one parser of values of a request: `client_ip`, `claim:NAME`, `cookie:NAME`, `header:NAME`, `query:NAME` and
// `tls:NAME`.

import Tokens

/// The forms of a value. A setting names those that it takes.
enum RequestValueForm: String, CaseIterable {
  case clientIP = "client_ip"
  case claim, cookie, header, query, tls

  /// Those that distinguish callers: `by`, `hash_on` and `split_on`.
  static let ofCallers: [RequestValueForm] = [.clientIP, .claim, .cookie, .header, .query]

  /// As it is written in advice.
  var example: String { self == .clientIP ? rawValue : rawValue + ":NAME" }
}

extension Reading {
  /// A value that `what` takes. Nil after an error was reported.
  /// - Parameter words: what the setting takes besides, for the advice.
  func requestValue(
    _ text: String, _ what: String, _ forms: [RequestValueForm], words: [String] = [], at position: SourcePosition
  ) -> RequestValue? {
    let (word, name) = Self.cut(text)
    guard let form = forms.first(where: { $0.rawValue == word }), (form == .clientIP) == (name == nil) else {
      let examples = words + forms.map(\.example)
      let near = nearestName(to: word, among: words + forms.map(\.rawValue))
      let advice =
        near.flatMap { near in examples.first { $0 == near || $0 == near + ":NAME" } }.map { "did you mean '\($0)'?" }
        ?? "write \(alternatives(examples))"
      error(position, "\(text.quoted) is not a valid value for \(what): \(advice)")
      return nil
    }
    return requestValue(form, name ?? "", at: position)
  }

  private func requestValue(_ form: RequestValueForm, _ name: String, at position: SourcePosition) -> RequestValue? {
    let problem: String
    switch form {
    case .clientIP: return .clientIP
    case .claim: return claimPath(name, at: position).map { .claim($0) }
    case .cookie:
      if FieldRules.isToken(name) { return .cookie(name) }
      problem = "\(name.quoted) is not a valid cookie name"
    case .query:
      if !name.isEmpty, name.utf8.allSatisfy({ $0.isAlphanumeric || "-._~".utf8.contains($0) }) { return .query(name) }
      problem = "\(name.quoted) is not a valid name of a query parameter: it has letters, digits, '-', '.', '_' and '~'"
    case .header:
      guard let found = FieldRules.problem(ofRuleName: name) else { return .header(name.lowercased()) }
      problem = found
    case .tls:
      if let fact = ClientCertificateFact(rawValue: "tls." + name) { return .tls(fact) }
      let known = ClientCertificateFact.allCases.map { "tls:" + $0.rawValue.dropFirst(4) }
      problem = "a client's certificate has no value \(name.quoted): write \(alternatives(known))"
    }
    error(position, problem)
    return nil
  }

  /// The word before the first colon, and what follows it. Nil without a colon.
  static func cut(_ text: String) -> (word: String, name: String?) {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return (text, nil) }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }
}

extension ValueForm {
  /// A setting that names a value.
  /// - Parameter words: what the setting takes besides.
  static func requestValue(_ forms: [RequestValueForm], words: [String] = []) -> ValueForm {
    pattern(
      alternatives((words + forms.map(\.example)).map { "`\($0)`" }),
      (words + forms.map { $0 == .clientIP ? $0.rawValue : $0.rawValue + ":.+" }).joined(separator: "|"))
  }
}
