// A session with a record of all that it reported and sent, driven without sockets or clock.

import Bytes
import HTTP2
import HTTPWire
import TestSupport

/// What a test compares: an event with what was taken because of it.
enum Seen: Equatable {
  case request(Int32, [String], isEnd: Bool)
  case response(Int32, Int, [String], isEnd: Bool)
  case interim(Int32, Int)
  case refused(Int32, HeadError)
  case data(Int32, String)
  case trailers(Int32, [String])
  case end(Int32)
  case drained(Int32)
  case closed(Int32, UInt32)
  case settings
  case goAway(Int32, UInt32)
  case failed(FailureReason)
}

final class Endpoint {
  let session: HTTP2Session
  var seen: [Seen] = []
  var streams: [Int32: StreamID] = [:]
  var now: Int64 = 1_000_000_000
  /// Whether received content counts as taken on at once.
  var consumes = true
  var receivedByteCount = 0
  var isShutdownHeard = false
  var safeToRetry: [Int32] = []
  var request = RequestHead()
  var response = ResponseHead()
  var trailers = FieldSection()
  var list = HeaderList()
  /// All bytes that were produced and not handed over.
  private var pending = ByteQueue()
  /// All frames that were ever produced.
  var sent: [UInt8] = []
  var keepsBytes = true

  init?(_ role: SessionRole, _ settings: SessionSettings = SessionSettings()) {
    guard let session = HTTP2Session(role: role, settings: settings, at: 1_000_000_000) else { return nil }
    self.session = session
  }

  func receive(_ bytes: [UInt8]) {
    var offset = 0
    while let event = session.receive(bytes.span, offset: &offset, at: now) { note(event, bytes) }
  }

  func receiveByteByByte(_ bytes: [UInt8]) { for byte in bytes { receive([byte]) } }

  private func note(_ event: SessionEvent, _ bytes: [UInt8]) {
    switch event {
    case .requestHead(let stream, let isEnd):
      streams[stream.id] = stream
      session.takeRequestHead(into: &request)
      let bytes = request.bytes.copied()
      let line = String(decoding: bytes[..<request.targetRange.upperBound], as: UTF8.self)
      seen.append(.request(stream.id, [line] + texts(request.fields, bytes), isEnd: isEnd))
    case .responseHead(let stream, let isEnd):
      session.takeResponseHead(into: &response)
      seen.append(.response(stream.id, response.status, texts(response.fields, response.bytes.copied()), isEnd: isEnd))
    case .interimHead(let stream):
      session.takeResponseHead(into: &response)
      seen.append(.interim(stream.id, response.status))
    case .headRefused(let stream, let error):
      streams[stream.id] = stream
      seen.append(.refused(stream.id, error))
    case .data(let stream, let range):
      receivedByteCount += range.count
      if consumes { session.consumed(stream, range.count) }
      if keepsBytes { appendData(stream.id, bytes.span.extracting(range).text()) }
    case .trailers(let stream):
      session.takeTrailers(into: &trailers)
      seen.append(.trailers(stream.id, texts(trailers.fields, trailers.bytes.copied())))
    case .end(let stream): seen.append(.end(stream.id))
    case .drained(let stream): seen.append(.drained(stream.id))
    case .closed(let stream, let code, let isSafeToRetry):
      if isSafeToRetry { safeToRetry.append(stream.id) }
      seen.append(.closed(stream.id, code))
    case .shutdownHeard: isShutdownHeard = true
    case .settingsChanged: seen.append(.settings)
    case .goAway(let last, let code): seen.append(.goAway(last, code))
    case .failed(let reason): seen.append(.failed(reason))
    }
  }

  /// Content that came in pieces counts as one.
  private func appendData(_ stream: Int32, _ text: String) {
    if case .data(stream, let before)? = seen.last {
      seen[seen.count - 1] = .data(stream, before + text)
    } else {
      seen.append(.data(stream, text))
    }
  }

