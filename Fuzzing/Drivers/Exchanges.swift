// Whole connections through the data plane: what servers and clients are sent is messages that one reader can read in
// one way only, and what is closed stays closed.

import Bytes
import Configuration
import HTTPWire
import JSON
import Proxy

private let text = """
  listeners: [{ address: 127.0.0.1:0 }]
  limits: { token_cache: 64KiB, header_size: 2KiB, body_size: 4KiB }
  access_log: { format: json }
  upstreams: { app: { servers: [10.0.0.1:1] } }
  issuers: { login: { issuer: i, audiences: [a], jwks: { keys: [{ kty: OKP, crv: Ed25519,
    x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] } } }
  routes:
  - { path: /*, auth: public, upstream: app }
  - { path: /closed/*, auth: login, upstream: app }
  - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
  - { path: /socket, auth: public, upstream: app, websocket: true }
  - { path: "/moved/{name}", auth: public, redirect: { to: "https://{host}/{name}" } }
  """

private let snapshot = FuzzGateway.snapshot(text)

@_cdecl("fuzz_exchanges")
func libFuzzExchanges(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzExchanges)
}

/// The input's pieces, each ended by 0xFF, come from the client and from the server that was connected last, in turns.
func fuzzExchanges(_ input: [UInt8]) throws {
  let gateway = FuzzGateway(try snapshot.get())
  let client = gateway.connect(from: "192.0.2.7")
  var sent: [UInt8] = []
  for (number, piece) in input.split(separator: 0xFF, omittingEmptySubsequences: false).enumerated() {
    if number % 2 == 0 {
      sent += piece
      gateway.send(Array(piece), on: client)
    } else if let server = gateway.servers.last {
      gateway.send(Array(piece), on: server)
    }
  }
  // HTTP/2 has a driver of its own.
  if sent.starts(with: Array("PRI ".utf8)) { return try gateway.endAll() }
  gateway.wait(seconds: 40)
  try checkLog(gateway)
  for server in gateway.servers { try checkRequests(server.received) }
  try checkAnswers(client.received, to: methods(sent))
  try gateway.endAll()
}

/// Each line of the access log is one JSON object.
func checkLog(_ gateway: FuzzGateway) throws {
  for line in gateway.log.split(separator: 0x0A) {
    let text = String(decoding: line, as: UTF8.self)
    let document = try unwrap(try? JSONDocument(Array(line)), "a line of the log is no JSON: \(text)")
    try expect(document.kind(document.root) == .object, "a line of the log is no object: \(text)")
  }
}

/// What a server is sent is requests, one behind the other, none of them for a path that is closed.
private func checkRequests(_ bytes: [UInt8]) throws {
  var rest = bytes
  while !rest.isEmpty {
    var head = RequestHead()
    switch head.parse(rest.span, limits: HeadLimits()) {
    case .incomplete: throw Fault("half a head is sent to a server")
    case .malformed(let error): throw Fault("a server is sent what is refused here: \(error)")
    case .complete(let count):
      let path = decoded(Array(head.bytes.copied()[head.pathAndQueryRange].prefix { $0 != 0x3F }))
      let names = path.split(separator: 0x2F).map { Array($0.prefix { $0 != 0x3B }) }
      try expect(names.count < 2 || names[0] != Array("closed".utf8), "a closed path is open")
      rest.removeFirst(count)
      // What follows is not HTTP.
      if head.asksForUpgrade { return }
      try removeBody(head.framing, from: &rest)
    }
  }
}

/// What a client is sent is answers, as many as it asked for at most.
private func checkAnswers(_ bytes: [UInt8], to methods: [Method]) throws {
  var rest = bytes
  var methods = methods[...]
  while !rest.isEmpty {
    var head = ResponseHead()
    switch head.parse(rest.span, limits: HeadLimits(byteCountMax: 64 * 1024, fieldCountMax: 200)) {
    case .incomplete: throw Fault("half a head is sent to a client")
    case .malformed(let error): throw Fault("a client is sent what is refused here: \(error)")
    case .complete(let count):
      rest.removeFirst(count)
      if head.status == 101 { return }
      if head.is1xx { continue }
      // What is refused need not be a request whose method is known.
      let method = methods.popFirst() ?? .get
      try removeBody(head.framing(requestMethod: method), from: &rest)
    }
  }
}

/// The methods of the requests that a client has sent, up to the first that is none.
private func methods(_ bytes: [UInt8]) -> [Method] {
  var rest = bytes
  var methods: [Method] = []
  while !rest.isEmpty {
    var head = RequestHead()
    guard case .complete(let count) = head.parse(rest.span, limits: HeadLimits()) else { break }
    methods.append(head.method)
    rest.removeFirst(count)
    do { try removeBody(head.framing, from: &rest) } catch { break }
  }
  return methods
}

/// Takes a message's content away, or as much of it as there is.
private func removeBody(_ framing: BodyFraming, from rest: inout [UInt8]) throws {
  switch framing {
  case .none: break
  case .untilClose: rest = []
  case .length(let length): rest.removeFirst(Int(clamping: min(length, UInt64(rest.count))))
  case .chunked:
    var decoder = ChunkedDecoder()
    var trailers = FieldSection()
    var offset = 0
    reading: while true {
      switch decoder.next(rest.span, offset: &offset, trailers: &trailers, limits: HeadLimits()) {
      case .data: continue
      case .end, .needMore: break reading
      case .malformed(let error): throw Fault("chunks that are refused here: \(error)")
      }
    }
    rest.removeFirst(offset)
  }
}
