// What may be in a header rule: names and values (RFC 9110 §5.1, §5.5), and the names that belong to the gateway.

import HTTPWire

enum FieldRules {
  /// RFC 9110 §5.6.2.
  static func isToken(_ text: String) -> Bool { HTTPWire.isToken(text.utf8.span) }

  /// RFC 9110 §5.5: no control characters but tabs, no space at the ends. UTF-8 beyond ASCII is obs-text: allowed.
  static func isValue(_ text: String) -> Bool { isFieldValue(text.utf8.span) }

  /// The name as a backend may read it: lower case, and `-` for every byte that is not a letter or a digit (T33, T76).
  static func folded(_ name: String) -> String { String(decoding: name.utf8.map(foldedByte), as: UTF8.self) }

  /// Fields with a meaning of their own, which an identity header must not take over.
  private static let meaningful: Set<String> = [
    "authorization", "cookie", "set-cookie", "content-type", "content-encoding", "accept", "accept-encoding", "expect",
    "range", "origin", "date", "via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
    "x-request-id", "traceparent", "tracestate", "user-agent", "referer", "www-authenticate", "location", "age",
    "cache-control", "etag", "vary", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
    "sec-websocket-extensions", "sec-websocket-accept",
  ]

  /// Fields about the client and its request, of which proxies write the first four or five.
  private static let forwarding: Set<String> = [
    "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
  ]

  /// What is wrong with the name of a field that trusted proxies write, or nil.
  static func problem(ofTrustedName name: String) -> String? {
    let folded = folded(name)
    if (PeerFields.overrides + PeerFields.never).contains(folded) {
      return "\(name.quoted) would change the request after the rules were applied: no proxy may send it"
    }
    if let problem = problem(ofRuleName: name) { return problem }
    if meaningful.contains(folded), !forwarding.contains(folded) {
      return "\(name.quoted) is a standard header that clients send: it requires no trusted proxy, remove it"
    }
    return nil
  }

  /// What is wrong with a name that a rule sets or removes, or nil.
  static func problem(ofRuleName name: String) -> String? {
    if !isToken(name) {
      return "\(name.quoted) is not a valid header name: write letters, digits and '-', without spaces or ':'"
    }
    let field = foldedField(of: name.utf8.span)
    // They concern one connection, so no rule may touch them.
    if field.isHopByHop {
      return "\(name.quoted) belongs to one connection (RFC 9110 §7.6.1): no rule may name it"
    }
    if field.isFramingOrRouting { return "\(name.quoted) frames or directs the message: no rule may name it" }
    return nil
  }

  /// What is wrong with the name of an identity header, or nil.
  static func problem(ofIdentityName name: String) -> String? {
    if let problem = problem(ofRuleName: name) { return problem }
    if meaningful.contains(folded(name)) {
      return "\(name.quoted) is a standard header and cannot carry identity: write a name such as X-User-Id"
    }
    return nil
  }
}
