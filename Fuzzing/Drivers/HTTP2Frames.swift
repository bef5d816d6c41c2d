// Frames and header blocks of HTTP/2, through the session that the gateway uses, at both of its ends.

import Bytes
import HTTP2
import HTTPWire

@_cdecl("fuzz_http2_frames")
func libFuzzHTTP2Frames(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzHTTP2Frames)
}

/// The input's first byte says which end it is for, and whether the connection's beginning has passed.
func fuzzHTTP2Frames(_ input: [UInt8]) throws {
  guard let first = input.first else { return }
  let role: SessionRole = first & 1 == 0 ? .server : .client
  var frames = Array(input.dropFirst())
  if first & 2 == 0 { frames = (role == .server ? preface : []) + [0, 0, 0, 4, 0, 0, 0, 0, 0] + frames }
  let whole = try FramesReader(role)
  try whole.receive(frames, step: max(frames.count, 1))
  let pieced = try FramesReader(role)
  try pieced.receive(frames, step: 1 + frames.count / 200)
  try whole.finish()
  try pieced.finish()
  try expect(whole.outcome == pieced.outcome, "in pieces: \(pieced.outcome)\nas a whole: \(whole.outcome)")
  try expect(whole.sent == pieced.sent, "other frames are sent when they come in pieces")
  let answering = try FramesReader(role)
  answering.answers = true
  try answering.receive(frames, step: 64)
  try answering.finish()
}

private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

/// One end that takes what comes, and keeps the books of it.
private final class FramesReader {
  private enum Stage { case head, content, ended, closed }

  /// What happened, in order. Content in pieces of any size is one.
  private var seen: [String] = []
  private(set) var sent: [UInt8] = []
  /// What happened, without the content of streams that were cut off, which may be dropped before it is passed on or
  /// after.
  var outcome: [String] {
    seen.filter { !resetStreams.contains($0) && (session.failure == nil || !$0.hasPrefix("content of")) }
  }
  private var resetStreams: Set<String> = []
  /// Whether requests are answered, and frames sent, while others come.
  var answers = false
  private let session: HTTP2Session
  private let role: SessionRole
  private var stages: [Int32: Stage] = [:]
  private var contents: [Int32: UInt64] = [:]
  private var list = HeaderList()
  private var request = RequestHead()
  private var response = ResponseHead()
  private var trailers = FieldSection()
  private var output = ByteQueue()
  private static let streamCountMax = 5

  init(_ role: SessionRole) throws {
    var settings = SessionSettings()
    settings.concurrentStreamCountMax = Self.streamCountMax
    settings.headLimits = HeadLimits(byteCountMax: 2048, fieldCountMax: 24)
    settings.streamWindow = 4096
    session = try unwrap(HTTP2Session(role: role, settings: settings, at: 1), "no session")
    self.role = role
    if role == .client {
      for line in ["GET / HTTP/1.1", "POST /a HTTP/1.1"] {
        guard list.setRequest(head: Array("\(line)\r\nHost: h\r\n\r\n".utf8).span, scheme: "http") else { continue }
        if let stream = session.submitRequest(&list, isEnd: line.hasPrefix("GET")) { stages[stream.id] = .head }
      }
    }
    try produce()
  }

  func receive(_ bytes: [UInt8], step: Int) throws {
    var start = 0
    while start < bytes.count {
      let piece = Array(bytes[start..<min(bytes.count, start + step)])
      var offset = 0
      while let event = session.receive(piece.span, offset: &offset, at: 1) {
        try note(event, piece)
      }
      try expect(offset == piece.count, "bytes are left")
      try expect(session.openStreamCount <= Self.streamCountMax, "\(session.openStreamCount) streams are open")
      if answers { try produce() }
      start += piece.count
    }
  }

  func finish() throws {
    session.shutDown()
    try produce()
    session.releaseStorage()
    try expect(sent.count < 1 << 20, "\(sent.count) bytes are sent")
    try checkFrames()
  }

  private func produce() throws {
    for _ in 0..<64 {
      session.produce(into: &output, upTo: 4096)
      while let event = session.nextEvent() { try note(event, []) }
      if output.isEmpty { break }
      sent += output.copied()
      output.removeAll()
    }
  }

