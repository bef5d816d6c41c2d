// The operator's pages instead of problem documents. A page says nothing but its own text and the refusal's
// stable code, status and request id, which are plain (letters, digits and a few marks that need no quoting in HTML or
// JSON).

import Bytes
import Configuration
import HTTPWire

/// A page, cut at its variables.
struct ErrorPage: Sendable {
  private enum Piece: Sendable {
    case text([UInt8])
    case code, status, reason, requestID
  }

  private let pieces: [Piece]
  let typeLine: String
  let isJSON: Bool

  init(_ page: Page) {
    typeLine = "Content-Type: \(page.contentType)\r\n"
    let type = page.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
    isJSON = type == "application/json" || type.hasSuffix("+json")
    var pieces: [Piece] = []
    var text: [UInt8] = []
    var rest = Substring(page.body)
    let variables: [(name: String, piece: Piece)] = [
      ("{code}", .code), ("{status}", .status), ("{reason}", .reason), ("{request_id}", .requestID),
    ]
    while let first = rest.first {
      if first == "{", let variable = variables.first(where: { rest.hasPrefix($0.name) }) {
        pieces.append(.text(text))
        text = []
        pieces.append(variable.piece)
        rest = rest.dropFirst(variable.name.count)
      } else {
        // Up to the next brace in one step.
        let run = rest.dropFirst().prefix { $0 != "{" }
        text += Array(rest[rest.startIndex..<run.endIndex].utf8)
        rest = rest[run.endIndex...]
      }
    }
    pieces.append(.text(text))
    self.pieces = pieces
  }

  func body(status: Int, code: String, requestID: String) -> [UInt8] {
    pieces.flatMap { piece in
      switch piece {
      case .text(let text): text
      case .code: Array(code.utf8)
      case .status: Array("\(status)".utf8)
      case .reason: Array(reasonPhrase(of: status).utf8)
      case .requestID: Array(requestID.utf8)
      }
    }
  }
}

/// The pages of a route, or of the whole file.
struct ErrorPageTable: Sendable {
  private let entries: [(statuses: ClosedRange<Int>, page: ErrorPage)]

  init(_ pages: ErrorPages) {
    entries = pages.entries.sorted { $0.statuses.count < $1.statuses.count }.map { ($0.statuses, ErrorPage($0.page)) }
  }

  func page(for status: Int) -> ErrorPage? { entries.first { $0.statuses.contains(status) }?.page }
}

extension ErrorPage {
  /// The page that answers a refusal. Nil for the problem document.
  static func page(
    for refusal: Refusal, as status: Int, of head: borrowing RequestHead, _ route: CompiledRoute?,
    _ snapshot: Snapshot
  ) -> ErrorPage? {
    var page = refusal == .gateway(.maintenance) ? route?.maintenance?.page : nil
    if page == nil { page = route?.errorPages.page(for: status) ?? snapshot.errorPages.page(for: status) }
    guard let page, page.isJSON || !head.prefersJSON else { return nil }
    return page
  }
}

extension RequestHead {
  /// Whether the client names a JSON type and does not name HTML: a program, which can do more with a problem document
  /// than with a page for people. A bare `*/*` is served the page.
  fileprivate var prefersJSON: Bool {
    if accepts({ $0.equalsIgnoringCase("text/html") }) { return false }
    return accepts { type in
      type.equalsIgnoringCase("application/json")
        || type.count > 5 && type.extracting(type.count - 5..<type.count).equalsIgnoringCase("+json")
    }
  }
}

extension RequestHead {
  /// Whether Accept (RFC 9110 §12.5.1) names a type, or a range of types, that fits. False without the field.
  func accepts(_ fits: (Span<UInt8>) -> Bool) -> Bool {
    if count(of: .accept) == 0 { return false }
    let bytes = bytes.span
    for index in fields.indices where fields[index].known == .accept {
      var elements = ListElements(fields[index].value)
      while let element = elements.next(in: bytes) {
        if fits(bytes.extracting(mediaType(in: bytes, element))) { return true }
      }
    }
    return false
  }
}

/// A media type (RFC 9110 §8.3.1) or media range without its parameters.
func mediaType(in bytes: Span<UInt8>, _ value: Range<Int>) -> Range<Int> {
  var end = value.lowerBound
  while end < value.upperBound, bytes[end] != 0x3B, bytes[end] != 0x20, bytes[end] != 0x09 { end += 1 }
  return value.lowerBound..<end
}
