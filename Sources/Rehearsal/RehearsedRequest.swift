// A request that nobody sends.

package import Configuration
import Proxy

package struct RehearsedRequest: Sendable {
  package var url: TestRequest
  /// Beside Host.
  package var fields: [TestField]
  /// The client's address.
  package var client: String
  /// Empty where there is none.
  package var body: String
  /// Of its cookie. Nil where no store has one.
  var session: RehearsedSession?
  /// Nil where the client shows none.
  var certificate: ClientCertificateFacts?

  package init(_ url: TestRequest, fields: [TestField] = [], client: String = "192.0.2.1", body: String = "") {
    self.url = url
    self.fields = fields
    self.client = client
    self.body = body
  }

  /// Whether it may be ``client``.
  package static func isAddress(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return PeerAddress(bytes.span) != nil
  }

  /// As HTTP/1.1 has it. Nothing in it has line breaks, which the reader of each part has seen to.
  var bytes: [UInt8] {
    let host = fields.contains { $0.name.lowercased() == "host" } ? "" : "Host: \(url.authority)\r\n"
    let lines = fields.map { "\($0.name): \($0.value)\r\n" }.joined()
    let head = "\(url.method) \(url.target) HTTP/1.1\r\n\(host)\(lines)"
    if body.isEmpty { return Array("\(head)\r\n".utf8) }
    let isTyped = fields.contains { $0.name.lowercased() == "content-type" }
    let type = isTyped ? "" : "Content-Type: application/json\r\n"
    return Array("\(head)\(type)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
  }
}
