// Pages and templates of the operator's, filled with what a request brings: only the words in braces change, and
// nothing of the request becomes a line or a page of its own.

import Bytes
import Configuration
import HTTPWire
import JSON
import Proxy

private let text = """
  listeners: [{ address: 127.0.0.1:0 }]
  limits: { token_cache: 64KiB }
  upstreams: { app: { servers: [10.0.0.1:1] } }
  routes:
  - { path: "/moved/{name}/*", auth: public, redirect: { to: "https://{host}/{name}/x{*}", status: 302 } }
  - { path: "/said/{name}", auth: public, respond: { status: 200, body: said }, response_headers: { set: { X-Name: "a{name}b" } } }
  """

private let snapshot = FuzzGateway.snapshot(text)

@_cdecl("fuzz_error_pages")
func libFuzzErrorPages(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzErrorPages)
}

/// The input is a target and a host, each up to a line feed, and a page.
func fuzzErrorPages(_ input: [UInt8]) throws {
  let parts = input.split(separator: 0x0A, maxSplits: 2, omittingEmptySubsequences: false)
  guard parts.count == 3, let page = String(validating: parts[2], as: UTF8.self) else { return }
  var configuration = try snapshot.get().configuration
  if !page.isEmpty {
    var pages = ErrorPages()
    let type = page.utf8.first == 0x3C ? "text/html" : "text/plain"
    pages.entries = [ErrorPages.Entry(statuses: 400...599, page: Page(body: page, contentType: type))]
    configuration.errorPages = pages
  }
  let gateway = FuzzGateway(Snapshot(configuration, generation: 1))
  let client = gateway.connect(from: "192.0.2.7")
  gateway.send(
    Array("GET /".utf8) + parts[0] + Array(" HTTP/1.1\r\nHost: ".utf8) + parts[1] + Array("\r\n\r\n".utf8), on: client)
  try check(client.received, page)
  try gateway.endAll()
}

private func check(_ bytes: [UInt8], _ page: String) throws {
  if bytes.isEmpty { return }
  var head = ResponseHead()
  guard case .complete(let count) = head.parse(bytes.span, limits: HeadLimits()) else {
    throw Fault("no answer, but \(bytes.span.text())")
  }
  let lines = head.bytes.copied()
  guard case .length(let length) = head.framing(requestMethod: .get), count + Int(length) <= bytes.count
  else {
    return try expect(head.status < 400, "a refusal without a body")
  }
  let body = String(decoding: bytes[count..<(count + Int(length))], as: UTF8.self)
  if head.status >= 400 {
    if page.isEmpty { return try checkProblem(body, head.status) }
    let code = try unwrap(values(of: "x-error-code", lines).first, "a page without a code")
    // The request's id is the one word that is not known here: it is where the page says so.
    let expected = filled(page, ["{code}": code, "{status}": "\(head.status)"])
    try expect(isFilled(body, expected), "the page is \(body)\nand not \(expected)")
    return
  }
  let names = ["location", "x-name"].flatMap { values(of: $0, lines) }
  try expect(names.count == 1, "\(names.count) lines from one template")
  try expect(names[0].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a template brings \(names[0])")
  // A path that is not in its normal form leads to that, and to no other host.
  if head.status == 308 {
    return try expect(names[0].hasPrefix("/") && !names[0].hasPrefix("//"), "it leads to \(names[0])")
  }
  try expect(names[0].hasPrefix(head.status == 200 ? "a" : "https://"), "a template changed: \(names[0])")
}

private func checkProblem(_ body: String, _ status: Int) throws {
  let document = try unwrap(try? JSONDocument(Array(body.utf8)), "a problem that is no JSON: \(body)")
  let told = document.member("status", of: document.root).flatMap { document.integer(at: $0) }
  try expect(told == Int64(status), "a problem with another status: \(body)")
  try expect(document.member("code", of: document.root) != nil, "a problem without a code: \(body)")
}

/// One pass from the left, in which nothing that was filled in is looked at again.
private func filled(_ page: String, _ words: [String: String]) -> [UInt8] {
  var result: [UInt8] = []
  var rest = Array(page.utf8)[...]
  while let byte = rest.first {
    if byte == 0x7B, let (word, value) = words.first(where: { rest.starts(with: $0.key.utf8) }) {
      result += Array(value.utf8)
      rest = rest.dropFirst(word.utf8.count)
    } else {
      result.append(byte)
      rest = rest.dropFirst()
    }
  }
  return result
}

/// Whether the body is the page with anything in the place of the reason and the request's id.
private func isFilled(_ body: String, _ page: [UInt8]) -> Bool {
  var rest = Array(body.utf8)[...]
  var pieces: [ArraySlice<UInt8>] = []
  var start = 0
  var index = 0
  while index < page.count {
    let word = ["{reason}", "{request_id}"].first { page[index...].starts(with: $0.utf8) }
    if let word {
      pieces.append(page[start..<index])
      index += word.utf8.count
      start = index
    } else {
      index += 1
    }
  }
  pieces.append(page[start...])
  for (number, piece) in pieces.enumerated() {
    if number == pieces.count - 1, number > 0 { return rest.count >= piece.count && rest.suffix(piece.count) == piece }
    if number == 0 {
      guard rest.starts(with: piece) else { return false }
      rest = rest.dropFirst(piece.count)
      if pieces.count == 1 { return rest.isEmpty }
      continue
    }
    guard let place = rest.indices.first(where: { rest[$0...].starts(with: piece) }) else { return false }
    rest = rest[place...].dropFirst(piece.count)
  }
  return true
}
