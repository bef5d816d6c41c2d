// Replies as text, for expectations: numbers as they are, texts in quotes, lists in brackets, maps in braces.

import Bytes

@testable import Redis

/// Reads bytes whole.
func reading(_ text: String, limits: ReplyLimits = ReplyLimits()) -> String {
  var reader = ReplyReader(limits: limits)
  let bytes = Array(text.utf8)
  switch reader.read(bytes.span) {
  case .incomplete: return "incomplete"
  case .malformed: return "malformed"
  case .tooLarge: return "too large"
  case .complete(let byteCount):
    let rest = byteCount < bytes.count ? " and \(bytes.count - byteCount) bytes" : ""
    return written(reader.reply(in: bytes.span), 0) + rest
  }
}

func written(_ reply: borrowing Reply, _ index: Reply.Index) -> String {
  switch reply.kind(index) {
  case .text: "\"\(reply.text(index).text())\""
  case .error: "error(\(reply.text(index).text()))"
  case .integer: reply.integer(index).map { "\($0)" } ?? "no integer"
  case .number: reply.text(index).text()
  case .true: "true"
  case .false: "false"
  case .null: "null"
  case .list: "[\(elements(of: reply, index))]"
  case .map: "{\(elements(of: reply, index))}"
  case .push: "push[\(elements(of: reply, index))]"
  case .attribute: "attribute"
  }
}

private func elements(of reply: borrowing Reply, _ list: Reply.Index) -> String {
  var texts: [String] = []
  var element = reply.first(in: list)
  while let place = element {
    texts.append(written(reply, place))
    element = reply.next(after: place, in: list)
  }
  return texts.joined(separator: ", ")
}

/// What `read` makes of a reply that has to be complete.
func with<Value>(_ text: String, _ read: (borrowing Reply) throws -> Value) throws -> Value? {
  var reader = ReplyReader()
  let bytes = Array(text.utf8)
  guard case .complete = reader.read(bytes.span) else { return nil }
  return try read(reader.reply(in: bytes.span))
}

/// A bulk string.
func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

/// A list of what is written already.
func list(_ elements: String...) -> String { "*\(elements.count)\r\n" + elements.joined() }
