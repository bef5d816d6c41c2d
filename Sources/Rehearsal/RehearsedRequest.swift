// A request that nobody sends.

package import Configuration
import Proxy

package struct RehearsedRequest: Sendable {
  package var url: TestRequest
  /// Beside Host.
  package var fields: [TestField]
  /// The client's address.
  package var client: String

  package init(_ url: TestRequest, fields: [TestField] = [], client: String = "192.0.2.1") {
    self.url = url
    self.fields = fields
    self.client = client
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
    return Array("\(url.method) \(url.target) HTTP/1.1\r\n\(host)\(lines)\r\n".utf8)
  }
}