  private func note(_ event: SessionEvent, _ piece: [UInt8]) throws {
    switch event {
    case .requestHead(let stream, let isEnd):
      try expect(role == .server && stages[stream.id] == nil, "a second request on stream \(stream.id)")
      stages[stream.id] = .content
      session.takeRequestHead(into: &request)
      try check(request)
      try checkAsHTTP1(request, isEnd: isEnd)
      seen.append("request \(stream.id) \(request.bytes.text()) \(isEnd)")
      if answers { answer(stream) }
    case .headRefused(let stream, let error):
      try expect(stages[stream.id] != .closed, "a head on a stream that is over")
      stages[stream.id] = .ended
      seen.append("refused \(stream.id) \(error)")
      if answers {
        if role == .server { answer(stream) } else { session.reset(stream, code: ErrorCode.protocolError) }
      }
    case .responseHead(let stream, let isEnd):
      try expect(stages[stream.id] == .head, "a second answer on stream \(stream.id)")
      stages[stream.id] = .content
      try takeResponse()
      seen.append("response \(stream.id) \(response.status) \(response.bytes.text()) \(isEnd)")
    case .interimHead(let stream):
      try expect(stages[stream.id] == .head, "an interim answer behind the answer")
      try takeResponse()
      try expect(response.is1xx, "an interim answer that is none")
      seen.append("interim \(stream.id) \(response.status)")
    case .data(let stream, let range):
      try expect(stages[stream.id] == .content, "content out of order")
      try expect(!range.isEmpty && range.upperBound <= piece.count, "content out of bounds")
      session.consumed(stream, range.count)
      note(content: Array(piece[range]), of: stream.id)
    case .trailers(let stream):
      try expect(stages[stream.id] == .content, "trailers out of order")
      session.takeTrailers(into: &trailers)
      try checkFields(trailers.fields, trailers.bytes.copied())
      for field in trailers.fields { try expect(!field.known.isFramingOrRouting, "a trailer that frames") }
      seen.append("trailers \(stream.id) \(trailers.bytes.text())")
    case .end(let stream):
      try expect(stages[stream.id] == .content, "an end out of order")
      stages[stream.id] = .ended
      seen.append("end \(stream.id)")
    case .closed(let stream, let code, let isSafe):
      try expect(stages[stream.id] != nil && stages[stream.id] != .closed, "a stream is closed twice")
      stages[stream.id] = .closed
      if code != ErrorCode.noError { resetStreams.insert("content of \(stream.id)") }
      seen.append("closed \(stream.id) \(code) \(isSafe)")
    case .drained, .settingsChanged, .shutdownHeard: break
    case .goAway(let last, let code): seen.append("go away \(last) \(code)")
    case .failed(let reason): seen.append("failed \(reason)")
    }
  }

  private func note(content: [UInt8], of stream: Int32) {
    let isFirst = contents[stream] == nil
    // A sum over the bytes and their places: content in pieces of any size comes to the same.
    contents[stream, default: 7] = content.reduce(contents[stream] ?? 7) { $0 &* 31 &+ UInt64($1) }
    if isFirst { seen.append("content of \(stream)") }
  }

  private func takeResponse() throws {
    session.takeResponseHead(into: &response)
    try checkFields(response.fields, response.bytes.copied())
    try expect((100...599).contains(response.status), "status \(response.status)")
  }

  /// A head is one that HTTP/1 could have carried: nothing gets in by way of HTTP/2 that would be refused there.
  private func checkAsHTTP1(_ head: borrowing RequestHead, isEnd: Bool) throws {
    if head.method == .connect {
      return try expect(head.connectProtocol != nil, "a CONNECT to anywhere")
    }
    let text = head.bytes.copied()
    let line = Array(text[..<head.targetRange.upperBound]) + Array(" HTTP/1.1\r\n".utf8)
    let rest = text[(head.targetRange.upperBound + Array(" HTTP/2\r\n".utf8).count)...]
    var plain = RequestHead()
    let bytes = line + rest
    let progress = plain.parse(bytes.span, limits: HeadLimits())
    try expect(progress == .complete(byteCount: bytes.count), "HTTP/1 would say \(progress)")
    try expect(plain.fields.count == head.fields.count, "HTTP/1 would see other fields")
    if case .length(let length) = head.framing {
      try expect(plain.framing == .length(length) && !(isEnd && length > 0), "a length that is not said")
    }
  }

  private func answer(_ stream: StreamID) {
    switch stream.id / 2 % 4 {
    case 0:
      list.setStatus(200)
      session.submitResponse(&list, on: stream, isEnd: true)
    case 1:
      list.setStatus(103)
      session.submitInterim(&list, on: stream)
      list.setStatus(200)
      session.submitResponse(&list, on: stream, isEnd: false)
      session.append([UInt8](repeating: 0x61, count: 9000).span, to: stream)
      session.finish(stream, trailers: Array("a: b\r\n".utf8).span)
    case 2: session.reset(stream, code: ErrorCode.cancel)
    default: session.announceShutdown()
    }
  }

  /// What is sent is whole frames.
  private func checkFrames() throws {
    var place = 0
    if role == .client, sent.starts(with: preface) { place = preface.count }
    while place < sent.count {
      try expect(place + 9 <= sent.count, "half a frame's header is sent")
      let count = Int(sent[place]) << 16 | Int(sent[place + 1]) << 8 | Int(sent[place + 2])
      try expect(count <= 16_384 && place + 9 + count <= sent.count, "half a frame is sent")
      place += 9 + count
    }
  }
}
