// What became of a request that nobody sent: the response, what the upstream got, and what the access log says.

import Bytes
package import Configuration
import JSON
package import Proxy

package struct RehearsedOutcome: Sendable {
  package let status: Int
  /// Of the response.
  package let fields: [TestField]
  /// What an upstream got. Nil where none got anything.
  package let upstreamRequest: UpstreamRequest?
  /// What the route's service was asked, which is taken to have let the request pass. Nil where none was.
  package let serviceRequest: UpstreamRequest?
  /// The refusal's code. Nil where nothing was refused.
  package let code: String?
  /// The code with which a rule in shadow would have refused it. Nil where none would.
  package let shadowCode: String?
  /// Both values of a token that was refused. Nil for other refusals, and where there is nothing to compare.
  package let notice: RefusalNotice?
  /// What it came to because nobody has answered this. Nil where all that was asked was answered.
  package let openQuestion: OpenQuestion?
  /// Into the configuration's routes.
  package let routeIndex: Int?
  package let route: String?
  package let upstream: String?
  package let subject: String?
  /// The name of the operation of GraphQL.
  package let operation: String?

  package struct UpstreamRequest: Sendable {
    package let server: String
    /// Path and query.
    package let target: String
    package let fields: [TestField]

    fileprivate init(_ bytes: [UInt8], at server: Address?) {
      let head = MessageHead(bytes)
      self.server = server?.description ?? ""
      target = head.words.count > 1 ? head.words[1] : ""
      fields = head.fields
    }
  }

  init(
    response: [UInt8], upstreamRequest: [UInt8]?, server: Address?, serviceRequest: [UInt8]?, service: Address?,
    log: [UInt8], notice: RefusalNotice?, openQuestion: OpenQuestion?, routeNames: [String]
  ) {
    self.openQuestion = openQuestion
    let head = MessageHead(response)
    status = head.words.count > 1 ? Int(head.words[1]) ?? 0 : 0
    fields = head.fields
    self.upstreamRequest = upstreamRequest.map { UpstreamRequest($0, at: server) }
    self.serviceRequest = serviceRequest.map { UpstreamRequest($0, at: service) }
    // Each line is an object. One request has one.
    let line = try? JSONDocument(Array(log.prefix { $0 != 0x0A }))
    func text(_ name: String) -> String? {
      line.flatMap { line in line.member(name, of: line.root).flatMap { line.string(at: $0) } }
    }
    code = text("reason")
    shadowCode = text("shadow_reason")
    routeIndex = text("route").flatMap { Int($0) }
    route = routeIndex.flatMap { routeNames.indices.contains($0) ? routeNames[$0] : nil }
    upstream = text("upstream")
    subject = text("sub")
    operation = text("graphql_operation")
    self.notice = notice
  }

  /// The values of a field, as one.
  static func value(of name: String, in fields: [TestField]) -> String? {
    let values = fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }
}

/// The head of a message that the gateway has written, and so a well-formed one.
private struct MessageHead {
  let words: [String]
  let fields: [TestField]

  init(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
    words = lines.first.map { $0.split(separator: " ").map(String.init) } ?? []
    fields = lines.dropFirst().prefix { !$0.isEmpty }.map { line in
      let name = line.prefix { $0 != ":" }
      return TestField(name: String(name), value: String(line.dropFirst(name.count + 1).drop { $0 == " " }))
    }
  }
}