  private func texts(_ fields: [FieldLine], _ bytes: [UInt8]) -> [String] {
    fields.map {
      String(decoding: bytes[$0.name], as: UTF8.self) + ": " + String(decoding: bytes[$0.value], as: UTF8.self)
    }
  }

  /// What there is to send, in steps of `upTo` bytes.
  @discardableResult
  func produce(upTo: Int = 64 * 1024) -> [UInt8] {
    var all: [UInt8] = []
    while true {
      session.produce(into: &pending, upTo: upTo)
      while let event = session.nextEvent() { note(event, []) }
      if pending.isEmpty {
        // All is written: what has to wait for that follows.
        session.resetAnswered()
        session.produce(into: &pending, upTo: upTo)
        while let event = session.nextEvent() { note(event, []) }
      }
      if pending.isEmpty { break }
      all += pending.copied()
      pending.removeAll()
    }
    if keepsBytes { sent += all }
    return all
  }

  func produceOnce(upTo: Int) -> [UInt8] {
    session.produce(into: &pending, upTo: upTo)
    while let event = session.nextEvent() { note(event, []) }
    let bytes = pending.copied()
    pending.removeAll()
    return bytes
  }

  func drainEvents() { while let event = session.nextEvent() { note(event, []) } }

  var sentFrames: [SentFrame] { SentFrame.all(sent, skipping: session.role == .client ? 24 : 0) }
  var failure: FailureReason? { session.failure }

  /// Sends a whole or begun request. False in the place of a stream that was refused.
  @discardableResult
  func ask(_ head: String, scheme: StaticString = "https", end: Bool = true) -> StreamID? {
    guard list.setRequest(head: Array(head.utf8).span, scheme: scheme) else { return nil }
    guard let stream = session.submitRequest(&list, isEnd: end) else { return nil }
    streams[stream.id] = stream
    return stream
  }

  func answer(_ stream: StreamID, _ status: Int, _ lines: String = "", end: Bool = false) {
    list.setStatus(status)
    list.append(lines: Array(lines.utf8).span)
    session.submitResponse(&list, on: stream, isEnd: end)
  }

  func interim(_ stream: StreamID, _ status: Int, _ lines: String) {
    list.setStatus(status)
    list.append(lines: Array(lines.utf8).span)
    session.submitInterim(&list, on: stream)
  }

  func append(_ bytes: [UInt8], to stream: StreamID) { session.append(bytes.span, to: stream) }
  func append(_ text: String, to stream: StreamID) { session.append(Array(text.utf8).span, to: stream) }
  func finish(_ stream: StreamID, trailers: String = "") {
    session.finish(stream, trailers: Array(trailers.utf8).span)
  }
}

/// Carries bytes between both until neither has any.
func exchange(_ client: Endpoint, _ server: Endpoint, upTo: Int = 64 * 1024) {
  while true {
    let there = client.produce(upTo: upTo)
    if !there.isEmpty { server.receive(there) }
    let back = server.produce(upTo: upTo)
    if !back.isEmpty { client.receive(back) }
    if there.isEmpty, back.isEmpty { return }
  }
}

/// A server to which a client has said hello by hand.
func greetedServer(_ settings: SessionSettings = SessionSettings()) -> Endpoint? {
  guard let server = Endpoint(.server, settings) else { return nil }
  server.receive(Frames.preface + Frames.settings())
  server.produce()
  server.receive(Frames.settingsAck)
  server.seen = []
  server.sent = []
  return server
}

/// A client to which a server has said hello by hand.
func greetedClient(_ settings: SessionSettings = SessionSettings(), peer: [(UInt16, UInt32)] = []) -> Endpoint? {
  guard let client = Endpoint(.client, settings) else { return nil }
  client.produce()
  client.receive(Frames.settings(peer) + Frames.settingsAck)
  client.produce()
  client.seen = []
  client.sent = Frames.preface
  return client
}
