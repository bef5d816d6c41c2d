// Replies of Redis: the same answer for every piece of the input that is long enough, the values that a plain recursive
// reading finds, and never a value outside of its reply.

import Bytes
import Redis

@_cdecl("fuzz_redis_replies")
func libFuzzRedisReplies(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzRedisReplies)
}

func fuzzRedisReplies(_ input: [UInt8]) throws {
  var reader = ReplyReader()
  let whole = reader.read(input.span)
  var pieces = ReplyReader()
  var count = 0
  var last = ReplyProgress.incomplete
  while last == .incomplete, count < input.count {
    count += 1
    last = pieces.read(input.span.extracting(0..<count))
  }
  // A limit may be passed only when more has come.
  if case .complete(let byteCount) = whole {
    try expect(last == whole && count == byteCount, "\(last) behind \(count) bytes, which was \(whole)")
  } else {
    try expect(last == whole, "\(last) in pieces, which was \(whole)")
    return
  }
  let reply = reader.reply(in: input.span)
  let text = try written(reply, reply.root)
  let again = try written(pieces.reply(in: input.span), reply.root)
  try expect(text == again, "\(again) in pieces, which was \(text)")
  var plain = PlainReplyReader(input: input)
  let expected = try plain.value()
  try expect(plain.offset == count && expected == text, "\(text), where a plain reading has \(expected)")
  if let map = SlotMap(reply, asked: "::1") {
    for slot in [0, KeySlot.count / 2, KeySlot.count - 1, KeySlot.count] {
      if let node = map.node(of: slot) { try expect(node.port > 0 && !node.host.isEmpty, "a node without a place") }
    }
  }
  if reply.kind(reply.root) == .error { _ = ReplyError(reply.text(reply.root)) }
}

private func written(_ reply: borrowing Reply, _ index: Reply.Index) throws -> String {
  switch reply.kind(index) {
  case .text, .error, .number, .integer: return "(\(reply.text(index).copied()))"
  case .true: return "t"
  case .false: return "f"
  case .null: return "-"
  case .attribute: throw Fault("an attribute was left in")
  case .list, .map, .push:
    var texts: [String] = []
    var element = reply.first(in: index)
    while let place = element {
      try texts.append(written(reply, place))
      element = reply.next(after: place, in: index)
    }
    return "[\(texts.joined(separator: ","))]"
  }
}

/// The grammar as it is written down, over a reply that is known to be one.
private struct PlainReplyReader {
  let input: [UInt8]
  var offset = 0

  mutating func value() throws -> String {
    let kind = Character(UnicodeScalar(input[offset]))
    let line = line()
    switch kind {
    case "+", "-", ":", ",", "(": return "(\(Array(line)))"
    case "_": return "-"
    case "#": return line.first == UInt8(ascii: "t") ? "t" : "f"
    case "$", "!", "=": return try text(line, leavingOut: kind == "=" ? 4 : 0)
    case "|":
      for _ in 0..<(2 * (try number(line))) { _ = try value() }
      return try value()
    default:
      let count = try number(line)
      if count < 0 { return "-" }
      return "[\(try (0..<(kind == "%" ? 2 * count : count)).map { _ in try value() }.joined(separator: ","))]"
    }
  }

  private mutating func line() -> ArraySlice<UInt8> {
    let start = offset + 1
    let end = input[start...].firstIndex(of: 13) ?? input.count
    offset = end + 2
    return input[start..<end]
  }

  private func number(_ line: ArraySlice<UInt8>) throws -> Int {
    try unwrap(Int(String(decoding: line, as: UTF8.self)), "a length that is none")
  }

  private mutating func text(_ line: ArraySlice<UInt8>, leavingOut count: Int) throws -> String {
    let length = try number(line)
    if length < 0 { return "-" }
    let start = offset
    offset += length + 2
    return "(\(Array(input[start + count..<start + length])))"
  }
}
