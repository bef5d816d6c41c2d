// A client or server of the bench that speaks HTTP/2: a session of its own at the far end of a fake socket.

import Bytes
import HTTP2
import HTTPWire
import Testing

@testable import Proxy

final class GRPCPeer {
  /// What came on one stream.
  struct Stream {
    /// `name: value` lines. A request's begin with its request line, a response's with its status.
    var head: [String] = []
    var isHeadLast = false
    var content: [UInt8] = []
    var trailers: [String] = []
    var isEnded = false
    /// The code of the reset, or of a close that was none.
    var closed: UInt32?
  }

  private(set) var streams: [Int32: Stream] = [:]
  private(set) var failure: FailureReason?
  private let socket: FakeSocket
  private let bench: Bench
  private let session: HTTP2Session
  private var ids: [Int32: StreamID] = [:]
  private var list = HeaderList()
  private var readCount = 0

  init(_ role: SessionRole, _ socket: FakeSocket, _ bench: Bench) throws {
    self.socket = socket
    self.bench = bench
    session = try #require(HTTP2Session(role: role, settings: SessionSettings(), at: bench.now.nanoseconds))
    exchange()
  }

  /// Sends what there is and takes what came, until both are quiet.
  func exchange() {
    while true {
      var output = ByteQueue()
      session.produce(into: &output, upTo: 64 * 1024)
      while let event = session.nextEvent() { note(event, []) }
      let bytes = Array(socket.bytes.dropFirst(readCount))
      if output.isEmpty, bytes.isEmpty { return }
      readCount += bytes.count
      var offset = 0
      while let event = session.receive(bytes.span, offset: &offset, at: bench.now.nanoseconds) { note(event, bytes) }
      socket.send(output.copied())
    }
  }

  private func note(_ event: SessionEvent, _ bytes: [UInt8]) {
    switch event {
    case .requestHead(let stream, let isEnd):
      var head = RequestHead()
      session.takeRequestHead(into: &head)
      let line = String(decoding: head.bytes.copied()[..<head.targetRange.upperBound], as: UTF8.self)
      begin(stream, [line] + texts(head.fields, head.bytes.copied()), isEnd)
    case .responseHead(let stream, let isEnd):
      var head = ResponseHead()
      session.takeResponseHead(into: &head)
      begin(stream, ["\(head.status)"] + texts(head.fields, head.bytes.copied()), isEnd)
    case .data(let stream, let range):
      streams[stream.id]?.content += bytes[range]
      session.consumed(stream, range.count)
    case .trailers(let stream):
      var section = FieldSection()
      session.takeTrailers(into: &section)
      streams[stream.id]?.trailers = texts(section.fields, section.bytes.copied())
    case .end(let stream): streams[stream.id]?.isEnded = true
    case .closed(let stream, let code, _): streams[stream.id]?.closed = code
    case .failed(let reason): failure = reason
    case .interimHead, .headRefused, .drained, .settingsChanged, .shutdownHeard, .goAway: break
    }
  }

  private func begin(_ stream: StreamID, _ head: [String], _ isEnd: Bool) {
    ids[stream.id] = stream
    streams[stream.id, default: Stream()].head = head
    streams[stream.id]?.isHeadLast = isEnd
  }

  private func texts(_ fields: [FieldLine], _ bytes: [UInt8]) -> [String] {
    fields.map {
      String(decoding: bytes[$0.name], as: UTF8.self) + ": " + String(decoding: bytes[$0.value], as: UTF8.self)
    }
  }

  /// Begins a request. `head` is one of HTTP/1.
  func ask(_ head: String, end: Bool = true) throws -> Int32 {
    let isWritten = list.setRequest(head: Array(head.utf8).span, scheme: "http")
    #expect(isWritten)
    let stream = try #require(session.submitRequest(&list, isEnd: end))
    ids[stream.id] = stream
    streams[stream.id] = Stream()
    exchange()
    return stream.id
  }

  func answer(_ stream: Int32, _ status: Int, _ lines: String = "", end: Bool = false) throws {
    list.setStatus(status)
    list.append(lines: Array(lines.utf8).span)
    session.submitResponse(&list, on: try #require(ids[stream]), isEnd: end)
    exchange()
  }

  func send(_ bytes: [UInt8], on stream: Int32) throws {
    session.append(bytes.span, to: try #require(ids[stream]))
    exchange()
  }

  func finish(_ stream: Int32, trailers: String = "") throws {
    session.finish(try #require(ids[stream]), trailers: Array(trailers.utf8).span)
    exchange()
  }

  func reset(_ stream: Int32, code: UInt32) throws {
    session.reset(try #require(ids[stream]), code: code)
    exchange()
  }
}
