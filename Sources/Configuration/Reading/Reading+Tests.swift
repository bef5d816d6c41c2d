// `tests:` of the file.

import HTTPWire

extension Reading {
  fileprivate func tests(_ node: SourceNode, _ what: String) -> [FileTest]? {
    guard case .list(let items) = node.content else {
      error(node.position, "\(what) must be a list, not \(node.kind): write - \(FileTest.settings.table.example ?? "")")
      return nil
    }
    // LIMIT: each start goes through all of them.
    if items.count > 1000 { error(node.position, "\(what) has at most 1000 tests") }
    return items.prefix(1000).compactMap { FileTest.settings.read($0, self) }
  }

  fileprivate func testRequest(_ node: SourceNode, _ what: String) -> TestRequest? {
    guard let text = line(node, what) else { return nil }
    switch TestRequest.parse(text) {
    case .success(let request): return request
    case .failure(let problem):
      error(node.position, "\(what) \(problem.message)")
      return nil
    }
  }

  fileprivate func testFields(_ node: SourceNode, _ what: String) -> [TestField]? {
    guard let entries = entries(node, what, example: "{ Accept: text/html }") else { return nil }
    return entries.compactMap { entry in
      guard FieldRules.isToken(entry.key) else {
        error(entry.keyPosition, "\(entry.key.quoted) is not a valid name of a header field")
        return nil
      }
      return line(entry.value, "the value of \(entry.key.quoted)").map { TestField(name: entry.key, value: $0) }
    }
  }

  fileprivate func testIssuer(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    if let index = names.issuers.index(of: name) { return index }
    error(node.position, undefined(name, "issuer", among: names.issuers.names))
    return nil
  }

  fileprivate func testClaims(_ node: SourceNode, _ what: String) -> [TestToken.Claim]? {
    entries(node, what, example: "{ sub: ada, scope: orders:read }")?.map { entry in
      if entry.value.isNull { return TestToken.Claim(name: entry.key, json: nil) }
      return TestToken.Claim(name: entry.key, json: JSONText.typed(entry.value))
    }
  }

  fileprivate func clientAddress(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    if IPAddress(text) != nil { return text }
    error(node.position, "\(what) must be an IP address, not \(text.quoted): write 192.0.2.1")
    return nil
  }
}

extension TestField {
  /// `Name: value`. Nil for anything else.
  package init?(line: String) {
    let name = line.prefix { $0 != ":" }
    let value = line.dropFirst(name.count + 1).drop { $0 == " " }
    guard name.count < line.count, FieldRules.isToken(String(name)),
      value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else { return nil }
    self.init(name: String(name), value: String(value))
  }
}

extension TestRequest {
  package struct Problem: Error {
    package var message: String
  }

  /// - Parameter text: a method and a URL, or a URL alone, which is a GET.
  package static func parse(_ text: String) -> Result<TestRequest, Problem> {
    func failure(_ message: String) -> Result<TestRequest, Problem> { .failure(Problem(message: message)) }
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard let url = words.last, words.count <= 2 else {
      return failure("has more than a method and a URL: write GET https://api.example.com/orders/1")
    }
    var request = TestRequest()
    if words.count == 2 { request.method = String(words[0]) }
    guard FieldRules.isToken(request.method) else {
      return failure("has \(request.method.quoted) in place of a method")
    }
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      return failure("has characters that a URL does not have: encode them with %")
    }
    let rest: Substring
    if url.hasPrefix("https://") {
      request.isSecure = true
      rest = url.dropFirst(8)
    } else if url.hasPrefix("http://") {
      rest = url.dropFirst(7)
    } else {
      return failure("has no URL with http:// or https://: write GET https://api.example.com/orders/1")
    }
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    if authority.isEmpty || authority.contains("@") { return failure("has a URL without a host") }
    request.authority = String(authority)
    let target = rest.dropFirst(authority.count).prefix { $0 != "#" }
    request.target = (target.hasPrefix("/") ? "" : "/") + target
    return .success(request)
  }
}

extension JSONText {
  /// A tree in which plain scalars that JSON has as numbers and words are such.
  static func typed(_ node: SourceNode) -> String {
    switch node.content {
    case .scalar(let scalar):
      if node.isNull { return "null" }
      if scalar.isPlain, ["true", "false"].contains(scalar.text) || isNumber(scalar.text) { return scalar.text }
      return quoted(scalar.text)
    case .list(let items): return "[" + items.map(typed).joined(separator: ",") + "]"
    case .mapping(let entries):
      return "{" + entries.map { "\(quoted($0.key)):\(typed($0.value))" }.joined(separator: ",") + "}"
    }
  }

  /// RFC 8259 §6.
  private static func isNumber(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    func digits() -> Int {
      let count = rest.prefix { (0x30...0x39).contains($0) }.count
      rest = rest.dropFirst(count)
      return count
    }
    if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    let startsWithZero = rest.first == UInt8(ascii: "0")
    let count = digits()
    if count == 0 || startsWithZero && count > 1 { return false }
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      if digits() == 0 { return false }
    }
    if let mark = rest.first, mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") {
      rest.removeFirst()
      if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest.removeFirst() }
      if digits() == 0 { return false }
    }
    return rest.isEmpty
  }
}

extension ValueType where Value == [FileTest] {
  static let tests = ValueType(.list(of: .mapping(FileTest.settings.table), "list of tests", isUnique: false)) {
    node, reading, what in reading.tests(node, what)
  }
}

extension ValueType where Value == TestRequest {
  static let testRequest = ValueType(.text("method and URL")) { node, reading, what in
    reading.testRequest(node, what)
  }
}

extension ValueType where Value == String {
  static let testBody = ValueType(.text("text")) { node, reading, what in reading.text(node, what) }
}

extension ValueType where Value == [TestField] {
  static let testFields = ValueType(.texts("header: value")) { node, reading, what in reading.testFields(node, what) }
}

extension ValueType where Value == [TestToken.Claim] {
  static let testClaims = ValueType(ValueForm("claim: value", ["type": "object"])) { node, reading, what in
    reading.testClaims(node, what)
  }
}

extension ValueType where Value == Int {
  /// Index into the issuers. A test is no use of one.
  static let testIssuer = ValueType(.text("name")) { node, reading, what in reading.testIssuer(node, what) }
}

extension ValueType where Value == String {
  static let clientAddress = ValueType(
    .text("IP address"), write: { .text($0) }, read: { node, reading, what in reading.clientAddress(node, what) })
}
