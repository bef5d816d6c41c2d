// What a server can make long.

private func answering(_ make: @escaping (Int) -> [UInt8]) -> (Int) throws -> () throws -> String {
  { size in
    let plane = try Plane(
      "routes: [{ path: /*, auth: public, upstream: app, compress: true, response_headers: { remove: [X-Gone] } }]")
    let bytes = make(size)
    return { plane.exchange(get(["Accept-Encoding: gzip"]), bytes) }
  }
}

private func whole(_ lines: [String]) -> [UInt8] {
  head("HTTP/1.1 200 OK", lines + ["Content-Type: text/plain", "Content-Length: 2"]) + Array("ok".utf8)
}

private let fields = [
  "Vary", "Cache-Control", "Set-Cookie", "Via", "Link", "X-Gone", "Accept-Ranges", "Content-Language",
]

var answerCases: [WorkCase] {
  fields.map { name in
    WorkCase(
      "an answer's \(name) with many elements", from: 400,
      answering { size in
        whole(["\(name): " + (0..<size).map { "x\($0)" }.joined(separator: ", ")])
      })
  }
    + fields.map { name in
      WorkCase("an answer's many lines of \(name)", answering { size in whole((0..<size).map { "\(name): x\($0)" }) })
    }
    + [
      WorkCase(
        "an answer's Connection and what it names", from: 8,
        answering { size in
          whole(
            ["Connection: " + (0..<size).map { "X-\($0)" }.joined(separator: ",")] + (0..<size).map { "X-\($0): 1" })
        }),
      WorkCase(
        "interim answers",
        answering { size in
          Array(repeating: head("HTTP/1.1 103 Early Hints", ["Link: </a>"]), count: size).flatMap { $0 } + whole([])
        }),
      WorkCase(
        "an answer in chunks of a byte",
        answering { size in
          let body = Array((String(repeating: "1;a=b\r\na\r\n", count: size) + "0\r\n\r\n").utf8)
          return head("HTTP/1.1 200 OK", ["Content-Type: text/plain", "Transfer-Encoding: chunked"]) + body
        }),
      WorkCase(
        "an answer's trailers",
        answering { size in
          let lines = (0..<size).map { "X-\($0): 1\r\n" }.joined()
          return head("HTTP/1.1 200 OK", ["Transfer-Encoding: chunked"]) + Array("1\r\na\r\n0\r\n\(lines)\r\n".utf8)
        }),
    ]
}
