// Requests and responses of the small server: whole in memory, for pages of the administrator and the demo, never for
// the traffic that the gateway carries.

/// A request, complete with its body.
package struct SmallRequest: Sendable, Equatable {
  package var method: String
  /// As received: path and query.
  package var target: String
  /// In the order received, names as written.
  package var fields: [(name: String, value: String)]
  package var body: [UInt8]

  package init(
    method: String, target: String, fields: [(name: String, value: String)] = [], body: [UInt8] = []
  ) {
    self.method = method
    self.target = target
    self.fields = fields
    self.body = body
  }

  /// The target up to `?`, not decoded.
  package var path: String { String(target.prefix { $0 != "?" }) }

  /// The query's parameters in order, decoded (`+` is a space, as in forms). What cannot be decoded stays as it is.
  package var query: [(name: String, value: String)] {
    target.split(separator: "?", maxSplits: 1).dropFirst().first.map(Self.parameters) ?? []
  }

  /// The value of the first parameter of that name in the query.
  package func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The value of the first field of that name, in any case.
  package func field(_ name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  package static func == (a: SmallRequest, b: SmallRequest) -> Bool {
    a.method == b.method && a.target == b.target && a.body == b.body
      && a.fields.elementsEqual(b.fields) { $0 == $1 }
  }

  /// `a=1&b=2`, decoded.
  package static func parameters(_ text: some StringProtocol) -> [(name: String, value: String)] {
    text.split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (decoded(parts[0]), parts.count > 1 ? decoded(parts[1]) : "")
    }
  }

  private static func decoded(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "+") {
        bytes.append(UInt8(ascii: " "))
      } else if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.first != UInt8(ascii: "+")
      {
        bytes.append(value)
        rest.removeFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A response. Content-Length and Connection are the server's business.
package struct SmallResponse: Sendable {
  package var status: Int
  package var fields: [(name: String, value: String)]
  package var body: [UInt8]

  package init(status: Int, fields: [(name: String, value: String)] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  package static func text(_ text: String, status: Int = 200) -> SmallResponse {
    SmallResponse(
      status: status, fields: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
  }

  package static func json(_ body: [UInt8], status: Int = 200) -> SmallResponse {
    SmallResponse(status: status, fields: [("Content-Type", "application/json")], body: body)
  }
}
