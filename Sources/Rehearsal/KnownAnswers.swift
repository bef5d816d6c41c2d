// What others have said about the credential of one request: issuers that were asked whose a token is, and lists of
// sessions. A rehearsal asks nobody. Who has it explained asks for it, and goes through it again with the answer.

import Bytes
import Configuration
import JSON
import Proxy
package import Tokens

/// What a request waits for that has no answer yet.
package enum OpenQuestion: Sendable, Hashable {
  /// An issuer is asked whose the token is, or whether it still counts.
  case token(issuer: Int, [UInt8])
  /// A list of sessions is asked whose the cookie with this digest is.
  case session(Int, digest: [UInt8])

  var source: Question.Source {
    switch self {
    case .token(let issuer, _): .introspection(issuer: issuer)
    case .session(let index, _): .session(index)
    }
  }
}

/// The answers to the questions of one request.
package struct KnownAnswers: Sendable {
  private struct Entry {
    let source: Question.Source
    let answer: Answer
    let origin: String
  }

  private var entries: [Entry] = []

  /// LIMIT: more than any request asks.
  static let countMax = 8

  package init() {}

  /// - Parameter origin: where the answer comes from, in words.
  package mutating func add(_ answer: Answer, to question: OpenQuestion, origin: String) {
    entries.append(Entry(source: question.source, answer: answer, origin: origin))
  }

  func answer(of source: Question.Source) -> Answer? { entries.first { $0.source == source }?.answer }

  /// As an issuer would have sent it. Nil where there is none, or the issuer has not answered.
  func message(ofIssuer index: Int) -> [UInt8]? {
    let body: [UInt8]
    switch answer(of: .introspection(issuer: index)) {
    case .statement(let statement): body = statement.claims.bytes
    case .refused(.tokenInactive): body = Array("{\"active\":false}".utf8)
    default: return nil
    }
    return Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
  }

  /// Who said what.
  func words(in configuration: GatewayConfiguration) -> [(source: String, words: String)] {
    entries.map { entry in
      let name: String
      switch entry.source {
      case .introspection(let index): name = "issuer \(configuration.issuers[index].name)"
      case .session(let index): name = "session \(configuration.sessions[index].name)"
      case .keySet, .statusList, .apiKey: name = ""
      }
      return (name, "\(Self.words(entry.answer)), \(entry.origin)")
    }
  }

  private static func words(_ answer: Answer) -> String {
    switch answer {
    case .statement(let statement): "active" + subject(statement.claims)
    case .session(let session):
      "found" + ((try? JSONDocument(session.claims)).map(subject) ?? "") + ", of issuer \(session.issuer)"
    case .refused(.tokenInactive): "not active"
    case .refused(.sessionExpired): "not found"
    case .refused, .keys, .statusList, .apiKey, .renewed: "no answer"
    }
  }

  private static func subject(_ claims: JSONDocument) -> String {
    guard let node = claims.member("sub".utf8.span, of: claims.root), let text = claims.string(at: node) else {
      return ""
    }
    return ", sub \(text)"
  }
}

extension [UInt8] {
  /// The token that a question of RFC 7662 is about. Nil where not all of it is there.
  var askedToken: [UInt8]? {
    let text = String(decoding: self, as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n")?.upperBound else { return nil }
    let form = text[end...]
    guard form.hasPrefix("token="), let mark = form.firstIndex(of: "&") else { return nil }
    var bytes: [UInt8] = []
    var rest = Array(form[..<mark].utf8.dropFirst("token=".utf8.count))[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2 {
        bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}
