// HTTP/1.1 messages as they was on the wire, read strictly: what RFC 9112 does not allow is a failure, so that whatever
// a test reads was framed right.

/// One field line.
package struct RawField: Sendable, Equatable, CustomStringConvertible {
  package var name: String
  package var value: String
  package var description: String { "\(name): \(value)" }

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// A start line and its fields.
package struct RawHead: Sendable {
  package var startLine: String
  package var fields: [RawField]
  /// As received, with the empty line.
  package var bytes: [UInt8]

  /// The values of a field in any case, in order.
  package func values(of name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  /// The value of a field that appears once. Nil when it is absent or appears several times.
  package subscript(name: String) -> String? {
    let values = values(of: name)
    return values.count == 1 ? values[0] : nil
  }

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    let text = latin1(bytes)
    guard text.unicodeScalars.suffix(4).elementsEqual("\r\n\r\n".unicodeScalars) else {
      throw StreamFailure.malformed("head without its end: \(text.debugDescription)")
    }
    var lines = Self.lines(text)
    startLine = lines.removeFirst()
    fields = try lines.filter { !$0.isEmpty }.map(Self.field)
  }

  /// Splits at CRLF. A lone CR or LF stays in its line, where ``field(_:)`` finds it.
  private static func lines(_ text: String) -> [String] {
    text.unicodeScalars.split(separator: "\r\n".unicodeScalars).map { String(String.UnicodeScalarView($0)) }
  }

  static func field(_ line: String) throws -> RawField {
    let scalars = line.unicodeScalars
    guard let colon = scalars.firstIndex(of: ":"), colon != scalars.startIndex else {
      throw StreamFailure.malformed("no field line: \(line.debugDescription)")
    }
    let name = String(scalars[..<colon])
    let isToken = name.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || "-_.!#$%&'*+^`|~0123456789".unicodeScalars.contains(scalar))
    }
    var value = scalars[scalars.index(after: colon)...]
    while value.first == " " || value.first == "\t" { value = value.dropFirst() }
    while value.last == " " || value.last == "\t" { value = value.dropLast() }
    let isClean = value.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\t" }
    guard isToken, isClean else { throw StreamFailure.malformed("bad field line: \(line.debugDescription)") }
    return RawField(name: name, value: String(value))
  }

  /// The framing that the fields name. Nil when they name none.
  func framing() throws -> RawFraming? {
    let codings = values(of: "Transfer-Encoding")
    let lengths = values(of: "Content-Length")
    if !codings.isEmpty {
      guard codings == ["chunked"], lengths.isEmpty else {
        throw StreamFailure.malformed("ambiguous framing: \(codings) and \(lengths)")
      }
      return .chunked
    }
    if lengths.isEmpty { return nil }
    guard lengths.count == 1, lengths[0].allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(lengths[0]) else {
      throw StreamFailure.malformed("bad Content-Length: \(lengths)")
    }
    return .length(count)
  }
}

package enum RawFraming: Sendable, Equatable {
  case length(Int)
  case chunked
  case untilClose
}

/// A whole response.
package struct RawResponse: Sendable {
  package var status: Int
  package var head: RawHead
  package var body: [UInt8] = []
  package var trailers: [RawField] = []
  /// The 1xx responses that came before it.
  package var interim: [RawHead] = []
  package var framing: RawFraming?

  package var text: String { latin1(body) }
  package subscript(name: String) -> String? { head[name] }
  package func values(of name: String) -> [String] { head.values(of: name) }

  /// The `code` of a problem document that the gateway made. Nil for any other response.
  package var code: String? {
    guard head["Content-Type"] == "application/problem+json", let mark = text.firstRange(of: "\"code\":\"") else {
      return nil
    }
    return String(text[mark.upperBound...].prefix { $0 != "\"" })
  }
}

