// Requests and responses of the bench as text, and ways to look at them.

/// Lines joined by CRLF, an empty line behind them.
func head(_ lines: String...) -> String { lines.map { $0 + "\r\n" }.joined() + "\r\n" }

/// A GET with further field lines.
func get(_ path: String = "/", _ lines: String...) -> String {
  (["GET \(path) HTTP/1.1", "Host: h"] + lines).map { $0 + "\r\n" }.joined() + "\r\n"
}

/// A 200 with a Content-Length and this body.
func ok(_ body: String = "ok", _ lines: String...) -> String {
  (["HTTP/1.1 200 OK", "Content-Length: \(body.utf8.count)"] + lines).map { $0 + "\r\n" }.joined() + "\r\n" + body
}

/// The values of a field in a message's head, in order.
func values(_ name: String, in message: String) -> [String] {
  lines(of: message).dropFirst().compactMap { line in
    guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else { return nil }
    return line[line.index(after: colon)...].drop { $0 == " " }.description
  }
}

/// The lines of a message's head.
func lines(of message: String) -> [String] {
  let bytes = Array(message.utf8)
  var result: [String] = []
  var start = 0
  while let end = bytes[start...].firstIndex(of: 0x0A) {
    let line = String(decoding: bytes[start..<end].filter { $0 != 0x0D }, as: UTF8.self)
    if line.isEmpty { break }
    result.append(line)
    start = end + 1
  }
  return result
}

/// What follows the head.
func body(of message: String) -> String {
  let bytes = Array(message.utf8)
  for index in bytes.indices.dropLast(3) where Array(bytes[index..<index + 4]) == [13, 10, 13, 10] {
    return String(decoding: bytes[(index + 4)...], as: UTF8.self)
  }
  return ""
}

/// The status of the first response in the text.
func status(_ message: String) -> Int { Int(message.dropFirst(9).prefix(3)) ?? 0 }

/// The `code` of a refusal's body.
func code(_ message: String) -> String {
  let marker = "\"code\":\""
  let bytes = Array(message.utf8)
  let wanted = Array(marker.utf8)
  guard bytes.count > wanted.count else { return "" }
  for index in 0..<(bytes.count - wanted.count) where Array(bytes[index..<index + wanted.count]) == wanted {
    return String(decoding: bytes[(index + wanted.count)...].prefix { $0 != 0x22 }, as: UTF8.self)
  }
  return ""
}
