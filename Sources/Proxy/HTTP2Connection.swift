// What the HTTP/2 connections of clients and of servers have in common: bytes go through a session, which reports
// events of streams, and frames are made when the transport asks for output.

import Bytes
import HTTP2

/// A connection that carries many exchanges at once.
protocol HTTP2Connection: Connection {
  associatedtype Stream: HTTP2Stream
  var session: HTTP2Session { get }
  var streams: StreamTable<Stream> { get set }
  /// How long a frame or a header block that has begun may take, in nanoseconds. One that does not end holds up all
  /// streams.
  var frameTimeout: Int64 { get }
  /// - Parameter bytes: what ranges of the event are offsets into.
  func handle(_ event: SessionEvent, _ bytes: Span<UInt8>)
}

extension HTTP2Connection {
  /// A connection without streams gives memory back after this time.
  static var trimNanoseconds: Int64 { 1_000_000_000 }

  func receiveFrames(_ bytes: Span<UInt8>) {
    var offset = 0
    while !isClosed, let event = session.receive(bytes, offset: &offset, at: worker.time.nanoseconds) {
      handle(event, bytes)
    }
    if session.openSince != .max { expect(frameDeadline) }
    flush()
  }

  /// When what is open of the input must have come.
  var frameDeadline: Int64 { session.openSince == .max ? .max : session.openSince &+ frameTimeout }

  func writeFrames() {
    prepareOutput()
    session.produce(into: &output, upTo: Self.outputHighWater)
    while let event = session.nextEvent() { handle(event, Span()) }
  }

  /// A deadline of one of the streams, or of the connection.
  func expect(_ moment: Int64) { deadline = min(deadline, moment) }

  func passDeadlines(at now: Int64) {
    for case let stream? in streams.slots where stream.deadline <= now { stream.deadlinePassed() }
  }

  func trim() {
    if session.openStreamCount > 0 { return }
    session.releaseStorage()
    streams.releaseStorage()
  }
}