/// A whole request as an upstream got it.
package struct RawRequest: Sendable {
  package var method: String
  package var target: String
  package var version: String
  package var head: RawHead
  package var body: [UInt8] = []
  package var trailers: [RawField] = []
  package var framing: RawFraming?

  package var text: String { latin1(body) }
  package subscript(name: String) -> String? { head[name] }
  package func values(of name: String) -> [String] { head.values(of: name) }

  init(_ head: RawHead) throws {
    let parts = head.startLine.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
    guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
      throw StreamFailure.malformed("bad request line: \(head.startLine.debugDescription)")
    }
    method = parts[0]
    target = parts[1]
    version = parts[2]
    self.head = head
  }
}

extension ByteStream {
  /// A head, with the empty line behind it.
  package func receiveHead() async throws -> RawHead { try RawHead(try await receive(through: "\r\n\r\n")) }

  /// The next line without its CRLF.
  package func receiveLine() async throws -> String {
    let line = latin1(try await receive(through: "\r\n").dropLast(2))
    if line.unicodeScalars.contains("\n") { throw StreamFailure.malformed("bare LF in \(line.debugDescription)") }
    return line
  }

  /// One chunk's data. Empty for the last one, whose trailers are left to ``receiveTrailers()``.
  package func receiveChunk() async throws -> [UInt8] {
    let line = try await receiveLine()
    guard let count = Int(line, radix: 16), line.first != "+", line.first != "-" else {
      throw StreamFailure.malformed("bad chunk size: \(line.debugDescription)")
    }
    if count == 0 { return [] }
    let data = try await receive(count)
    guard try await receive(2) == [0x0D, 0x0A] else { throw StreamFailure.malformed("chunk without CRLF") }
    return data
  }

  package func receiveTrailers() async throws -> [RawField] {
    var trailers: [RawField] = []
    while true {
      let line = try await receiveLine()
      if line.isEmpty { return trailers }
      trailers.append(try RawHead.field(line))
    }
  }

  func receiveBody(_ framing: RawFraming?) async throws -> (body: [UInt8], trailers: [RawField]) {
    switch framing {
    case nil: return ([], [])
    case .length(let count): return (count == 0 ? [] : try await receive(count), [])
    case .untilClose: return (try await receiveToEnd(), [])
    case .chunked:
      var body: [UInt8] = []
      while true {
        let chunk = try await receiveChunk()
        if chunk.isEmpty { return (body, try await receiveTrailers()) }
        body += chunk
      }
    }
  }

  /// A response's head, 1xx ones before it collected. Its body is left.
  package func receiveResponseHead(to method: String = "GET") async throws -> RawResponse {
    var interim: [RawHead] = []
    while true {
      let head = try await receiveHead()
      let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0] == "HTTP/1.1", parts[1].utf8.count == 3, let status = Int(parts[1]), status > 99
      else { throw StreamFailure.malformed("bad status line: \(head.startLine.debugDescription)") }
      if status < 200, status != 101 {
        interim.append(head)
        continue
      }
      var response = RawResponse(status: status, head: head, interim: interim)
      let named = try head.framing()
      if method != "HEAD", status != 204, status != 304, status != 101 { response.framing = named ?? .untilClose }
      return response
    }
  }

  /// A whole response. One that ends with the connection must say `Connection: close`.
  package func receiveResponse(to method: String = "GET") async throws -> RawResponse {
    var response = try await receiveResponseHead(to: method)
    if response.framing == .untilClose, response.head["Connection"] != "close" {
      throw StreamFailure.malformed("no framing and no close: \(latin1(response.head.bytes).debugDescription)")
    }
    (response.body, response.trailers) = try await receiveBody(response.framing)
    return response
  }

  package func receiveRequestHead() async throws -> RawRequest {
    var request = try RawRequest(try await receiveHead())
    request.framing = try request.head.framing()
    return request
  }

  package func receiveRequest() async throws -> RawRequest {
    var request = try await receiveRequestHead()
    (request.body, request.trailers) = try await receiveBody(request.framing)
    return request
  }
}
