// `api_key`, `session` and `certificate` of a test.

import Tokens

extension Reading {
  fileprivate func testAPIKeySet(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    guard let index = names.apiKeys.index(of: name) else {
      error(node.position, undefined(name, "set of API keys", among: names.apiKeys.names))
      return nil
    }
    if names.apiKeySets.indices.contains(index), names.apiKeySets[index].store != nil {
      error(
        node.position,
        "the keys of \(name.quoted) are in Redis, where no test looks: name a set with 'file' or 'keys'")
      return nil
    }
    return index
  }

  fileprivate func testSession(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    guard let place = names.sessions.firstIndex(where: { $0.name == name }) else {
      error(node.position, undefined(name, "session", among: names.sessions.map(\.name)))
      return nil
    }
    return names.sessions[..<place].count { $0.rules != nil }
  }

  fileprivate func testThumbprint(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    if Base64URL.decode(Array(text.utf8).span)?.count == 32 { return text }
    error(node.position, "\(what) must be the 43 characters of a SHA-256 digest in base64url, not \(text.quoted)")
    return nil
  }

  /// What the parts of a test require of each other.
  func check(_ test: FileTest, _ section: Section) {
    if test.certificate != nil, !test.request.isSecure, !section.refused.contains("request") {
      error(
        section.keyPosition("certificate"), "a client shows a certificate over TLS only: write https:// in 'request'")
    }
  }
}

extension ValueType where Value == Int {
  /// Index into the sets of API keys. A test is no use of one.
  static let testAPIKeySet = ValueType(.text("name")) { node, reading, what in reading.testAPIKeySet(node, what) }
  /// Index into the sessions.
  static let testSession = ValueType(.text("name")) { node, reading, what in reading.testSession(node, what) }
}

extension ValueType where Value == String {
  static let testThumbprint = ValueType(.text("SHA-256 in base64url")) { node, reading, what in
    reading.testThumbprint(node, what)
  }
}
